"""A GPU: bandwidths of copies and kernels, and frames from host to host beside the network alone.

Every kernel is compared with the CPU's before it is timed, and every frame as `restore-rt bench`
does. Bytes are counted once, buffers take turns so that no cache holds them, and the GPU's events
measure kernels. Writes a file named for the GPU. The exit status is 1 if a bar is missed.
"""

from __future__ import annotations

import functools
import itertools
import math
import re
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from harness import milliseconds, options, write
from numpy.typing import NDArray

import restore_rt
from restore_rt import Restorer, _ext, bench
from restore_rt.errors import BackendError
from restore_rt.gpu import (
    DeviceArray,
    Pool,
    Stream,
    copy_async,
    download_async,
    kernels,
    open_device,
    pinned_empty,
    require_gpu,
    upload_async,
)
from restore_rt.gpu_opening import missing_for
from restore_rt.threads import available_threads
from restore_rt.tiled.sizes import TileSizes

SIZES = {"1080p": (1080, 1920), "2160p": (2160, 3840)}
# The model in whose tiles a frame of so many channels is cut.
MODELS = {1: "video-x2", 3: "photo-x2"}
# Bytes of the buffers that take turns: several times the cache of the largest GPUs.
ROTATED, PINNED = 1 << 29, 1 << 26
# Work is recorded in graphs of at least so many steps, which share the time of a launch.
LEAST_STEPS, TURNS = 8, 12
LEAST_KERNEL_SHARE, MOST_OVER_COPIES, LEAST_OF_NETWORK = 0.7, 1.5, 0.9

Array = NDArray[Any]
Figures = dict[str, Any]


class Kernel(NamedTuple):
    """A kernel's arguments, its result, the least bytes that it moves, and the call."""

    name: str
    source: Array
    expected: Array
    bytes: int
    run: Callable[[DeviceArray, DeviceArray, int], object]


class Clock:
    """A GPU with a stream and a pool; times are those between its events."""

    def __init__(self, runs: int, rotated: int = ROTATED) -> None:
        self.device, self.runs, self.rotated = open_device(), runs, rotated
        self.stream: Stream = self.device.stream()
        self.pool = Pool(self.device, stream=self.stream)
        self._begin, self._end = (self.device.event(timed=True) for _ in range(2))

    def seconds(self, work: Callable[[], object]) -> float:
        """Return the GPU's time for the work that a call queues."""
        with self.device.active():
            self._begin.record(self.stream)
            work()
            self._end.record(self.stream)
            self._end.synchronize()
        return self._end.seconds_since(self._begin)

    def each(self, steps: Sequence[Callable[[], object]]) -> list[float]:
        """Return the mean time of a step in a graph of all steps, for each run."""
        repeated = list(steps) * math.ceil(LEAST_STEPS / len(steps))

        def work() -> None:
            for step in repeated:
                step()

        with self.device.active():
            work()
            self.stream.synchronize()
            graph = kernels().Graph.capture(self.stream.handle, work)
            for _ in range(2):
                graph.launch(self.stream.handle)
            launch = functools.partial(graph.launch, self.stream.handle)
            return [self.seconds(launch) / len(repeated) for _ in range(self.runs)]

    def pinned(self, array: Array) -> Array:
        """Return a copy in page-locked memory."""
        made = pinned_empty(array.shape, array.dtype, device=self.device)
        made[...] = array
        return made

    def pairs(self, source: Array, like: Array) -> list[tuple[DeviceArray, DeviceArray]]:
        """Return pairs of the source and memory for the result, more than caches hold."""
        count = max(2, math.ceil(self.rotated / (source.nbytes + like.nbytes)))
        with self.device.active():
            first = self.pool.empty(source.shape, source.dtype)
            upload_async(first, self.pinned(source), self.stream)
            sources = [first]
            for _ in range(count - 1):
                sources.append(self.pool.empty(source.shape, source.dtype))
                copy_async(sources[-1], first, self.stream)
            self.stream.synchronize()
            return [(self.pool.empty(like.shape, like.dtype), each) for each in sources]

    def download(self, array: DeviceArray) -> Array:
        """Return a copy on the host of the result of everything that was queued."""
        with self.device.active():
            staged = pinned_empty(array.shape, array.dtype)
            download_async(staged, array, self.stream)
            self.stream.synchronize()
        return staged.copy()


