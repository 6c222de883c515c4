"""Frames from the host through a model on a GPU and back, next to the network and copies alone."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
from gpu_kernels import tile_sizes
from gpu_timing import Bench, percentiles, spread, timed
from numpy.typing import NDArray

import restore_rt
from restore_rt import Planes, Restorer
from restore_rt.gpu import download_async, pinned_empty, upload_async
from restore_rt.gpu_opening import open_device_backend
from restore_rt.model.manifest import read_manifest
from restore_rt.model.precision import narrow
from restore_rt.model.reading import find_model, read_model
from restore_rt.threads import available_threads

__all__ = ["SIZES", "Backend", "Case", "Precision", "measure_frames", "picture", "psnr", "rates"]

SIZES = {"360p": (360, 640), "1080p": (1080, 1920)}
# More than are on their way at once: a result is read while others are written.
_TURNS = 12
_MOST_FRAMES = 2000
_LEAST_PSNR = 45.0

Figures = dict[str, Any]
Backend = Literal["onnxruntime", "tensorrt"]
Precision = Literal["fp32", "fp16"]
# Planes, or an array.
Frame = Any


@dataclass(frozen=True)
class Case:
    """What is measured: a model and how it runs, and what it is given."""

    model: str
    backend: Backend
    precision: Precision
    size: str
    planes: bool

    @property
    def frame(self) -> str:
        """What a frame is, for people."""
        height, width = SIZES[self.size]
        return f"{width}x{height} {'4:2:0 8-bit planes' if self.planes else '8-bit RGB'}"


def measure_frames(bench: Bench, case: Case, *, seconds: float) -> Figures:
    """Measure one case, after its result was compared with the CPU's.

    Parameters
    ----------
    bench
        The GPU.
    case
        What is measured.
    seconds
        About how long each figure is measured.
    """
    before = bench.memory_taken()
    with restore_rt.load(
        case.model, device="cuda", backend=case.backend, precision=case.precision
    ) as restorer:
        checked = _verify(restorer, case)
        turns = _turns(bench, case, restorer.scale)
        (out, frame), *_ = turns
        for _ in range(5):
            restorer(frame, out=out)
        once = timed(lambda: restorer(frame, out=out))
        count = int(np.clip(seconds / once, 30, _MOST_FRAMES))
        calls = [timed(lambda: restorer(frame, out=out)) for _ in range(count)]
        streamed = rates(
            restorer.stream_into,
            [(None, *turn) for turn in turns],
            seconds=seconds,
            rounds=bench.rounds,
        )
        taken = bench.memory_taken() - before
        description = restorer.description
    network = _network_alone(bench, case, seconds=seconds)
    together, in_turn = _copies_alone(bench, turns[0])
    return {
        "model": case.model,
        "backend": case.backend,
        "precision": case.precision,
        "frame": case.frame,
        "description": description,
        "away_from_cpu": checked,
        "call_milliseconds": percentiles([s * 1e3 for s in calls]),
        "frames_per_second": spread(streamed),
        "network_alone_milliseconds": spread([s * 1e3 for s in network]),
        "copies_alone_milliseconds": spread([s * 1e3 for s in together]),
        "copies_one_after_another_milliseconds": spread([s * 1e3 for s in in_turn]),
        "device_memory_mib": round(taken / 2**20, 1),
    }


def rates(
    stream: Callable[[Iterable[Any]], Iterable[Any]],
    items: list[Any],
    *,
    seconds: float,
    rounds: int,
) -> list[float]:
    """Return frames per second of a stream over items that take turns, for each round."""
    few = list(itertools.islice(itertools.cycle(items), 2 * len(items)))
    each = timed(lambda: _drain(stream(few))) / len(few)
    each = timed(lambda: _drain(stream(few))) / len(few)
    count = int(np.clip(seconds / rounds / each, len(items), _MOST_FRAMES))
    found = []
    for _ in range(rounds):
        begin = time.perf_counter()
        _drain(stream(itertools.islice(itertools.cycle(items), count)))
        found.append(count / (time.perf_counter() - begin))
    return found


def _drain(results: Iterable[Any]) -> None:
    for _ in results:
        pass


def picture(height: int, width: int) -> NDArray[np.uint8]:
    """Return RGB with edges, waves and grain."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:height, 0:width]
    waves = np.stack([np.sin(x * y / (k * width)) for k in (2.0, 5.0, 11.0)], axis=-1)
    edges = 60.0 * ((x // 37 + y // 23) % 2)[..., None]
    grain = rng.normal(0, 2, (height, width, 1))
    levels: NDArray[np.float64] = np.clip(np.rint(70 * waves + edges + grain + 100), 0, 255)
    return levels.astype(np.uint8)


def psnr(result: NDArray[Any], expected: NDArray[Any]) -> float:
    """Return how far two 8-bit frames are from each other, in dB; infinite if they are equal."""
    square = float(np.mean(np.square(result.astype(np.float64) - expected)))
    return float("inf") if square == 0 else 10 * float(np.log10(255**2 / square))


@cache
def _on_cpu(model: str) -> tuple[NDArray[Any], NDArray[Any]]:
    frame = picture(*SIZES["360p"])
    with restore_rt.load(model, device="cpu") as restorer:
        return frame, restorer(frame)


def _verify(restorer: Restorer, case: Case) -> Figures:
    frame, expected = _on_cpu(case.model)
    result = restorer(frame)
    largest = int(np.abs(result.astype(int) - expected).max())
    near = psnr(result, expected)
    if (largest > 1) if case.precision == "fp32" else (near < _LEAST_PSNR):
        raise SystemExit(
            f"{restorer.description}: its result is up to {largest} of 255 away from the CPU's, "
            f"{near:.1f} dB; nothing was measured"
        )
    return {"largest_of_255": largest, "psnr": round(near, 2) if np.isfinite(near) else None}


def _turns(bench: Bench, case: Case, scale: int) -> list[tuple[Frame, Frame]]:
    """Return pairs of a frame to write into and a frame, in page-locked memory."""
    height, width = SIZES[case.size]
    rgb = picture(height, width)

    def pinned(array: NDArray[Any]) -> NDArray[Any]:
        made = pinned_empty(array.shape, array.dtype, device=bench.device)
        made[...] = array
        return made

    def pinned_planes(y: NDArray[Any], cb: NDArray[Any], cr: NDArray[Any]) -> Planes:
        return Planes(pinned(y), pinned(cb), pinned(cr))

    def pair() -> tuple[Frame, Frame]:
        if not case.planes:
            shape = (height * scale, width * scale, 3)
            return pinned(np.zeros(shape, np.uint8)), pinned(rgb)
        frame = pinned_planes(rgb[..., 0], rgb[::2, ::2, 1], rgb[::2, ::2, 2])
        y, cb, cr = _arrays(frame.empty_like(scale))
        return pinned_planes(y, cb, cr), frame

    return [pair() for _ in range(_TURNS)]


def _arrays(frame: Frame) -> list[NDArray[Any]]:
    if not isinstance(frame, Planes):
        return [frame]
    return [plane for plane in (frame.y, frame.cb, frame.cr) if plane is not None]


def _network_alone(bench: Bench, case: Case, *, seconds: float) -> list[float]:
    """Return seconds of the network for all tiles of a frame, without split and merge."""
    model = read_model(find_model(case.model))
    model = narrow(model) if case.precision == "fp16" else model
    manifest = read_manifest(model)
    assert manifest is not None
    grid = tile_sizes(case.model).grid(*SIZES[case.size], manifest.scale)
    with bench.device.active():
        backend = open_device_backend(
            model,
            manifest,
            backend=case.backend,
            device=bench.device,
            stream=bench.stream,
            pool=bench.pool,
            threads=available_threads(),
        )
    try:
        shape = (1, manifest.channels, *grid.tile)
        levels = np.random.default_rng(0).random(shape, np.float32)
        tiles = bench.upload(levels.astype(backend.dtype))
        enlarged = (*shape[:2], *(side * manifest.scale for side in grid.tile))
        out = bench.pool.empty(enlarged, backend.dtype)
        backend.prepare(shape)

        def frame() -> None:
            for _ in range(grid.count):
                backend.enqueue(tiles, out)

        for _ in range(3):
            once = bench.seconds(frame)
        count = int(np.clip(seconds / once, bench.rounds, _MOST_FRAMES))
        return [bench.seconds(frame) for _ in range(count)]
    finally:
        backend.close()


def _copies_alone(bench: Bench, turn: tuple[Frame, Frame]) -> tuple[list[float], list[float]]:
    """Return seconds a frame of pinned copies: both ways at once, and up and then down."""
    outs, frames = (_arrays(frame) for frame in turn)
    down = bench.device.stream()
    sources, targets = (
        [bench.pool.empty(array.shape, array.dtype) for array in arrays]
        for arrays in (frames, outs)
    )

    def upload() -> None:
        for device, host in zip(sources, frames, strict=True):
            upload_async(device, host, bench.stream)

    def download(stream: Any) -> None:
        for device, host in zip(targets, outs, strict=True):
            download_async(host, device, stream)

    def many() -> None:
        for _ in range(_TURNS):
            upload()
            download(down)
        bench.stream.synchronize()
        down.synchronize()

    def in_turn() -> None:
        upload()
        download(bench.stream)

    for work in (upload, many, in_turn):
        work()
    together = [timed(many) / _TURNS for _ in range(bench.rounds)]
    bench.seconds(in_turn)
    return together, [bench.seconds(in_turn) for _ in range(bench.rounds)]
