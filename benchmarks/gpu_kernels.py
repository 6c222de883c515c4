"""The kernels on a GPU, next to copies of as many bytes, and what launches cost."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np
from gpu_timing import Bench, spread, timed
from numpy.typing import NDArray

from restore_rt import _ext
from restore_rt.gpu import (
    DeviceArray,
    copy_async,
    download_async,
    kernels,
    pinned_empty,
    upload_async,
)
from restore_rt.model import registry as zoo
from restore_rt.threads import available_threads
from restore_rt.tiled.sizes import TileSizes

__all__ = ["FRAME_SIZES", "measure_copies", "measure_kernels", "measure_launches", "tile_sizes"]

FRAME_SIZES = {"1080p": (1080, 1920), "1440p": (1440, 2560), "2160p": (2160, 3840)}
# Whose tiles a frame of so many channels is cut into.
_MODELS = {1: "video-x2", 3: "photo-x2"}
_COPY_BYTES = 1 << 28
_PINNED_BYTES = 1 << 26
_CALLS = 200

Figures = dict[str, Any]


def tile_sizes(name: str) -> TileSizes:
    """Return how a shipped model's frames are cut if nobody says otherwise."""
    manifest = next(m for m in zoo.models() if m.name == name)
    return TileSizes.of(manifest, tile=None, overlap=None, feather=None, batch=1)


def measure_copies(
    bench: Bench, *, size: int = _COPY_BYTES, pinned: int = _PINNED_BYTES
) -> Figures:
    """Return bandwidths in GB/s; on the GPU, bytes are counted as read and as written."""
    other = bench.device.stream()
    with bench.device.active():
        up, down = (pinned_empty((pinned,), np.uint8) for _ in range(2))
        up[...] = 1
        source, target = (bench.pool.empty((pinned,), np.uint8) for _ in range(2))

    def both() -> None:
        # Events of one stream do not see the other's end.
        upload_async(source, up, bench.stream)
        download_async(down, target, other)
        bench.stream.synchronize()
        other.synchronize()

    works: dict[str, tuple[int, Callable[[], object]]] = {
        "pinned_host_to_device": (pinned, lambda: upload_async(source, up, bench.stream)),
        "pinned_device_to_host": (pinned, lambda: download_async(down, source, bench.stream)),
    }
    figures: Figures = {"device_to_device": spread(_copy_rates(bench, size))}
    for name, (count, work) in works.items():
        bench.seconds(work)
        times = [bench.seconds(work) for _ in range(bench.rounds)]
        figures[name] = spread([count / time / 1e9 for time in times])
    np.testing.assert_array_equal(up, down)
    copy_async(target, source, bench.stream)
    bench.stream.synchronize()
    both()
    times = [timed(both) for _ in range(bench.rounds)]
    figures["pinned_both_at_once_sum"] = spread([2 * pinned / time / 1e9 for time in times])
    return figures