def main() -> None:
    """Measure and write ``<gpu>.json``."""
    names = [manifest.name for manifest in restore_rt.models()]
    parser = options(__doc__, runs=20)
    parser.add_argument("--models", nargs="*", choices=names, default=["video-x2", "photo-x2"])
    parser.add_argument("--seconds", type=float, default=2.0, help="of frames for each figure")
    parser.add_argument("--passed", nargs="*", default=[], help="checks that went before")
    chosen = parser.parse_args()
    try:
        require_gpu()
    except BackendError as error:
        raise SystemExit(str(error)) from error
    clock = Clock(chosen.runs)
    measured: Figures = {
        "what": " ".join((__doc__ or "").split("\n\n", 1)[1].split()),
        "passed_before": chosen.passed,
        "pinned_copies_gb_per_s": measure_copies(clock),
        "kernels": measure_kernels(clock),
        "frames": measure_frames(clock, chosen.models, chosen.seconds),
    }
    measured["bars"] = [*kernel_bars(measured["kernels"]), *frame_bars(measured["frames"])]
    slug = re.sub(r"[^a-z0-9]+", "-", clock.device.name.lower()).strip("-")
    write(slug, measured, alone=True)
    for bar in measured["bars"]:
        print(f"{'met' if bar['met'] else 'missed'}: {bar['bar']}: {bar['measured']}")
    if not all(bar["met"] for bar in measured["bars"]):
        raise SystemExit(1)


def measure_copies(clock: Clock, size: int = PINNED) -> Figures:
    """Return the rates of copies between page-locked memory and the GPU."""
    with clock.device.active():
        up, down = (clock.pinned(np.full(size, fill, np.uint8)) for fill in (1, 0))
        there = clock.pool.empty((size,), np.uint8)
    works = {
        "host_to_device": lambda: upload_async(there, up, clock.stream),
        "device_to_host": lambda: download_async(down, there, clock.stream),
    }
    found = {}
    for name, work in works.items():
        clock.seconds(work)
        times = [clock.seconds(work) for _ in range(clock.runs)]
        found[name] = round(size / statistics.median(times) / 1e9, 2)
    np.testing.assert_array_equal(up, down)
    return found


