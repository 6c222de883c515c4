"""Whole models on a GPU: against the CPU, with frames of other libraries, and for a long time."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import restore_rt
from restore_rt import Planes, Restorer
from restore_rt.errors import InputError, NonFiniteError
from restore_rt.gpu import DeviceFrame, DevicePlanes, open_device
from restore_rt.gpu_opening import missing_for
from tests.gpu.other_libraries import LIBRARIES, WAYS, Library, open_library
from tests.networks import nearest, save_model
from tests.pixels import enlarged, random_frame
from tests.shipped import restoring

pytestmark = pytest.mark.gpu

Array = NDArray[Any]
Backend = Literal["onnxruntime", "tensorrt"]

MODELS = [manifest.name for manifest in restoring()]
LUMA_MODELS = [manifest.name for manifest in restoring() if manifest.colour == "luma"]
BACKENDS: tuple[Backend, ...] = ("onnxruntime", "tensorrt")
# Several tiles along an axis with every model, and frames smaller than one.
TILE = 256
SHAPES = [(1, 1), (2, 3), (37, 53, 1), (53, 38, 2), (97, 131, 3), (259, 97, 4), (301, 471, 3)]
# What a GPU's picture may be away from the CPU's, as a part of white; halves round to either side.
NEAR = 1 / 255 + 1e-6
# What is to leak nothing: so often each size, so many frames of it at a time. Sessions and graphs
# are made anew whenever the size changes, which takes most of the time.
LEAK_ROUNDS, LEAK_RUN, LEAK_SHAPES = 10, 17, [(9, 31, 3), (32, 60, 3), (47, 8, 3)]


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Backend:
    """Return each backend; TensorRT where it is installed."""
    return installed(request.param)


def installed(backend: Backend) -> Backend:
    missing = missing_for(backend) if backend == "tensorrt" else []
    if missing:
        pytest.skip("; ".join(missing))
    return backend


@pytest.fixture
def doubling(tmp_path: Path, backend: Backend) -> Iterator[Restorer]:
    """Return a network that repeats each pixel of RGB: its result is exact on any device."""
    path = save_model(tmp_path / "doubling.onnx", nearest(3, 2), scale=2)
    with restore_rt.load(path, device="cuda", backend=backend, tile=32, batch=2) as restorer:
        yield restorer


@lru_cache
def on_cpu(model: str) -> Restorer:
    return restore_rt.load(model, device="cpu", tile=TILE)


# As many as there are pictures for one model, so that the second backend finds them.
@lru_cache(maxsize=128)
def picture_on_cpu(model: str, path: Path) -> Array:
    result: Array = on_cpu(model)(picture(path))
    return result


def picture(path: Path) -> Array:
    with Image.open(path) as file:
        return np.asarray(file.convert("RGB"))[:TILE, : TILE + TILE // 2]


def departure(result: Array, expected: Array) -> float:
    """Return the largest difference, as a part of white."""
    assert result.shape == expected.shape
    assert result.dtype == expected.dtype
    white = 1.0 if expected.dtype == np.float32 else float(np.iinfo(expected.dtype).max)
    return float(np.abs(result.astype(np.float64) - expected).max() / white)


@pytest.mark.parametrize(("model", "backend"), [*itertools.product(MODELS, BACKENDS)])
def test_every_picture_is_the_cpus_to_one_in_255(
    data_dir: Path, model: str, backend: Backend
) -> None:
    pictures = [p for p in sorted(data_dir.glob("test/**/*")) if p.suffix in (".png", ".jpg")]
    assert pictures
    with restore_rt.load(
        model, device="cuda", backend=installed(backend), precision="fp32", tile=TILE
    ) as restorer:
        assert restorer.backend == backend
        far = {
            path.name: away
            for path in pictures
            if (away := departure(restorer(picture(path)), picture_on_cpu(model, path))) > NEAR
        }
    assert not far


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("model", MODELS)
def test_every_shape_is_the_cpus_to_one_in_255(model: str, backend: Backend, dtype: Any) -> None:
    rng = np.random.default_rng(1)
    with restore_rt.load(
        model, device="cuda", backend=backend, precision="fp32", tile=TILE
    ) as restorer:
        for shape in SHAPES:
            frame = np.clip(random_frame(rng, shape, dtype), 0, None)
            kept = frame.copy()
            assert departure(restorer(frame), on_cpu(model)(frame)) <= NEAR, shape
            np.testing.assert_array_equal(frame, kept)


@pytest.mark.parametrize("model", MODELS)
def test_fp16_is_near_the_cpus_fp32(model: str, backend: Backend) -> None:
    y, x = np.mgrid[0:301, 0:471]
    waves = np.stack([np.sin(x * y / k) for k in (900, 1700, 4000)], axis=-1)
    frame = np.rint(waves * 100 + 128).astype(np.uint8)
    with restore_rt.load(
        model, device="cuda", backend=backend, precision="fp16", tile=TILE
    ) as restorer:
        error = restorer(frame).astype(np.float64) - on_cpu(model)(frame)
        assert restorer.reruns == 0
    # 45 dB.
    assert np.mean(np.square(error)) <= 255**2 * 10**-4.5


@pytest.mark.parametrize("model", LUMA_MODELS)
@pytest.mark.parametrize(("depth", "dtype"), [(8, np.uint8), (10, np.uint16)])
@pytest.mark.parametrize("chroma", [(19, 26), (37, 26), (37, 51), None])
def test_planes_are_the_cpus(
    model: str, backend: Backend, depth: int, dtype: Any, chroma: tuple[int, int] | None
) -> None:
    rng = np.random.default_rng(2)
    peak = 2**depth - 1
    y = rng.integers(0, peak, (37, 51), dtype, endpoint=True)
    cb, cr = (None if chroma is None else rng.integers(0, peak, chroma, dtype) for _ in range(2))
    planes = Planes(y, cb, cr, bit_depth=depth)
    expected = on_cpu(model)(planes)
    with restore_rt.load(model, device="cuda", backend=backend, precision="fp32") as restorer:
        result = restorer(planes)
    assert np.abs(result.y.astype(int) - expected.y).max() <= peak * NEAR
    assert result.bit_depth == depth
    for mine, other in ((result.cb, expected.cb), (result.cr, expected.cr)):
        assert (mine is None) == (other is None)
        if mine is not None:
            np.testing.assert_array_equal(mine, other)


@pytest.fixture(params=LIBRARIES)
def library(request: pytest.FixtureRequest) -> Library:
    """Return each library that has frames on the GPU, where it is installed."""
    return open_library(request.param)


@pytest.mark.parametrize("way", WAYS)
def test_frames_of_other_libraries_come_and_go_without_the_host(
    doubling: Restorer, library: Library, way: Any
) -> None:
    frame = random_frame(np.random.default_rng(3), (75, 53, 3), np.uint8)
    for step in (1, 2):
        source = library.put(frame)[::step, 1:]
        expected = enlarged(frame[::step, 1:], 2)
        result: Any = doubling(way(source))
        np.testing.assert_array_equal(result.to_host(), expected)
        np.testing.assert_array_equal(library.take(way(result)), expected)
        out = library.put(np.zeros_like(expected))
        doubling(way(source), out=way(out))
        np.testing.assert_array_equal(library.host(out), expected)


@pytest.mark.parametrize("way", WAYS)
def test_a_frame_that_is_still_being_made_is_waited_for(
    doubling: Restorer, library: Library, way: Any
) -> None:
    if not library.tells_stream(way):
        pytest.skip(f"{library.name} does not tell its stream by {way.__name__}")
    frame = random_frame(np.random.default_rng(4), (64, 64, 3), np.uint8)
    doubling(frame)
    with library.busy_stream():
        late = library.put_late(frame)
        result: Any = doubling(way(late))
    np.testing.assert_array_equal(result.to_host(), enlarged(frame, 2))


@pytest.mark.parametrize(("kind", "depth"), [("nv12", 8), ("p010", 10)])
def test_planes_of_decoders_stay_on_the_device(library: Library, kind: str, depth: int) -> None:
    rng = np.random.default_rng(9)
    dtype, shift = (np.uint8, 0) if depth == 8 else (np.uint16, 6)
    y = rng.integers(0, 2**depth, (38, 52), dtype)
    uv = rng.integers(0, 2**depth, (19, 26, 2), dtype)
    expected = on_cpu("video-x2")(Planes(y, uv[..., 0], uv[..., 1], bit_depth=depth))
    planes = getattr(DevicePlanes, kind)(library.put(y << shift), library.put(uv << shift))
    with restore_rt.load(
        "video-x2", device="cuda", backend="onnxruntime", precision="fp32"
    ) as restorer:
        result: Any = restorer(planes)
        luma, chroma = (DeviceFrame.of(a).to_host() >> shift for a in (result.y, result.uv))
    assert np.abs(luma.astype(int) - expected.y).max() <= (2**depth - 1) * NEAR
    np.testing.assert_array_equal(chroma[..., 0], expected.cb)
    np.testing.assert_array_equal(chroma[..., 1], expected.cr)


def test_a_stream_keeps_its_order_whatever_the_sizes(doubling: Restorer) -> None:
    rng, sizes = np.random.default_rng(5), random.Random(5)
    frames = [
        random_frame(rng, (sizes.choice((20, 33, 70)), sizes.choice((24, 65)), 3), np.uint8)
        for _ in range(150)
    ]
    for frame, result in zip(frames, doubling.stream(iter(frames)), strict=True):
        np.testing.assert_array_equal(result, enlarged(frame, 2))


def test_threads_share_a_restorer(doubling: Restorer) -> None:
    rng = np.random.default_rng(6)
    frames = [random_frame(rng, (40 + k % 5, 60 - k % 3, 3), np.uint8) for k in range(60)]
    with ThreadPoolExecutor(6) as pool:
        for frame, result in zip(frames, pool.map(doubling, frames), strict=True):
            np.testing.assert_array_equal(result, enlarged(frame, 2))


def test_five_hundred_frames_of_three_sizes_leak_nothing(doubling: Restorer) -> None:
    rng = np.random.default_rng(7)
    frames = [random_frame(rng, shape, np.uint8) for shape in LEAK_SHAPES]
    expected = [enlarged(frame, 2) for frame in frames]

    def run(rounds: int) -> tuple[int, int]:
        # Runs of one size are the rule, and let graphs be recorded.
        order = [index for index in range(len(frames)) for _ in range(LEAK_RUN)] * rounds
        results = doubling.stream(frames[index] for index in order)
        for index, result in zip(order, results, strict=True):
            np.testing.assert_array_equal(result, expected[index])
        return free_device_memory(), resident_host_memory()

    free, resident = run(2)
    free_then, resident_then = run(LEAK_ROUNDS)
    # Not a byte for each frame, let alone a frame: the driver takes memory by 2 MiB.
    assert free - free_then <= 4 << 20
    # What is left of Python's and of the libraries' own housekeeping.
    assert resident_then - resident <= 64 << 20


def free_device_memory() -> int:
    device = open_device()
    with device.active():
        free: int = device.library.mem_get_info()[0]
    return free


def resident_host_memory() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096


def test_what_fp16_cannot_hold_is_run_again_in_fp32(tmp_path: Path, backend: Backend) -> None:
    # White becomes 2**18 on its way, of which fp16 has the fourth part at most.
    up, down = (np.full((1, 1, 1, 1), factor) for factor in (512.0, 1 / 512))
    path = save_model(tmp_path / "large.onnx", [up, up, down, down])
    dark, bright = (np.full((40, 50), level, np.uint8) for level in (1, 255))
    with restore_rt.load(path, device="cuda", backend=backend, precision="fp16") as restorer:
        np.testing.assert_array_equal(restorer(dark), dark)
        with pytest.warns(RuntimeWarning, match="again in fp32"):
            np.testing.assert_array_equal(restorer(bright), bright)
        np.testing.assert_array_equal(restorer(dark), dark)
        frames = [dark, bright, dark]
        for frame, result in zip(frames, restorer.stream(iter(frames)), strict=True):
            np.testing.assert_array_equal(result, frame)
        assert restorer.reruns == 2


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_never_delivered(doubling: Restorer, value: float) -> None:
    frame = np.zeros((40, 50, 3), np.float32)
    frame[20, 20] = value
    with pytest.raises(InputError, match="frame holds NaN"):
        doubling(frame)
    np.testing.assert_array_equal(doubling(np.ones_like(frame))[0, 0], [1, 1, 1])


def test_what_is_not_finite_is_never_delivered_on_the_device(
    doubling: Restorer, library: Library
) -> None:
    frame = np.full((40, 50, 3), np.nan, np.float32)
    with pytest.raises(NonFiniteError, match="nothing was delivered"):
        doubling(library.put(frame))
