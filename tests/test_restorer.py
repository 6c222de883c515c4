from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import restore_rt
from restore_rt import Planes
from restore_rt.errors import (
    BackendError,
    InputError,
    ModelError,
    NonFiniteError,
    RestoreError,
)
from tests.networks import MakeModel, blur, nearest, shift
from tests.pixels import enlarged, random_frame

pytestmark = pytest.mark.usefixtures("either_way")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [None, 1, 2, 3, 4])
@pytest.mark.parametrize("batch", [1, 3])
def test_identity_is_exact(
    make_model: MakeModel, rng: np.random.Generator, dtype: Any, channels: int | None, batch: int
) -> None:
    colour = 1 if channels in (None, 1, 2) else 3
    with restore_rt.load(make_model(nearest(colour, 2), scale=2), tile=32, batch=batch) as restorer:
        for height, width in [(1, 1), (1, 70), (33, 5), (64, 64), (97, 131), (311, 98)]:
            shape = (height, width) if channels is None else (height, width, channels)
            frame = random_frame(rng, shape, dtype)
            if channels in (2, 4):
                frame[..., -1] = np.maximum(frame[..., -1], np.array(1, dtype))
            kept = frame.copy()
            result = restorer(frame)
            np.testing.assert_array_equal(result, enlarged(frame, 2))
            np.testing.assert_array_equal(frame, kept)
            assert result.dtype == dtype


@pytest.mark.long
def test_identity_is_exact_at_every_size_up_to_97(
    make_model: MakeModel, rng: np.random.Generator
) -> None:
    frame = random_frame(rng, (97, 97), np.uint8)
    with restore_rt.load(make_model(nearest(1, 1), halo=4), tile=48, batch=2) as restorer:
        for height in range(1, 98):
            for width in range(1, 98):
                part = frame[:height, :width]
                np.testing.assert_array_equal(restorer(part), part)


def test_strides_of_any_kind(make_model: MakeModel, rng: np.random.Generator) -> None:
    frame = random_frame(rng, (120, 90, 4), np.uint8)
    with restore_rt.load(make_model(nearest(3, 1)), tile=40) as restorer:
        for view in (
            frame[::-1, ::2, :3],
            frame.transpose(1, 0, 2)[..., 1:],
            frame[3:50:3, 80:10:-2, 2::-1],
            np.broadcast_to(frame[:1, :1, :3], (50, 60, 3)),
        ):
            np.testing.assert_array_equal(restorer(view), view)
            out = np.zeros((view.shape[1], view.shape[0], 3), np.uint8).transpose(1, 0, 2)
            assert restorer(view, out=out) is out
            np.testing.assert_array_equal(out, view)


@pytest.mark.parametrize(("make", "missed"), [(blur, 1e-4), (shift, 1 / 255)])
def test_tiles_equal_the_whole_frame_and_need_the_whole_halo(
    make_model: MakeModel, rng: np.random.Generator, make: Any, missed: float
) -> None:
    radius, tile = 5, 64

    def seam_error(halo: int) -> float:
        # Three tiles that share the least allowed, cut without a ramp: a pixel that the halo
        # leaves out reaches the frame.
        frame = random_frame(rng, (tile, tile + 2 * (tile - 2 * halo)), np.float32)
        path = make_model(make(radius), halo=halo)
        with (
            restore_rt.load(path, tile=512) as whole,
            restore_rt.load(path, tile=tile, overlap=2 * halo, feather=0) as tiled,
        ):
            return float(np.abs(tiled(frame) - whole(frame)).max())

    assert seam_error(radius) < 1e-5
    assert seam_error(radius - 1) > missed


def test_value_range_of_the_model_is_honoured(
    make_model: MakeModel, rng: np.random.Generator
) -> None:
    frame = random_frame(rng, (40, 40), np.uint8)
    path = make_model(nearest(1, 1), value_range=(-1.0, 1.0))
    with restore_rt.load(path) as restorer:
        np.testing.assert_array_equal(restorer(frame), frame)


