"""A GPU: bandwidths of copies and kernels, and frames from host to host beside the network alone.

Every kernel is compared with the CPU's before it is timed, and every frame as `restore-rt bench`
does. Bytes are counted once, buffers take turns so that no cache holds them, and the GPU's events
measure kernels. Writes ``<gpu>.json`` after each figure. The exit status is 1 if a bar is missed.
"""

from __future__ import annotations

import functools
import importlib
import itertools
import math
import re
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
from harness import interleaved, manifest_of, milliseconds, options, write
from numpy.typing import NDArray

import restore_rt
from restore_rt import Restorer, _ext, bench
from restore_rt.bench.subject import picture
from restore_rt.errors import RestoreError
from restore_rt.gpu import DeviceArray, Pool, Stream, kernels, open_device, require_gpu
from restore_rt.gpu.memory import pinned_empty
from restore_rt.gpu.onnxruntime import OnnxRuntimeDeviceBackend
from restore_rt.gpu.transfer import copy_async, download_async, upload_async
from restore_rt.gpu_opening import GPU_BACKENDS, missing_for
from restore_rt.threads import available_threads
from restore_rt.tiled.sizes import TileSizes

PARTS = ("copies", "kernels", "frames", "torch")
# How a frame is restored: options of `load`, and of ONNX Runtime's CUDA provider.
WAYS: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "whole frame": ({}, {}),
    "whole frame, prefer_nhwc": ({}, {"prefer_nhwc": "1"}),
    "whole frame, exhaustive search": ({}, {"cudnn_conv_algo_search": "EXHAUSTIVE"}),
    "tiles of 256": ({"tile": 256}, {}),
}
# The model in whose tiles a frame of so many channels is cut.
MODELS = {1: "video-x2", 3: "photo-x2"}
# Bytes of the buffers that take turns: several times the cache of the largest GPUs.
ROTATED, PINNED = 1 << 29, 1 << 26
# Work is recorded in graphs of at least so many steps, which share the time of a launch.
LEAST_STEPS, TURNS = 8, 12
LEAST_KERNEL_SHARE, MOST_OVER_COPIES, LEAST_OF_NETWORK = 0.7, 1.5, 0.9

Array = NDArray[Any]
Size = tuple[int, int]
Figures = dict[str, Any]