def measure_kernels(clock: Clock, sizes: dict[str, tuple[int, int]] = SIZES) -> list[Figures]:
    """Return the rates of split, merge and upsample beside those of copies of as many bytes."""
    found, (flag, _) = [], clock.pairs(np.zeros(1, np.uint32), np.zeros(1, np.uint32))[0]
    for kernel in itertools.chain.from_iterable(cases(flag, *size) for size in sizes.values()):
        handle, pairs = clock.stream.handle, clock.pairs(kernel.source, kernel.expected)
        steps = [functools.partial(kernel.run, *pair, handle) for pair in pairs]
        with clock.device.active():
            steps[-1]()
        np.testing.assert_array_equal(clock.download(pairs[-1][0]), kernel.expected)
        times = clock.each(steps)
        half = np.empty(kernel.bytes // 2, np.uint8)
        blocks = clock.pairs(half, half)
        copies = clock.each([functools.partial(copy_async, *p, clock.stream) for p in blocks])
        ratio = statistics.median(copies) / statistics.median(times)
        rate = float(f"{kernel.bytes / statistics.median(times) / 1e9:.4g}")
        figures = {"kernel": kernel.name, "bytes": kernel.bytes, "gb_per_s": rate}
        found.append({**figures, "ms": milliseconds(times), "share_of_copy": float(f"{ratio:.3g}")})
        print(found[-1], flush=True)
        del pairs, steps, blocks
        clock.pool.trim()
    return found


def cases(flag: DeviceArray, height: int, width: int) -> Iterator[Kernel]:
    """Give the kernels for a frame, with the CPU's results; merge raises `flag` for NaN."""
    random, threads = np.random.default_rng(0), available_threads()
    for channels, real in itertools.product(MODELS, (np.float16, np.float32)):
        manifest = next(m for m in restore_rt.models() if m.name == MODELS[channels])
        sizes = TileSizes.of(manifest, tile=None, overlap=None, feather=None, batch=1)
        shape = (height, width) if channels == 1 else (height, width, channels)
        what = f"{width}x{height} uint8, {channels} channels, {np.dtype(real).name} tiles"
        frame = random.integers(0, 256, shape, np.uint8)
        grid = sizes.grid(height, width, 1)
        tiles: Array = np.empty((grid.count, channels, *grid.tile), real)
        _ext.split_into(tiles, frame, grid, threads=threads)
        split = _bound(kernels().split_into, grid)
        yield Kernel(f"split, {what}", frame, tiles, frame.nbytes + tiles.nbytes, split)
        grid = sizes.grid(height // 2, width // 2, 2)
        tiles = random.random((grid.count, channels, *(2 * side for side in grid.tile))).astype(
            real
        )
        _ext.merge_into(frame, tiles, grid, threads=threads)
        # A pixel comes from one tile, in a ramp from two along an axis.
        ends = ((grid.height, grid.rows), (grid.width, grid.cols))
        read = math.prod(2 * (side + (count - 1) * grid.feather) for side, count in ends)
        moved = frame.nbytes + read * channels * tiles.itemsize
        merge = _bound(kernels().merge_into, grid, flag=flag)
        yield Kernel(f"merge, {what}", tiles, frame, moved, merge)
    plane = random.integers(0, 256, (height // 2, width // 2), np.uint8)
    given: Any = {"scale": 2, "phase": (0.5, 0.25)}
    enlarged = np.empty((height, width), np.uint8)
    _ext.upsample_plane_into(enlarged, plane, **given)
    upsample = _bound(kernels().upsample_into, **given)
    moved = plane.nbytes + enlarged.nbytes
    yield Kernel(f"upsample, {width}x{height} uint8", plane, enlarged, moved, upsample)


def _bound(function: Any, *grid: Any, **given: Any) -> Callable[..., object]:
    def run(result: DeviceArray, source: DeviceArray, handle: int) -> object:
        return function(result, source, *grid, stream=handle, **given)

    return run


def measure_frames(
    clock: Clock, models: Sequence[str], seconds: float, size: tuple[int, int] = SIZES["1080p"]
) -> list[Figures]:
    """Return rates of frames and times of the network, with each backend that is installed."""
    found = []
    backends: tuple[Literal["onnxruntime", "tensorrt"], ...] = ("onnxruntime", "tensorrt")
    for name, backend in itertools.product(models, backends):
        if missing_for(backend):
            continue
        with restore_rt.load(name, device="cuda", backend=backend, precision="fp16") as restorer:
            copies, rates = stream_rates(clock, restorer, size, seconds)
            whole, network = (
                bench.measure(restorer, size=size, scope=scope, seconds=seconds).measurements[0]
                for scope in ("end_to_end", "network")
            )
        case = {"model": name, "backend": backend, "frame": f"{size[1]}x{size[0]}"}
        figures = {
            "off_by": whole.verified.worst if whole.verified else None,
            "p50_ms": whole.p50_ms.value,
            "p99_ms": whole.percentiles_ms[99],
            "network_ms": network.p50_ms.value,
            "copies_ms": copies,
            "frames_per_second": statistics.median(rates),
            "device_mb": whole.device_peak_mb,
        }
        found.append({**case, **figures})
        print(found[-1], flush=True)
    return found


def stream_rates(
    clock: Clock, restorer: Restorer, size: tuple[int, int], seconds: float
) -> tuple[float, list[float]]:
    """Return the ms of a frame's copies, and frames/s of a stream from and to pinned memory."""
    last = (3,) if restorer.manifest.colour == "rgb" else ()
    frame = np.random.default_rng(0).integers(0, 256, (*size, *last), np.uint8)
    result = np.zeros([*(side * restorer.scale for side in size), *last], np.uint8)
    items = [(None, clock.pinned(result), clock.pinned(frame)) for _ in range(TURNS)]
    there = [clock.pool.empty(each.shape, each.dtype) for each in (frame, result)]

    def copies() -> None:
        upload_async(there[0], items[0][2], clock.stream)
        download_async(items[0][1], there[1], clock.stream)

    clock.seconds(copies)
    copied = statistics.median(clock.seconds(copies) for _ in range(clock.runs)) * 1e3
    rates, count = [], TURNS
    for _ in range(6):
        begin = time.perf_counter()
        for _ in restorer.stream_into(itertools.islice(itertools.cycle(items), count)):
            pass
        taken = time.perf_counter() - begin
        rates.append(count / taken)
        count = max(TURNS, math.ceil(count / taken * seconds / 5))
    return copied, rates[1:]


def kernel_bars(found: Sequence[Figures]) -> Iterator[Figures]:
    """Judge split and merge by the worst of their cases."""
    for name in ("split", "merge"):
        shares = [case["share_of_copy"] for case in found if case["kernel"].startswith(name)]
        told = f"{name}: {LEAST_KERNEL_SHARE:.0%} of the rate of a copy of as many bytes"
        met = min(shares) >= LEAST_KERNEL_SHARE
        yield {"bar": told, "measured": min(shares), "met": met}


def frame_bars(found: Sequence[Figures]) -> Iterator[Figures]:
    """Judge frames in a stream by their copies or by the network, whichever takes longer."""
    for case in found:
        taken, copies = 1e3 / case["frames_per_second"], case["copies_ms"]
        network = case["network_ms"]
        what = f"{case['model']}, {case['backend']}: "
        if network < copies:
            told, ratio = f"{MOST_OVER_COPIES} times its copies at most", taken / copies
            met = ratio <= MOST_OVER_COPIES
        else:
            told, ratio = f"{LEAST_OF_NETWORK:.0%} of the network's rate", network / taken
            met = ratio >= LEAST_OF_NETWORK
        yield {"bar": what + told, "measured": round(ratio, 3), "met": met}


if __name__ == "__main__":
    main()
