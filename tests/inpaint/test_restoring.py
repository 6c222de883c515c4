"""``restore_rt.load`` of in-painting models: what is kept, and what the network is shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

import restore_rt
from restore_rt import _ext
from restore_rt.errors import InputError, ModelError
from restore_rt.frames import Planes
from restore_rt.inpaint import DEEP, RADIUS, blend_half, fill, halve, hole_depth
from restore_rt.inspection import inspect_model
from tests.inpaint.networks import residual, save_inpainter
from tests.networks import MakeModel, nearest

Array = NDArray[Any]


def picture(shape: tuple[int, ...], dtype: type, rng: np.random.Generator) -> Array:
    if dtype is np.float32:
        return rng.random(shape, np.float32)
    return rng.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [None, 1, 2, 3, 4])
def test_known_pixels_come_back_bit_for_bit(
    inpainter: Path, spots: Array, rng: np.random.Generator, dtype: type, channels: int | None
) -> None:
    shape = spots.shape if channels is None else (*spots.shape, channels)
    frame = picture(shape, dtype, rng)
    before = frame.copy()
    with restore_rt.load(inpainter) as restorer:
        out = restorer(frame, mask=spots)
        again = restorer(frame, mask=spots > 0)
    holes = spots > 0
    np.testing.assert_array_equal(out[~holes], frame[~holes])
    colours = slice(None) if channels not in (2, 4) else slice(0, channels - 1)
    changed = out[holes] if channels is None else out[holes][:, colours]
    assert (changed != (frame[holes] if channels is None else frame[holes][:, colours])).any()
    if channels in (2, 4):
        np.testing.assert_array_equal(out[..., -1], frame[..., -1])
    np.testing.assert_array_equal(frame, before)
    np.testing.assert_array_equal(again, out)


def whole(path: Path, frame: Array, holes: Array) -> Array:
    """Restore a frame as the runner does, without tiles."""
    filled = fill(frame, holes)
    depth = hole_depth(holes)
    if depth.max() > DEEP:
        blend_half(filled, whole(path, *halve(frame, holes)), depth, radius=RADIUS)
    height, width = holes.shape
    pads = ((0, -height % 4), (0, -width % 4))
    image = np.pad(filled, (*pads, (0, 0)), mode="reflect").transpose(2, 0, 1)[None]
    mask = np.pad(holes, pads, mode="reflect")[None, None] / np.float32(255)
    session = onnxruntime.InferenceSession(path)
    made = session.run(None, {"image": image, "mask": mask})[0][0].transpose(1, 2, 0)
    return np.where(holes[..., None] > 0, made[:height, :width], frame)


def test_tiles_give_what_the_whole_frame_gives(
    inpainter: Path, spots: Array, rng: np.random.Generator
) -> None:
    """Holes lie across tiles, the wide one on three levels."""
    frame = picture((*spots.shape, 3), np.float32, rng)
    with restore_rt.load(inpainter) as restorer:
        out = restorer(frame, mask=spots)
    np.testing.assert_allclose(out, whole(inpainter, frame, spots), atol=1e-5)


def test_grey_is_the_mean_of_three_equal_channels(
    inpainter: Path, spots: Array, rng: np.random.Generator
) -> None:
    grey = picture(spots.shape, np.float32, rng)
    shallow = np.where(hole_depth(spots) <= 5, spots, 0).astype(np.uint8)
    shallow[80:140, 90:160] = 0
    with restore_rt.load(inpainter) as restorer:
        out = restorer(grey, mask=shallow)
        coloured = restorer(np.repeat(grey[..., None], 3, axis=2), mask=shallow)
    np.testing.assert_allclose(out, coloured.mean(axis=2), atol=1e-5)


@pytest.mark.parametrize("channels", [3, 4])
def test_bgr(inpainter: Path, spots: Array, rng: np.random.Generator, channels: int) -> None:
    frame = picture((*spots.shape, channels), np.uint8, rng)
    turned = np.array([2, 1, 0, 3])[:channels]
    with restore_rt.load(inpainter) as restorer:
        out = restorer(frame, mask=spots)
        bgr = restorer(frame[..., turned], mask=spots, channel_order="bgr")
    np.testing.assert_array_equal(bgr, out[..., turned])


def test_only_tiles_with_holes_are_computed(
    inpainter: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = picture((400, 600, 3), np.uint8, rng)
    mask = np.zeros((400, 600), np.uint8)
    mask[10:14, 10:14] = 255
    mask[390:395, 590:596] = 255
    shown = []
    original = _ext.split_into

    def split_into(tiles: Array, frame: Array, grid: Any, *, first: int, **options: Any) -> None:
        shown.append(first)
        original(tiles, frame, grid, first=first, **options)

    monkeypatch.setattr(_ext, "split_into", split_into)
    with restore_rt.load(inpainter) as restorer:
        out = restorer(frame, mask=mask)
    assert len(set(shown)) == 2
    np.testing.assert_array_equal(out[mask == 0], frame[mask == 0])


def test_a_soft_edge_goes_over_to_the_frame(tmp_path: Path, rng: np.random.Generator) -> None:
    """A network that leaves the fill as it is, around a hole in white."""
    path = save_inpainter(tmp_path / "none.onnx", residual(np.zeros((3, 4, 1, 1))))
    frame = np.ones((40, 60, 3), np.float32)
    frame[:, :, :] = 0.5
    mask = np.zeros((40, 60), np.uint8)
    mask[10:20, 20:30] = 255
    ring = (hole_depth(np.where(mask > 0, 0, 255).astype(np.uint8)) <= 3) & (mask == 0)
    frame[ring] = 0.9
    with restore_rt.load(path) as restorer:
        soft = restorer(frame, mask=mask, soft_edge=3)
        hard = restorer(frame, mask=mask)
    beyond = (mask == 0) & ~ring
    np.testing.assert_array_equal(soft[beyond], frame[beyond])
    np.testing.assert_allclose(soft[mask > 0], 0.5, atol=1e-6)
    # One, two and three pixels from the hole: three, two and one quarters of 0.5.
    np.testing.assert_allclose(soft[15, 19:16:-1, 0], [0.6, 0.7, 0.8], atol=1e-6)
    np.testing.assert_array_equal(hard[mask == 0], frame[mask == 0])


def test_a_mask_of_nothing_changes_nothing(inpainter: Path, rng: np.random.Generator) -> None:
    frame = picture((33, 21, 3), np.uint8, rng)
    with restore_rt.load(inpainter) as restorer:
        out = restorer(frame, mask=np.full((33, 21), 127, np.uint8))
    np.testing.assert_array_equal(out, frame)


@pytest.mark.parametrize("size", [(1, 2), (2, 1), (3, 3), (5, 64), (65, 7)])
def test_small_frames(inpainter: Path, size: tuple[int, int], rng: np.random.Generator) -> None:
    frame = picture((*size, 3), np.uint8, rng)
    mask = np.full(size, 255, np.uint8)
    mask[0, 0] = 0
    with restore_rt.load(inpainter) as restorer:
        out = restorer(frame, mask=mask)
    np.testing.assert_array_equal(out[0, 0], frame[0, 0])


def test_masks_that_do_not_fit_are_refused(inpainter: Path) -> None:
    frame = np.zeros((30, 40, 3), np.uint8)
    with restore_rt.load(inpainter) as restorer:
        for mask, message in (
            (np.zeros((40, 30), np.uint8), "mask is 30x40 and the frame 40x30"),
            (np.zeros((30, 40, 3), np.uint8), r"it must be \(H, W\)"),
            (np.zeros((30, 40), np.float32), "mask is float32"),
            (np.full((30, 40), 255, np.uint8), "marks every pixel"),
            ([[1]], "mask is list"),
        ):
            with pytest.raises(InputError, match=message):
                restorer(frame, mask=mask)  # type: ignore[arg-type]
        mask = np.zeros((30, 40), np.uint8)
        mask[9, 9] = 255
        with pytest.raises(InputError, match="marks every pixel"):
            restorer(frame, mask=mask, soft_edge=60)
        with pytest.raises(InputError, match="-1 pixels"):
            restorer(frame, mask=mask, soft_edge=-1)
        with pytest.raises(InputError, match="replaces what a mask marks"):
            restorer(frame)
        with pytest.raises(InputError, match="out shares memory"):
            restorer(frame, mask=mask, out=frame)
        with pytest.raises(InputError, match="no Y'CbCr planes"):
            restorer(Planes(frame[..., 0]), mask=mask)


def test_other_models_take_no_mask(make_model: MakeModel) -> None:
    with (
        restore_rt.load(make_model(nearest(3, 2), scale=2)) as restorer,
        pytest.raises(InputError, match="there is a mask, and model is a model for upscale"),
    ):
        restorer(np.zeros((8, 8, 3), np.uint8), mask=np.zeros((8, 8), np.uint8))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "cuda"}, "device is 'cuda'"),
        ({"backend": "native"}, "backend is 'native'"),
        ({"precision": "bf16"}, "precision is 'bf16'"),
        ({"batch": 2}, "batch is 2"),
        ({"tile": 30}, "multiples of 4"),
        ({"scale": 2}, "scale is 2"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    inpainter: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        restore_rt.load(inpainter, **options)


def test_a_manifest_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    model = residual(np.zeros((3, 4, 1, 1)))
    path = save_inpainter(tmp_path / "x.onnx", model, scale=2)
    with pytest.raises(ModelError, match="of scale 2"):
        restore_rt.load(path)


def test_nan_is_not_delivered(tmp_path: Path) -> None:
    kernel = np.full((3, 4, 1, 1), np.inf)
    path = save_inpainter(tmp_path / "nan.onnx", residual(kernel))
    mask = np.zeros((20, 20), np.uint8)
    mask[5:9, 5:9] = 255
    with (
        restore_rt.load(path) as restorer,
        pytest.raises(restore_rt.RestoreError, match="NaN or infinity"),
    ):
        restorer(np.ones((20, 20, 3), np.uint8), mask=mask)


def test_it_warms_up_and_tells_what_it_costs(inpainter: Path) -> None:
    with restore_rt.load(inpainter) as restorer:
        restorer.warmup((40, 50, 3))
        restorer.warmup((1, 1, 3))
        assert not restorer.stages.seconds
    found = inspect_model(inpainter)
    assert {place: verdict.runs for place, verdict in found.runs_on.items()} == {
        "native on cpu": False,
        "onnxruntime on cpu": True,
        "onnxruntime on cuda": False,
        "tensorrt on cuda": False,
    }
    # A kernel of 3x3 from four channels to three, over a tile.
    assert found.cost.multiply_adds == 3 * 4 * 9 * 64 * 64
