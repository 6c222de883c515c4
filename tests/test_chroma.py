"""The option ``chroma``: a network for the chroma of 4:2:0 planes beside a luma model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import restore_rt
from restore_rt import Planes, Restorer, _ext
from restore_rt.errors import InputError, ModelError
from restore_rt.model.manifest import read_manifest
from restore_rt.model.registry import chroma_path
from restore_rt.tiled import chroma as tiled_chroma
from tests.networks import nearest, save_model

ROOT = Path(__file__).parents[1]


def planes_of(
    height: int, width: int, *, chroma: str = "420", depth: int = 8, siting: Any = "left"
) -> Planes:
    rng = np.random.default_rng(height)
    down, across = {"420": (2, 2), "422": (1, 2), "444": (1, 1)}[chroma]
    small = (-(-height // down), -(-width // across))
    dtype = np.uint8 if depth == 8 else np.uint16
    y, cb, cr = (
        rng.integers(0, 1 << depth, shape).astype(dtype)
        for shape in ((height, width), small, small)
    )
    return Planes(y, cb, cr, bit_depth=depth, siting=siting)


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """Return a chroma network of two layers."""
    rng = np.random.default_rng(0)
    kernels = [rng.normal(0, 0.2, (16, 16, 3, 3)), rng.normal(0, 0.1, (8, 16, 3, 3))]
    return save_model(tmp_path / "chroma.onnx", kernels, scale=2, colour="chroma", halo=2)


@pytest.fixture
def luma(tmp_path: Path) -> Path:
    return save_model(tmp_path / "luma.onnx", nearest(1, 2), scale=2)


@pytest.mark.parametrize("depth", [8, 10])
@pytest.mark.parametrize("size", [(48, 70), (33, 25), (1, 1)])
def test_backends_agree_and_luma_stays(
    luma: Path, network: Path, depth: int, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Several strips.
    monkeypatch.setattr(tiled_chroma, "_MOST_SAMPLES", 7 * -(-size[1] // 2))
    planes = planes_of(*size, depth=depth)
    made = {}
    for backend in ("native", "onnxruntime"):
        with restore_rt.load(luma, backend=backend, chroma=network, threads=2) as restorer:
            assert restorer.chroma == "chroma"
            assert "luma and chroma on" in restorer.description
            made[backend] = restorer(planes)
            assert restorer.stages.seconds["chroma"] > 0
    with restore_rt.load(luma) as bicubic:
        assert bicubic.chroma == "bicubic"
        expected = bicubic(planes)
    for result in made.values():
        np.testing.assert_array_equal(result.y, expected.y)
    for name in ("cb", "cr"):
        native, other = (getattr(each, name).astype(int) for each in made.values())
        assert np.abs(native - other).max() <= 1
        assert np.abs(native - getattr(expected, name)).max() > 1


def test_the_network_reads_the_frame_s_planes(luma: Path, tmp_path: Path) -> None:
    # Each channel of the result takes the Cb or Cr of its sample.
    kernel = np.zeros((8, 16, 1, 1))
    kernel[:4, 4] = kernel[4:, 5] = 1
    path = save_model(tmp_path / "repeat.onnx", [kernel], scale=2, colour="chroma", halo=0)
    planes = planes_of(20, 31)
    with restore_rt.load(luma, chroma=path) as restorer:
        out = restorer(planes)
    for source, result in ((planes.cb, out.cb), (planes.cr, out.cr)):
        assert source is not None
        np.testing.assert_array_equal(result, source.repeat(2, 0).repeat(2, 1)[:40, :31])


@pytest.mark.parametrize("backend", ["native", "onnxruntime"])
@pytest.mark.parametrize(
    "planes",
    [
        planes_of(20, 30, chroma="422"),
        planes_of(20, 30, chroma="444"),
        planes_of(20, 30, siting="center"),
        planes_of(20, 30, siting="topleft"),
        Planes(np.zeros((20, 30), np.uint8)),
    ],
)
def test_other_frames_get_bicubic_chroma(
    luma: Path, network: Path, backend: Any, planes: Planes
) -> None:
    results = []
    for chroma in ("bicubic", network):
        with restore_rt.load(luma, backend=backend, chroma=chroma) as restorer:
            results.append(restorer(planes))
    for name in ("y", "cb", "cr"):
        np.testing.assert_array_equal(*(getattr(result, name) for result in results))


def test_colour_arrays_are_what_they_were(luma: Path, network: Path) -> None:
    frame = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    with restore_rt.load(luma) as bicubic, restore_rt.load(luma, chroma=network) as restorer:
        np.testing.assert_array_equal(restorer(frame), bicubic(frame))


def test_streams_give_what_calls_give(luma: Path, network: Path) -> None:
    frames = [planes_of(16 + n % 2, 30) for n in range(8)]
    with restore_rt.load(luma, chroma=network, threads=3) as restorer:
        for made, frame in zip(restorer.stream(frames), frames, strict=True):
            expected = restorer(frame)
            np.testing.assert_array_equal(made.cb, expected.cb)
            np.testing.assert_array_equal(made.cr, expected.cr)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"chroma": 3}, "chroma is 3; allowed are 'bicubic', 'network' and the file"),
        ({"device": "cuda"}, "chroma is .*, which is not built for GPUs yet"),
        ({"backend": "tensorrt"}, "chroma is .*, which is not built for GPUs yet"),
    ],
)
def test_options_that_are_not_allowed_are_refused(
    luma: Path, network: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        restore_rt.load(luma, **({"chroma": network} | options))


def test_files_that_do_not_fit_are_refused(luma: Path, network: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"there is no chroma network 'no\.onnx'; give 'bicubic'"):
        restore_rt.load(luma, chroma="no.onnx")
    with pytest.raises(ModelError, match="is not a chroma network"):
        restore_rt.load(luma, chroma=luma)
    with pytest.raises(InputError, match="restores no frames by itself"):
        restore_rt.load(network)
    rgb = save_model(tmp_path / "rgb.onnx", nearest(3, 2), scale=2)
    with pytest.raises(InputError, match="which restores colour itself"):
        restore_rt.load(rgb, chroma=network)
    once = save_model(tmp_path / "once.onnx", nearest(1, 1), scale=1)
    with pytest.raises(InputError, match="enlarges 2 times, and once 1 times"):
        restore_rt.load(once, chroma=network)


def test_nan_is_an_error(luma: Path, tmp_path: Path) -> None:
    kernels = [np.full((16, 16, 1, 1), 3e38), np.full((8, 16, 1, 1), 3e38)]
    path = save_model(tmp_path / "large.onnx", kernels, scale=2, colour="chroma", halo=0)
    for backend in ("native", "onnxruntime"):
        restorer: Restorer
        with (
            restore_rt.load(luma, backend=backend, chroma=path) as restorer,
            pytest.raises(restore_rt.RestoreError, match="NaN or infinity"),
        ):
            restorer(planes_of(20, 30))


def test_the_network_s_inputs_are_of_the_frame_s_depth() -> None:
    # Grey is no colour in every depth, so that zeros beyond the edge are none.
    for depth in (8, 10, 12):
        planes = planes_of(8, 8, depth=depth)
        assert planes.cb is not None
        grey = np.full_like(planes.cb, 1 << (depth - 1))
        inputs = np.empty((4, 4, 16), np.float32)
        _ext.chroma_inputs_into(inputs, (planes.y, grey, grey), bit_depth=depth)
        assert not inputs[..., 4:].any()


def test_the_shipped_network_gains_what_its_card_says() -> None:
    results = json.loads((ROOT / "benchmarks" / "results" / "chroma.json").read_text())
    manifest = read_manifest(onnx.load(chroma_path()))
    assert manifest is not None
    assert results["network"]["sha256"] == manifest.sha256
    card = chroma_path().with_suffix(".md").read_text(encoding="utf-8")
    natural = {e["crf"]: e for e in results["summary"] if e["kind"] == "natural"}
    for crf in (12, 18, 24, 32, 38):
        entry = natural[crf]
        shown = f"| {crf} | {entry['bicubic']:.2f} | {entry['network']:.2f} "
        assert f"{shown}| {entry['difference']:+.2f} |" in card
    # What it must gain, and cost, before it may be shipped.
    assert natural[32]["difference"] >= 0.3
    assert results["milliseconds"]["quotient"] <= 1.15


def test_the_shipped_network_enlarges_planes() -> None:
    y, x = np.mgrid[0:40, 0:60]
    cb, cr = (np.asarray(128 + a * x[:20, :30] - a * y[:20, :30], np.uint8) for a in (2, -1))
    planes = Planes(np.asarray(60 + x + y, np.uint8), cb, cr)
    with restore_rt.load("video-x2", chroma="network", device="cpu") as restorer:
        assert restorer.chroma == "video-x2-chroma"
        out = restorer(planes)
    with restore_rt.load("video-x2", device="cpu") as bicubic:
        expected = bicubic(planes)
    for name in ("cb", "cr"):
        difference = getattr(out, name).astype(int) - getattr(expected, name)
        assert np.abs(difference[6:-6, 6:-6]).max() <= 4