@pytest.mark.parametrize("chroma", ["4:2:0", "4:2:2", "4:4:4", "grey"])
@pytest.mark.parametrize(("depth", "dtype"), [(8, np.uint8), (10, np.uint16)])
def test_planes(
    make_model: MakeModel, rng: np.random.Generator, chroma: str, depth: int, dtype: Any
) -> None:
    height, width = 37, 51
    half = {"4:2:0": (19, 26), "4:2:2": (37, 26), "4:4:4": (37, 51), "grey": None}[chroma]
    peak = 2**depth - 1
    y = rng.integers(0, peak, (height, width), dtype, endpoint=True)
    cb, cr = (None if half is None else np.full(half, value, dtype) for value in (90, 3))
    frame = Planes(y, cb, cr, bit_depth=depth)
    with restore_rt.load(make_model(nearest(1, 2), scale=2), tile=32) as restorer:
        result = restorer(frame)
        np.testing.assert_array_equal(result.y, enlarged(y, 2))
        assert result.bit_depth == depth
        if half is None:
            assert result.cb is None
            assert result.cr is None
        else:
            assert result.cb is not None
            assert result.cr is not None
            size = (74 if half[0] == 37 else 37, 102 if half[1] == 51 else 51)
            np.testing.assert_array_equal(result.cb, np.full(size, 90, dtype))
            np.testing.assert_array_equal(result.cr, np.full(size, 3, dtype))
        assert set(restorer.stages.seconds) <= {"split", "network", "merge", "chroma"}
        assert "network" in restorer.stages.seconds
        again = frame.empty_like(2)
        assert restorer(frame, out=again) is again
        np.testing.assert_array_equal(again.y, result.y)


def test_luma_model_on_rgb_keeps_flat_colour(make_model: MakeModel) -> None:
    colours = np.array([[255, 0, 0], [10, 200, 90], [0, 0, 0], [255, 255, 255]], np.uint8)
    with restore_rt.load(make_model(nearest(1, 2), scale=2)) as restorer:
        for colour in colours:
            frame = np.broadcast_to(colour, (9, 11, 3))
            np.testing.assert_array_equal(restorer(frame), enlarged(frame, 2))


def test_luma_model_on_rgb_restores_luma(make_model: MakeModel, rng: np.random.Generator) -> None:
    grey = np.broadcast_to(rng.random((20, 30, 1), np.float32), (20, 30, 3))
    with restore_rt.load(make_model(nearest(1, 2), scale=2)) as restorer:
        np.testing.assert_allclose(restorer(grey), enlarged(grey, 2), atol=1e-5)


def test_luma_model_on_rgb_works_in_bands(make_model: MakeModel, rng: np.random.Generator) -> None:
    frame = random_frame(rng, (300, 40, 3), np.uint8)
    with restore_rt.load(make_model(nearest(1, 2), scale=2)) as restorer:
        whole = restorer(frame)
        for first in (0, 100, 200):
            part = slice(first, first + 100)
            rows = slice(2 * first + 8, 2 * first + 192)
            np.testing.assert_array_equal(restorer(frame[part])[8:192], whole[rows])


@pytest.mark.parametrize("colour", ["luma", "rgb"])
@pytest.mark.parametrize("channels", [3, 4])
def test_bgr_is_rgb_in_another_order(
    make_model: MakeModel, rng: np.random.Generator, colour: str, channels: int
) -> None:
    frame = random_frame(rng, (20, 31, channels), np.uint8)
    order = [2, 1, 0, 3][:channels]
    path = make_model(nearest(1 if colour == "luma" else 3, 2), scale=2)
    with restore_rt.load(path) as restorer:
        expected = restorer(frame)[..., order]
        turned = frame[..., order]
        np.testing.assert_array_equal(restorer(turned, channel_order="bgr"), expected)
        if colour == "luma":
            assert (restorer(turned) != expected).any()
        out = np.zeros_like(expected)
        assert restorer(turned, out=out, channel_order="bgr") is out
        np.testing.assert_array_equal(out, expected)
        (streamed,) = restorer.stream([turned], channel_order="bgr")
        np.testing.assert_array_equal(streamed, expected)
        grey = restorer(frame[..., 0])
        np.testing.assert_array_equal(restorer(frame[..., 0], channel_order="bgr"), grey)


