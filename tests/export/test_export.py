from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from restore_rt.errors import InputError, OutputError
from restore_rt.export import ExportError, export_onnx
from restore_rt.export.__main__ import main
from restore_rt.manifest import read_manifest, weights_sha256
from restore_rt.training.checkpoint import load_checkpoint, save_checkpoint
from restore_rt.training.networks import build

RECIPE = """
seed = 1
model = { name = "tiny", version = "2", task = "upscale", content = "video", tile = [24, 40], \
trained_on = "nothing", licence = "CC0-1.0" }
network = { name = "compact", scale = 2, colour = "luma", params = { width = 4, depth = 3 } }
optim = { loss = "l1", steps = 1, epoch = 1, rate = 1e-3, rate_end = 0, warmup = 0, clip = 1, \
ema = 0.9 }

[data]
folders = { a = 1 }
variants = [{ kind = "clean", share = 1, copies = 1 }]
holdout = 2
batch = 1
patch = 8
"""


@pytest.fixture
def checkpoint(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes the checkpoint of an untrained network."""

    def make(change: Callable[[nn.Module], None] = lambda network: None, **names: str) -> Path:
        torch.manual_seed(3)
        text = RECIPE
        for old, new in names.items():
            text = text.replace(f'{old} = "luma"', f'{old} = "{new}"')
        colour = names.get("colour", "luma")
        network = build("compact", width=4, depth=3, scale=2, colour=colour)
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(0.05 * torch.randn_like(parameter))
        change(network)
        path = tmp_path / "checkpoint.pt"
        state = {"recipe": text, "step": 5, "metrics": {"validation_psnr_clean": 30.5}}
        save_checkpoint(path, {**state, "average": network.state_dict()})
        return path

    return make


def quiet(line: str) -> None:
    pass


@pytest.mark.parametrize("colour", ["luma", "rgb"])
def test_the_file_does_what_the_network_does_and_says_what_it_is(
    checkpoint: Callable[..., Path], tmp_path: Path, colour: str
) -> None:
    source, out = checkpoint(colour=colour), tmp_path / "tiny.onnx"
    manifest = export_onnx(source, out, tile=(16, 32), say=quiet)
    model = onnx.load(out)
    assert read_manifest(model) == manifest
    assert (manifest.name, manifest.halo, manifest.multiple) == ("tiny", 3, 1)
    assert (manifest.tile, manifest.colour) == ((16, 32), colour)
    assert manifest.sha256 == weights_sha256(model)
    assert manifest.metrics == {"step": 5.0, "validation_psnr_clean": 30.5}
    assert [opset.version for opset in model.opset_import if not opset.domain] == [18]
    assert not any(node.metadata_props or node.doc_string for node in model.graph.node)
    assert not list(tmp_path.glob("*.part"))

    channels = 3 if colour == "rgb" else 1
    network = build("compact", width=4, depth=3, scale=2, colour=colour)
    network.load_state_dict(load_checkpoint(source)["average"])
    session = onnxruntime.InferenceSession(out, providers=["CPUExecutionProvider"])
    for shape in ((1, channels, 7, 30), (3, channels, 33, 20)):
        x = np.random.default_rng(0).random(shape, dtype=np.float32)
        (y,) = session.run(["y"], {"x": x})
        with torch.no_grad():
            assert np.allclose(y, network(torch.from_numpy(x)), atol=1e-5)


def test_weights_that_are_no_numbers_are_refused(
    checkpoint: Callable[..., Path], tmp_path: Path
) -> None:
    def poison(network: nn.Module) -> None:
        with torch.no_grad():
            network.layers[1].bias[2] = float("nan")

    with pytest.raises(ExportError, match=r"layers\.1\.bias has values that are not finite"):
        export_onnx(checkpoint(poison), tmp_path / "x.onnx", say=quiet)
    assert not (tmp_path / "x.onnx").exists()


def test_outputs_that_overflow_are_refused(checkpoint: Callable[..., Path], tmp_path: Path) -> None:
    def swell(network: nn.Module) -> None:
        with torch.no_grad():
            for layer in network.layers:
                layer.weight.fill_(1e30)

    with pytest.raises(ExportError, match="not finite"):
        export_onnx(checkpoint(swell), tmp_path / "x.onnx", say=quiet)
    assert not (tmp_path / "x.onnx").exists()


def test_a_difference_between_the_two_is_refused(
    checkpoint: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from restore_rt.export import exporter as stage

    real = stage.to_onnx

    def slightly_wrong(*arguments: object) -> onnx.ModelProto:
        model = real(*arguments)
        bias = next(t for t in model.graph.initializer if t.name == "layers.2.bias")
        values = onnx.numpy_helper.to_array(bias) + np.float32(2e-4)
        bias.CopyFrom(onnx.numpy_helper.from_array(values, bias.name))
        return model

    monkeypatch.setattr(stage, "to_onnx", slightly_wrong)
    with pytest.raises(ExportError, match=r"differ by 2\.\d+e-04; allowed is 5e-05"):
        export_onnx(checkpoint(), tmp_path / "x.onnx", say=quiet)
    assert not (tmp_path / "x.onnx").exists()


def test_what_cannot_be_read_or_written_is_named(
    checkpoint: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InputError, match="opset is 12"):
        export_onnx(checkpoint(), tmp_path / "x.onnx", opset=12, say=quiet)
    with pytest.raises(InputError, match="no pictures in"):
        export_onnx(checkpoint(), tmp_path / "x.onnx", images=tmp_path / "none", say=quiet)
    with pytest.raises(OutputError, match="cannot be written"):
        export_onnx(checkpoint(), tmp_path / "none" / "x.onnx", say=quiet)
    assert main([str(tmp_path / "no.pt"), "-o", str(tmp_path / "x.onnx")]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: no checkpoint at")
    assert error.count("\n") == 1
