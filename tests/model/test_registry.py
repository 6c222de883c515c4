"""What the shipped models promise."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper
from PIL import Image

import restore_rt
from restore_rt import _ext
from restore_rt.colour import luma_of
from restore_rt.errors import ModelError
from restore_rt.model import registry as zoo
from restore_rt.model.index import index_text
from restore_rt.model.manifest import read_manifest


def test_models_have_cards_and_complete_manifests() -> None:
    assert "video-x2" in [manifest.name for manifest in restore_rt.models()]
    for manifest in restore_rt.models():
        path = zoo.path_of(manifest.name)
        assert path.stem == manifest.name
        card = path.with_suffix(".md").read_text(encoding="utf-8")
        assert manifest.name in card
        for licence in manifest.licence.split(";"):
            assert licence.partition("(")[0].strip() in card
        assert manifest.trained_on
        assert manifest.recipe
        assert manifest.metrics


@pytest.mark.parametrize(
    ("content", "scale", "name"),
    [
        ("video", 2, "video-x2"),
        ("photo", 2, "photo-x2"),
        ("comic", 2, "comic-x2"),
        ("photo", 1, "repair-x1"),
        ("comic", 1, "comic-x1"),
        ("video", 1, "repair-x1"),
        ("photo", 4, "photo-x4"),
        ("comic", 4, "photo-x4"),
    ],
)
def test_choose(content: str, scale: int, name: str) -> None:
    assert zoo.choose(content, scale) == name


def test_models_that_need_a_mask_are_not_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = restore_rt.models()
    (repair,) = (manifest for manifest in shipped if manifest.name == "repair-x1")
    inpaint = dataclasses.replace(repair, name="inpaint", task="inpaint")
    monkeypatch.setattr(zoo, "models", lambda: [inpaint, *shipped])
    assert zoo.choose("photo", 1) == "repair-x1"


def test_choose_has_no_model_of_every_scale() -> None:
    with pytest.raises(ModelError, match="7 times"):
        zoo.choose("photo", 7)


@pytest.mark.parametrize("name", ["video-x3", "none/video-x2", "video-x2.onnx"])
def test_unknown_names_list_the_valid_ones(name: str) -> None:
    with pytest.raises(ModelError, match="video-x2"):
        restore_rt.load(name)


def test_files_that_are_no_models(tmp_path: Path) -> None:
    for name, content in (("text.onnx", b"hello"), ("empty.onnx", b""), ("weights.pth", b"PK")):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(ModelError, match=name):
            restore_rt.load(path)


def test_video_x2_is_small_and_luma_only() -> None:
    model = onnx.load(zoo.path_of("video-x2"))
    manifest = read_manifest(model)
    assert manifest is not None
    assert (manifest.scale, manifest.colour) == (2, "luma")
    weights = [numpy_helper.to_array(tensor) for tensor in model.graph.initializer]
    assert sum(values.size for values in weights if values.dtype == np.float32) <= 25_000


def test_video_x2_tiled_equals_whole_on_noise() -> None:
    frame = np.random.default_rng(3).integers(0, 255, (211, 303), np.uint8, endpoint=True)
    whole = restore_rt.load("video-x2", backend="onnxruntime", tile=512)(frame).astype(int)
    for tile in (64, 96, 128):
        tiled = restore_rt.load("video-x2", backend="onnxruntime", tile=tile)(frame).astype(int)
        assert np.abs(tiled - whole).max() <= 1


def halved(path: Path) -> tuple[Image.Image, Image.Image]:
    """Return a test image, cut to even sides, and its reduction to half of them."""
    with Image.open(path) as opened:
        image = opened.convert("RGB")
    width, height = (side // 2 for side in image.size)
    image = image.crop((0, 0, 2 * width, 2 * height))
    return image, image.resize((width, height), Image.Resampling.BICUBIC)


@pytest.mark.data
@pytest.mark.long
def test_video_x2_tiled_equals_whole(data_dir: Path) -> None:
    paths = sorted([*data_dir.glob("test/sr/*/*.png"), *data_dir.glob("test/comic/*.png")])
    assert len(paths) > 30
    whole = restore_rt.load("video-x2", backend="onnxruntime", tile=4096)
    tiled = {
        tile: restore_rt.load("video-x2", backend="onnxruntime", tile=tile)
        for tile in (64, 96, 128)
    }
    for path in paths:
        frame = np.rint(luma_of(np.asarray(halved(path)[1])) * 255).astype(np.uint8)
        expected: NDArray[Any] = whole(frame).astype(int)
        for tile, restorer in tiled.items():
            worst = np.abs(restorer(frame).astype(int) - expected).max()
            assert worst <= 1, f"{path.stem} differs by {worst} of 255 with tiles of {tile}"


@pytest.mark.data
@pytest.mark.long
def test_native_equals_onnx_runtime_on_every_image(data_dir: Path) -> None:
    paths = sorted([*data_dir.glob("test/sr/*/*.png"), *data_dir.glob("test/comic/*.png")])
    assert len(paths) > 30
    native = restore_rt.load("video-x2", backend="native")
    other = restore_rt.load("video-x2", backend="onnxruntime")
    for path in paths:
        frame = np.rint(luma_of(np.asarray(halved(path)[1])) * 255).astype(np.uint8)
        worst = np.abs(native(frame).astype(int) - other(frame)).max()
        assert worst <= 1, f"{path.stem} differs by {worst} of 255"


def quality(data_dir: Path, folder: str, **options: Any) -> float:
    """Return the mean PSNR on luma, in dB."""
    figures = []
    with restore_rt.load("video-x2", **options) as restorer:
        for path in sorted((data_dir / "test" / "sr" / folder).glob("*.png")):
            image, small = halved(path)
            restored = restorer(luma_of(np.asarray(small)))
            error = (restored.clip(0, 1) - luma_of(np.asarray(image)))[2:-2, 2:-2]
            figures.append(-10 * np.log10(np.mean(error.astype(np.float64) ** 2)))
    assert figures
    return float(np.mean(figures))


@pytest.mark.data
@pytest.mark.parametrize(("folder", "bar"), [("Set5", 36.4), ("Set14", 32.2)])
def test_video_x2_quality(data_dir: Path, folder: str, bar: float) -> None:
    fp32 = quality(data_dir, folder)
    assert fp32 >= bar
    if _ext.has_bf16():
        assert quality(data_dir, folder, precision="bf16") >= fp32 - 0.03


def test_the_index_is_what_the_files_say() -> None:
    assert zoo.INDEX.read_text(encoding="utf-8") == index_text()