def test_other_channel_orders_are_refused(make_model: MakeModel) -> None:
    frame = np.zeros((4, 5, 3), np.uint8)
    order: Any = "RGB"
    with restore_rt.load(make_model(nearest(3, 2), scale=2)) as restorer:
        with pytest.raises(InputError, match="channel_order is 'RGB'; allowed are 'rgb' and"):
            restorer(frame, channel_order=order)
        with pytest.raises(InputError, match="channel_order is 'RGB'"):
            restorer.stream_into([(0, None, frame)], channel_order=order)


def test_rgb_model_on_grey(make_model: MakeModel, rng: np.random.Generator) -> None:
    frame = random_frame(rng, (20, 30), np.uint8)
    with restore_rt.load(make_model(nearest(3, 2), scale=2)) as restorer:
        np.testing.assert_array_equal(restorer(frame), enlarged(frame, 2))
        column = frame[..., None]
        np.testing.assert_array_equal(restorer(column), enlarged(column, 2))
        with pytest.raises(InputError, match="RGB"):
            restorer(Planes(frame))


def test_colour_under_transparent_pixels_does_not_fringe(make_model: MakeModel) -> None:
    frame = np.zeros((32, 32, 4), np.uint8)
    frame[:, :16] = (200, 100, 50, 255)
    frame[:, 16:] = (0, 255, 0, 0)
    path = make_model(
        [np.kron(np.eye(3), np.full((1, 1), 1 / 9))[..., None, None] * np.ones((3, 3))]
    )
    with restore_rt.load(path) as restorer:
        result = restorer(frame)
    assert tuple(result[16, 15, :3]) == (200, 100, 50)
    assert 0 < result[16, 15, 3] < 255


def test_arbitrary_values_under_transparent_pixels_do_no_harm(make_model: MakeModel) -> None:
    frame = np.ones((16, 16, 4), np.float32)
    frame[:4, :4] = (np.nan, np.inf, -np.inf, 0)
    with restore_rt.load(make_model(nearest(3, 2), scale=2)) as restorer:
        result = restorer(frame)
    np.testing.assert_array_equal(result[..., :3], np.ones((32, 32, 3)))


@pytest.mark.parametrize("size", [(1, 48, 48), ("n", 48, 48), (1, "h", 48), ("n", "s", "s")])
def test_networks_of_fixed_size(
    make_model: MakeModel, rng: np.random.Generator, size: tuple[int | str, ...]
) -> None:
    path = make_model(nearest(3, 2), scale=2, size=size)
    with restore_rt.load(path) as restorer:
        for height, width in [(48, 48), (20, 30), (100, 130), (1, 1)]:
            frame = random_frame(rng, (height, width, 3), np.uint8)
            np.testing.assert_array_equal(restorer(frame), enlarged(frame, 2))
    if size[1] == 48:
        with pytest.raises(InputError, match="48x48 alone"):
            restore_rt.load(path, tile=32, backend="onnxruntime")
    if size[0] == 1:
        with pytest.raises(InputError, match="batches of 1 alone"):
            restore_rt.load(path, batch=2, backend="onnxruntime")
    with pytest.raises(ModelError, match="at least"):
        restore_rt.load(make_model(shift(4), size=(1, 8, 8)), backend="onnxruntime")


def test_several_threads(make_model: MakeModel, rng: np.random.Generator) -> None:
    frames = [random_frame(rng, (40 + i, 60 - i, 3), np.uint8) for i in range(12)]
    with (
        restore_rt.load(make_model(nearest(3, 2), scale=2), tile=32) as restorer,
        ThreadPoolExecutor(6) as pool,
    ):
        for frame, result in zip(frames, pool.map(restorer, frames), strict=True):
            np.testing.assert_array_equal(result, enlarged(frame, 2))


