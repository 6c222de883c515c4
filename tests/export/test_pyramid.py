"""An exported network from coarse to fine runs in the native backend as in ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from restore_rt.export import export_onnx
from restore_rt.export.sources import Source
from restore_rt.native.network import open_native
from restore_rt.training.networks import build, fold


@pytest.mark.parametrize(("colour", "scale"), [("rgb", 2), ("luma", 1)])
def test_a_pyramid_runs_natively(tmp_path: Path, colour: str, scale: int) -> None:
    torch.manual_seed(0)
    network = build("pyramid", width=8, coarse=1, scale=scale, colour=colour)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    source = Source(
        path=tmp_path / "checkpoint.pt",
        network=fold(network).eval(),
        scale=scale,
        colour=colour,
        name="tiny",
        version="1",
        task="upscale" if scale > 1 else "repair",
        content="comic",
        tile=(64, 64),
        trained_on="nothing",
        licence="CC0-1.0",
    )
    out = tmp_path / "tiny.onnx"
    manifest = export_onnx(source, out, say=lambda line: None)
    assert manifest.multiple == 4

    native = open_native(onnx.load(out), precision="fp32")
    session = onnxruntime.InferenceSession(out, providers=["CPUExecutionProvider"])
    # The native backend reflects what is missing of a multiple, and cuts off what that became.
    for height, width in ((64, 48), (33, 46)):
        rng = np.random.default_rng(height)
        frame = rng.random((height, width, source.channels), dtype=np.float32)
        padded = np.pad(frame, ((0, -height % 4), (0, -width % 4), (0, 0)), "reflect")
        (y,) = session.run(None, {"x": padded.transpose(2, 0, 1)[np.newaxis]})
        expected = y[0].transpose(1, 2, 0)[: scale * height, : scale * width]
        result = np.empty((scale * height, scale * width, source.channels), np.float32)
        assert native.run_into(result, frame, threads=2)
        assert np.ptp(expected) > 0.1
        np.testing.assert_allclose(result, expected, rtol=0, atol=2e-5)