def _copy_rates(bench: Bench, size: int) -> list[float]:
    """Return GB/s of copies that read and write so many bytes together."""
    half = max(size // 2, 1)
    pairs = [
        [bench.pool.empty((half,), np.uint8) for _ in range(2)] for _ in range(bench.sets(2 * half))
    ]
    times = bench.each([_bound(copy_async, *pair, bench.stream) for pair in pairs])
    return [2 * half / time / 1e9 for time in times]


def measure_kernels(bench: Bench, sizes: dict[str, tuple[int, int]] = FRAME_SIZES) -> list[Figures]:
    """Return GB/s of split, merge and upsample, and their share of what copies reach.

    Bytes are counted once: those of the frame, and those of tiles that a result depends on.
    """
    large = spread(_copy_rates(bench, _COPY_BYTES))["median"]

    @cache
    def copied(size: int) -> float:
        return spread(_copy_rates(bench, size))["median"]

    found = []
    for case, count, steps in _cases(bench, sizes):
        rates = [count / time / 1e9 for time in bench.each(steps)]
        figures = {**case, "bytes": count, "gb_per_s": spread(rates)}
        median = figures["gb_per_s"]["median"]
        figures["microseconds"] = round(count / median / 1e3, 3)
        figures["share_of_copy_of_as_many_bytes"] = round(median / copied(count), 3)
        figures["share_of_large_copy"] = round(median / large, 3)
        found.append(figures)
        del steps
        bench.pool.trim()
    return found


_Case = tuple[Figures, int, list[Callable[[], object]]]


def _cases(bench: Bench, sizes: dict[str, tuple[int, int]]) -> Iterator[_Case]:
    """Give each kernel's cases, verified: description, bytes of a step, and a step for each set."""
    for name, (height, width) in sizes.items():
        for channels in (1, 3):
            for real in (np.float16, np.float32):
                case = {
                    "frame": name,
                    "samples": "uint8 luma" if channels == 1 else "uint8 RGB",
                    "tiles": np.dtype(real).name,
                }
                shape = (height, width) if channels == 1 else (height, width, channels)
                yield {"kernel": "split", **case}, *_split(bench, shape, channels, real)
                yield {"kernel": "merge", **case}, *_merge(bench, shape, channels, real)
        for pair in (False, True):
            samples = "uint8 CbCr" if pair else "uint8 plane"
            described = {"kernel": "upsample", "frame": name, "samples": samples}
            yield described, *_upsample(bench, height // 2, width // 2, pair)


def _split(
    bench: Bench, shape: tuple[int, ...], channels: int, real: type
) -> tuple[int, list[Callable[[], object]]]:
    grid = tile_sizes(_MODELS[channels]).grid(shape[0], shape[1], 1)
    frame = _random(shape)
    tiles: NDArray[Any] = np.empty((grid.count, channels, *grid.tile), real)
    count = frame.nbytes + tiles.nbytes
    _ext.split_into(tiles, frame, grid, threads=available_threads())
    frames, results = _rotated(bench, frame, tiles.shape, real, count)
    stream = bench.stream.handle
    split = kernels().split_into
    steps = [
        _bound(split, result, source, grid, stream=stream)
        for source, result in zip(frames, results, strict=True)
    ]
    steps[-1]()
    np.testing.assert_array_equal(bench.download(results[-1]), tiles)
    return count, steps


def _merge(
    bench: Bench, shape: tuple[int, ...], channels: int, real: type
) -> tuple[int, list[Callable[[], object]]]:
    scale = 2
    grid = tile_sizes(_MODELS[channels]).grid(shape[0] // scale, shape[1] // scale, scale)
    levels = _random((grid.count, channels, *(scale * side for side in grid.tile)))
    tiles: NDArray[Any] = (levels / 255).astype(real)
    frame = np.empty(shape, np.uint8)
    # A pixel comes from one tile, in a ramp from two along an axis.
    read = [
        scale * (side + (tiled - 1) * grid.feather)
        for side, tiled in zip((grid.height, grid.width), (grid.rows, grid.cols), strict=True)
    ]
    count = frame.nbytes + math.prod(read) * channels * tiles.itemsize
    _ext.merge_into(frame, tiles, grid, threads=available_threads())
    sources, results = _rotated(bench, tiles, shape, np.uint8, tiles.nbytes + frame.nbytes)
    flag = bench.upload(np.zeros(1, np.uint32))
    stream = bench.stream.handle
    merge = kernels().merge_into
    steps = [
        _bound(merge, result, source, grid, flag=flag, stream=stream)
        for source, result in zip(sources, results, strict=True)
    ]
    steps[-1]()
    np.testing.assert_array_equal(bench.download(results[-1]), frame)
    return count, steps


def _upsample(
    bench: Bench, height: int, width: int, pair: bool
) -> tuple[int, list[Callable[[], object]]]:
    last = (2,) if pair else ()
    source = _random((height, width, *last))
    expected = np.empty((2 * height, 2 * width, *last), np.uint8)
    for index in (0, 1) if pair else (slice(None),):
        plane = np.empty(expected.shape[:2], np.uint8)
        _ext.upsample_plane_into(
            plane, np.ascontiguousarray(source[..., index]), scale=2, phase=(0.5, 0.25)
        )
        expected[..., index] = plane
    count = source.nbytes + expected.nbytes
    sources, results = _rotated(bench, source, expected.shape, np.uint8, count)
    stream = bench.stream.handle
    upsample = kernels().upsample_into
    steps = [
        _bound(upsample, result, given, scale=2, phase=(0.5, 0.25), stream=stream)
        for given, result in zip(sources, results, strict=True)
    ]
    steps[-1]()
    np.testing.assert_array_equal(bench.download(results[-1]), expected)
    return count, steps


def measure_launches(bench: Bench) -> Figures:
    """Return what a call costs, of a kernel that has next to nothing to do, in microseconds."""
    grid = _ext.TileGrid(8, 8, 8, overlap=0, halo=0)
    frame, tiles = bench.upload(_random((8, 8))), bench.pool.empty((1, 1, 8, 8), np.float32)
    handle = bench.stream.handle
    step = _bound(kernels().split_into, tiles, frame, grid, stream=handle)

    def calls() -> None:
        for _ in range(_CALLS):
            step()

    with bench.device.active():
        calls()
        bench.stream.synchronize()
        graph = kernels().Graph.capture(handle, calls)
        graph.launch(handle)
        bench.stream.synchronize()
        alone, at_once = [], []
        for _ in range(bench.rounds):
            alone.append(timed(calls) / _CALLS)
            bench.stream.synchronize()
            at_once.append(timed(lambda: graph.launch(handle)) / _CALLS)
            bench.stream.synchronize()
    on_device = {
        "device_per_kernel": [bench.seconds(calls) / _CALLS for _ in range(bench.rounds)],
        "device_per_kernel_in_graph": [
            bench.seconds(lambda: graph.launch(handle)) / _CALLS for _ in range(bench.rounds)
        ],
    }
    named = {"host_per_kernel": alone, "host_per_kernel_in_graph": at_once, **on_device}
    return {
        "kernels_in_graph": _CALLS,
        "microseconds": {name: spread([t * 1e6 for t in times]) for name, times in named.items()},
    }


def _rotated(
    bench: Bench, source: NDArray[Any], shape: tuple[int, ...], dtype: Any, size: int
) -> tuple[list[DeviceArray], list[DeviceArray]]:
    """Return sources, all alike, and empty results, so many that caches do not hold them."""
    first = bench.upload(source)
    count = bench.sets(size)
    sources = [first, *(bench.pool.empty(source.shape, source.dtype) for _ in range(count - 1))]
    for other in sources[1:]:
        copy_async(other, first, bench.stream)
    bench.stream.synchronize()
    return sources, [bench.pool.empty(shape, dtype) for _ in range(count)]


def _random(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 255, shape, np.uint8, endpoint=True)


def _bound(work: Callable[..., object], *arguments: Any, **named: Any) -> Callable[[], object]:
    return lambda: work(*arguments, **named)