def test_not_a_number_is_never_delivered(make_model: MakeModel) -> None:
    path = make_model([np.full((1, 1, 1, 1), np.nan)])
    with restore_rt.load(path) as restorer:
        with pytest.raises(NonFiniteError, match="NaN"):
            restorer(np.zeros((5, 5), np.uint8))
        with pytest.raises(InputError, match="frame holds NaN"):
            restorer(np.full((5, 5), np.nan, np.float32))


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (np.zeros((4, 4), np.float64), "float64"),
        (np.zeros((4, 4), bool), "bool"),
        (np.zeros((0, 4), np.uint8), r"\(0, 4\)"),
        (np.zeros((4, 4, 5), np.uint8), r"\(4, 4, 5\)"),
        (np.zeros(4, np.uint8), r"\(4,\)"),
        ("frame.png", "str"),
        (None, "NoneType"),
    ],
)
def test_frames_that_are_refused(make_model: MakeModel, frame: Any, message: str) -> None:
    with (
        restore_rt.load(make_model(nearest(1, 1))) as restorer,
        pytest.raises(InputError, match=message),
    ):
        restorer(frame)


def test_what_is_no_model_is_refused() -> None:
    with pytest.raises(InputError, match="model is None; give a shipped model's name, or a file"):
        restore_rt.load(None)  # type: ignore[arg-type]


def test_outputs_that_are_refused(make_model: MakeModel) -> None:
    frame = np.zeros((8, 8), np.uint8)
    read_only = np.zeros((8, 8), np.uint8)
    read_only.flags.writeable = False
    with restore_rt.load(make_model(nearest(1, 1))) as restorer:
        for out, message in (
            (np.zeros((8, 9), np.uint8), r"\(8, 9\)"),
            (np.zeros((8, 8), np.uint16), "uint16"),
            (read_only, "read-only"),
            (frame, "shares memory"),
            ([[0]], "list"),
        ):
            with pytest.raises(InputError, match=message):
                restorer(frame, out=out)
        with pytest.raises(InputError, match="Planes"):
            restorer(Planes(frame), out=frame)
        planes = Planes(frame, frame[:4, :4].copy(), frame[:4, :4].copy())
        assert planes.cb is not None
        for out_planes in (planes, Planes(frame.copy(), planes.cb, planes.cb.copy())):
            with pytest.raises(InputError, match="shares memory"):
                restorer(planes, out=out_planes)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "abacus"}, "abacus"),
        ({"tile": 0}, "tile is 0"),
        ({"tile": (64, 64, 64)}, "tile is"),
        ({"tile": (64,)}, r"tile is \(64,\)"),
        ({"backend": "native", "batch": 2}, "takes whole frames"),
        ({"tile": 8, "overlap": 16}, "at least"),
        ({"overlap": 3, "feather": 8}, "overlap is 3"),
        ({"feather": -1}, "feather"),
        ({"batch": 0}, "batch is 0"),
        ({"batch": 1.5}, "batch is 1.5"),
        ({"tile": "64"}, "tile is '64'"),
        ({"tile": 64.0}, "tile is 64.0"),
        ({"threads": 1.5}, "threads is 1.5"),
        ({"threads": 0}, "threads is 0"),
    ],
)
def test_options_that_are_refused(
    make_model: MakeModel, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        restore_rt.load(make_model(nearest(1, 1)), **options)


@pytest.mark.parametrize("backend", ["onnxruntime", "tensorrt"])
def test_backend_that_cannot_run_is_an_error(
    make_model: MakeModel, backend: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("restore_rt.gpu_opening.missing_pieces", lambda device=0: ["no driver"])
    with pytest.raises(BackendError, match=f"'{backend}'.*device='cpu'"):
        restore_rt.load(make_model(nearest(1, 1)), device="cuda", backend=backend)


def test_closed(make_model: MakeModel) -> None:
    restorer = restore_rt.load(make_model(nearest(1, 1)))
    restorer.warmup((16, 16))
    assert restorer.stages.seconds == {}
    restorer.close()
    restorer.close()
    with pytest.raises(RestoreError, match="closed"):
        restorer(np.zeros((4, 4), np.uint8))