class Kernel(NamedTuple):
    """A kernel's arguments, its result, the least bytes that it moves, and the call."""

    name: str
    source: Array
    expected: Array
    bytes: int
    run: Callable[..., object]


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
        """Return the mean time of a step in a graph of all, for each run after two that warm up."""
        repeated = list(steps) * math.ceil(LEAST_STEPS / len(steps))

        def work() -> None:
            for step in repeated:
                step()

        with self.device.active():
            work()
            self.stream.synchronize()
            graph = kernels().Graph.capture(self.stream.handle, work)
            launch = functools.partial(graph.launch, self.stream.handle)
            return [self.seconds(launch) / len(repeated) for _ in range(self.runs + 2)][2:]

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
    """Measure the parts that are asked for, and write ``<gpu>.json`` after each figure."""
    parser = options(__doc__, runs=20)
    parser.add_argument("--parts", nargs="*", choices=PARTS, default=PARTS[:3])
    parser.add_argument("--models", nargs="*", default=["video-x2", "photo-x2"])
    parser.add_argument("--heights", nargs="+", type=int, default=[1080, 2160], help="at 16:9")
    parser.add_argument("--seconds", type=float, default=1.0, help="of frames for each figure")
    parser.add_argument("--rotated-mb", type=int, default=ROTATED >> 20, help="of turning buffers")
    parser.add_argument("--passed", nargs="*", default=[], help="checks that went before")
    chosen = parser.parse_args()
    require_gpu()
    clock = Clock(chosen.runs, chosen.rotated_mb << 20)
    sizes = [(height, height * 16 // 9) for height in chosen.heights]
    measured: Figures = {
        "what": " ".join((__doc__ or "").split("\n\n", 1)[1].split()),
        "passed_before": chosen.passed,
        **{part: [] for part in PARTS},
    }
    slug = re.sub("[^a-z0-9]+", "-", clock.device.name.lower()).strip("-")
    makers: dict[str, Iterator[Figures]] = {
        "copies": iter([measure_copies(clock)] if "copies" in chosen.parts else []),
        "kernels": measure_kernels(clock, sizes),
        "frames": measure_frames(clock, chosen.models, sizes[0], chosen.seconds),
        "torch": measure_torch(chosen.models, chosen.runs, sizes[0]),
    }
    for part in chosen.parts:
        for figures in makers[part]:
            print(figures, flush=True)
            measured[part].append(figures)
            write(slug, measured, alone=True)
    bars = [*kernel_bars(measured["kernels"]), *frame_bars(measured["frames"])]
    write(slug, {**measured, "bars": bars}, alone=True)
    for bar in bars:
        print("met:" if bar["met"] else "missed:", bar["bar"], bar["measured"])
    raise SystemExit(not all(bar["met"] for bar in bars))


def measure_copies(clock: Clock, size: int = PINNED) -> Figures:
    """Return rates of copies from and to page-locked memory, and within the GPU, counted twice."""
    with clock.device.active():
        up, down = (clock.pinned(np.full(size, fill, np.uint8)) for fill in (1, 0))
        there = clock.pool.empty((size,), np.uint8)
    ways: Any = {"host_to_device": (upload_async, there, up)}
    ways["device_to_host"] = (download_async, down, there)
    found = {}
    for name, (copy, *ends) in ways.items():
        work: Any = functools.partial(copy, *ends, clock.stream)
        times = [clock.seconds(work) for _ in range(clock.runs + 1)][1:]
        found[f"{name}_gb_per_s"] = round(size / statistics.median(times) / 1e9, 2)
    steps = [functools.partial(copy_async, *pair, clock.stream) for pair in clock.pairs(up, down)]
    found["within_device_gb_per_s"] = round(2e-9 * size / statistics.median(clock.each(steps)), 2)
    np.testing.assert_array_equal(up, down)
    return found


def measure_kernels(clock: Clock, sizes: Sequence[Size]) -> Iterator[Figures]:
    """Give the rates of split, merge and upsample beside those of copies of as many bytes."""
    flag, _ = clock.pairs(np.zeros(1, np.uint32), np.zeros(1, np.uint32))[0]
    for kernel in itertools.chain.from_iterable(cases(flag, *size) for size in sizes):
        pairs, queue = clock.pairs(kernel.source, kernel.expected), {"stream": clock.stream.handle}
        steps = [functools.partial(kernel.run, *pair, **queue) for pair in pairs]
        with clock.device.active():
            steps[-1]()
        np.testing.assert_array_equal(clock.download(pairs[-1][0]), kernel.expected)
        times = clock.each(steps)
        blocks = clock.pairs(*[np.empty(kernel.bytes // 2, np.uint8)] * 2)
        copies = clock.each([functools.partial(copy_async, *p, clock.stream) for p in blocks])
        ratio = statistics.median(copies) / statistics.median(times)
        rate = float(f"{kernel.bytes / statistics.median(times) / 1e9:.4g}")
        del pairs, steps, blocks
        clock.pool.trim()
        figures = {"ms": milliseconds(times), "share_of_copy": float(f"{ratio:.3g}")}
        yield {"kernel": kernel.name, "bytes": kernel.bytes, "gb_per_s": rate, **figures}


def cases(flag: DeviceArray, height: int, width: int) -> Iterator[Kernel]:
    """Give the kernels for a frame, with the CPU's results; merge raises `flag` for NaN."""
    random, threads = np.random.default_rng(0), available_threads()
    for channels, real in itertools.product(MODELS, (np.float16, np.float32)):
        given: Any = {"tile": None, "overlap": None, "feather": None, "batch": 1}
        sizes = TileSizes.of(manifest_of(MODELS[channels]), **given)
        shape = (height, width) if channels == 1 else (height, width, channels)
        what = f"{width}x{height} uint8, {channels} channels, {np.dtype(real).name} tiles"
        frame = random.integers(0, 256, shape, np.uint8)
        grid = sizes.grid(height, width, 1)
        tiles: Array = np.empty((grid.count, channels, *grid.tile), real)
        _ext.split_into(tiles, frame, grid, threads=threads)
        split = functools.partial(kernels().split_into, grid=grid)
        yield Kernel(f"split, {what}", frame, tiles, frame.nbytes + tiles.nbytes, split)
        grid = sizes.grid(height // 2, width // 2, 2)
        made = (grid.count, channels, *(2 * side for side in grid.tile))
        tiles = random.random(made).astype(real)
        _ext.merge_into(frame, tiles, grid, threads=threads)
        # A pixel comes from one tile, in a ramp from two along an axis.
        ends = ((grid.height, grid.rows), (grid.width, grid.cols))
        read = math.prod(2 * (side + (count - 1) * grid.feather) for side, count in ends)
        moved = frame.nbytes + read * channels * tiles.itemsize
        merge = functools.partial(kernels().merge_into, grid=grid, flag=flag)
        yield Kernel(f"merge, {what}", tiles, frame, moved, merge)
    plane = random.integers(0, 256, (height // 2, width // 2), np.uint8)
    given = {"scale": 2, "phase": (0.5, 0.25)}
    enlarged = np.empty((height, width), np.uint8)
    _ext.upsample_plane_into(enlarged, plane, **given)
    upsample = functools.partial(kernels().upsample_into, **given)
    both = plane.nbytes + enlarged.nbytes
    yield Kernel(f"upsample, {width}x{height} uint8", plane, enlarged, both, upsample)


def measure_frames(
    clock: Clock, models: Sequence[str], size: Size, seconds: float
) -> Iterator[Figures]:
    """Give rates of frames and times of the network, each way, with each installed backend."""
    cuda: Any = OnnxRuntimeDeviceBackend
    usual = cuda._cuda_options
    for name, backend, way in itertools.product(models, GPU_BACKENDS, WAYS):
        given, more = WAYS[way]
        if missing_for(backend) or (more and backend != "onnxruntime"):
            continue
        case = {"model": name, "backend": backend, "way": way, "frame": f"{size[1]}x{size[0]}"}
        options: Any = {"_cuda_options": lambda self, m=more: {**usual(self), **m}}
        changed = mock.patch.multiple(cuda, **options)
        load: Any = {"device": "cuda", "backend": backend, "precision": "fp16", **given}
        warm = mock.patch.object(bench.measuring, "_MOST_WARM_SECONDS", seconds)
        try:
            with changed, warm, restore_rt.load(name, **load) as restorer:
                yield {**case, **frame_figures(clock, restorer, size, seconds)}
        except RestoreError as error:
            # Another way may do.
            yield {**case, "failed": str(error)}


def frame_figures(clock: Clock, restorer: Restorer, size: Size, seconds: float) -> Figures:
    """Return the rate of a stream, times of single frames and of the network, and memory."""
    copies, *rates = stream_rates(clock, restorer, size, seconds)
    run: Any = functools.partial(bench.measure, restorer, size=size, seconds=seconds)
    whole, network = (run(scope=each).measurements[0] for each in ("end_to_end", "network"))
    return {
        "description": whole.description,
        "off_by": whole.verified.worst if whole.verified else None,
        "p50_ms": whole.p50_ms.value,
        "p99_ms": whole.percentiles_ms[99],
        "network_ms": network.p50_ms.value,
        "copies_ms": copies,
        "frames_per_second": statistics.median(rates),
        "device_mb": whole.device_peak_mb,
    }


def measure_torch(models: Sequence[str], runs: int, size: Size) -> Iterator[Figures]:
    """Give times of the networks in PyTorch, from host to host; see `InTorch`."""
    in_torch = importlib.import_module("tests.gpu.in_torch").InTorch
    for name in models:
        restore = in_torch(name, picture(*size, manifest_of(name).channels))
        case = {"model": name, "frame": f"{size[1]}x{size[0]}", "off_by": restore.off_by()}
        yield {**case, "host_to_host_ms": milliseconds(interleaved({name: restore}, runs)[name])}


def stream_rates(clock: Clock, restorer: Restorer, size: Size, seconds: float) -> list[float]:
    """Return the ms of a frame's copies, then frames/s of streams from and to pinned memory."""
    frame = picture(*size, restorer.manifest.channels)
    result = np.zeros([*(side * restorer.scale for side in size), *frame.shape[2:]], np.uint8)
    items = [(None, clock.pinned(result), clock.pinned(frame)) for _ in range(TURNS)]
    there = [clock.pool.empty(each.shape, each.dtype) for each in (frame, result)]

    def copies() -> None:
        upload_async(there[0], items[0][2], clock.stream)
        download_async(items[0][1], there[1], clock.stream)

    copied = [clock.seconds(copies) * 1e3 for _ in range(clock.runs + 1)][1:]
    found, count = [statistics.median(copied)], TURNS
    for _ in range(6):
        begin = time.perf_counter()
        sum(1 for _ in restorer.stream_into(itertools.islice(itertools.cycle(items), count)))
        found.append(count / (time.perf_counter() - begin))
        count = max(TURNS, math.ceil(found[-1] * seconds / 5))
    # The first stream warms up.
    return [found[0], *found[2:]]


def kernel_bars(found: Sequence[Figures]) -> Iterator[Figures]:
    """Judge split and merge by the worst of their cases."""
    for name in ("split", "merge") if found else ():
        least = min(case["share_of_copy"] for case in found if case["kernel"].startswith(name))
        told = f"{name}: {LEAST_KERNEL_SHARE:.0%} of the rate of a copy of as many bytes"
        yield {"bar": told, "measured": least, "met": least >= LEAST_KERNEL_SHARE}


def frame_bars(found: Sequence[Figures]) -> Iterator[Figures]:
    """Judge frames in a stream by their copies or by the network, whichever takes longer."""
    for case in (each for each in found if "failed" not in each):
        taken, network = 1e3 / case["frames_per_second"], case["network_ms"]
        copies = case["copies_ms"]
        told, ratio = f"{MOST_OVER_COPIES} times its copies at most", taken / copies
        met = ratio <= MOST_OVER_COPIES
        if network >= copies:
            told, ratio = f"{LEAST_OF_NETWORK:.0%} of the network's rate", network / taken
            met = ratio >= LEAST_OF_NETWORK
        bar = f"{case['model']}, {case['backend']}, {case['way']}: {told}"
        yield {"bar": bar, "measured": round(ratio, 3), "met": met}


if __name__ == "__main__":
    main()
