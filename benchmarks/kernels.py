"""Split and merge beside NumPy, OpenCV and PyTorch, and beside memcpy of as many bytes.

Split cuts a frame of bytes into overlapping tiles of float32 from 0 to 1, channels first; merge
drops each tile's halo, blends neighbours over the feather, and makes bytes of the whole. What each
library can do of that:

- oracle: all of it, in NumPy, written to be read (`restore_rt.reference`).
- numpy: split tile by tile into arrays that are kept; merge as a sum of weighted tiles. No padding,
  no check for NaN.
- opencv: split by `blobFromImages`, whose result is a new array; merge has no function of its own,
  it is `accumulateProduct` for each plane of each tile. No padding, no check for NaN.
- torch: split by `Tensor.unfold` (`nn.Unfold` takes no bytes, and puts each tile in a column);
  merge by `addcmul_` for each tile, or by `fold`, which adds up columns. Both foldings only where
  all tiles begin equally far apart, as they do here, which a grid that fits tiles to a frame does
  not promise. No padding, no check for NaN.

The bytes of an operation are the least that it can move: each sample of the frame once, and each
sample of a tile that is written, or that counts. Arrays of a small frame stay in the CPU's caches;
memcpy's rate beside it is one of arrays as large. Results are verified against the oracle before
anything is timed: split to 1e-6 where a library multiplies by 1/255, else to the bit; merge within
1 of 255, the kernels' own to the bit.
"""

from __future__ import annotations

import argparse
import importlib.util
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from kernel_rivals import RIVALS, Rival
from native import picture
from numpy.typing import NDArray
from results_file import milliseconds, write
from rich.console import Console
from rich.table import Table
from turns import Step, interleaved_at_rest

from restore_rt import _ext, reference
from restore_rt.reference import AxisTiles

TILE, OVERLAP, HALO, FEATHER, SCALE = 256, 40, 16, 8, 2
FRAMES = {"640x360 luma": (360, 640, 1), "1920x1080 RGB": (1080, 1920, 3)}
OPERATIONS = ("split", "merge")

Record = dict[str, Any]


@dataclass(frozen=True)
class Arrays:
    """A frame, its tiles, and what a network might have made of them."""

    grid: _ext.TileGrid
    frame: NDArray[np.uint8]
    tiles: NDArray[np.float32]
    results: NDArray[np.float32]
    merged: NDArray[np.uint8]

    @classmethod
    def of(cls, height: int, width: int, channels: int) -> Arrays:
        """Make them for a frame."""
        grid = _ext.TileGrid(
            height, width, TILE, overlap=OVERLAP, halo=HALO, feather=FEATHER, scale=SCALE
        )
        frame = np.stack([picture(height, width) + np.uint8(9 * c) for c in range(channels)], -1)
        tiles = np.ascontiguousarray(reference.split(frame, grid))
        # Enlarged, and different in each tile, so that where they blend can be seen.
        results = tiles.repeat(SCALE, 2).repeat(SCALE, 3)
        results += np.linspace(-0.05, 0.05, grid.count, dtype=np.float32)[:, None, None, None]
        merged, _ = reference.merge(results, grid)
        return cls(grid, frame, tiles, results, merged)


def main() -> None:
    """Measure, print tables, write ``kernels.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=25)
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    options = parser.parse_args()
    absent = {
        rival.name: f"not installed: pip install {rival.package}"
        for rival in RIVALS
        if importlib.util.find_spec(rival.module) is None
    }
    cases = []
    for name, shape in FRAMES.items():
        arrays = Arrays.of(*shape)
        for threads in options.threads:
            for operation in OPERATIONS:
                cases.append(measure(name, arrays, operation, threads, options.runs))
                show(cases[-1])
    for library, reason in absent.items():
        print(f"{library}: {reason}")
    record = {
        "what": (
            f"tiles of {TILE} with an overlap of {OVERLAP}, a halo of {HALO} and a feather of "
            f"{FEATHER}, merged at {SCALE} times the frame's size; bytes to float32 and back"
        ),
        "cases": cases,
        "absent": absent,
    }
    print(f"written: {write('kernels', record)}")


def measure(name: str, arrays: Arrays, operation: str, threads: int, runs: int) -> Record:
    """Verify and time one operation, with all that can do it."""
    read, written = moved_bytes(arrays.grid, arrays.frame.shape[2], operation)
    steps = {"restore_rt": _ours(arrays, operation, threads)}
    if threads == 1:
        steps["oracle"] = _oracle(arrays, operation)
    for rival in RIVALS:
        if importlib.util.find_spec(rival.module) and (threads == 1 or rival.threads):
            step = _of_rival(rival, arrays, operation, threads)
            steps |= {} if step is None else {rival.name: step}
    with ThreadPoolExecutor(max(1, threads - 1)) as pool:
        steps["memcpy"] = memcpy((read + written) // 2, threads, pool)
        timings = interleaved_at_rest(steps, runs, threads=threads)
    figures = {}
    for who, seconds in timings.items():
        found = milliseconds(seconds)
        rate = (read + written) / (found["median"] * 1e6)
        figures[who] = {**found, "gigabytes_per_second": round(rate, 2)}
    return {
        "frame": name,
        "operation": operation,
        "threads": threads,
        "bytes_read": read,
        "bytes_written": written,
        "milliseconds": figures,
    }


def moved_bytes(grid: _ext.TileGrid, channels: int, operation: str) -> tuple[int, int]:
    """Return the bytes that an operation has to read and to write at least.

    The frame's are bytes, the tiles' float32.
    """
    if operation == "split":
        rows, columns = grid.tile
        return grid.height * grid.width * channels, 4 * grid.count * channels * rows * columns
    height, width = grid.output_shape
    # Two tiles have a say where they blend.
    counted = [
        axis.length * axis.scale + sum(end - begin for begin, end in axis.ramps)
        for axis in AxisTiles.of(grid)
    ]
    return 4 * channels * counted[0] * counted[1], channels * height * width


def _ours(arrays: Arrays, operation: str, threads: int) -> Step:
    tiles, out = np.zeros_like(arrays.tiles), np.zeros_like(arrays.merged)

    def split() -> None:
        _ext.split_into(tiles, arrays.frame, arrays.grid, threads=threads)

    def merge() -> None:
        _ext.merge_into(out, arrays.results, arrays.grid, threads=threads)

    if operation == "split":
        split()
        check("restore_rt", tiles, arrays.tiles, 0)
        return split
    merge()
    check("restore_rt", out, arrays.merged, 0)
    return merge


def _oracle(arrays: Arrays, operation: str) -> Step:
    if operation == "split":
        return lambda: reference.split(arrays.frame, arrays.grid)
    return lambda: reference.merge(arrays.results, arrays.grid)


def _of_rival(rival: Rival, arrays: Arrays, operation: str, threads: int) -> Step | None:
    if operation == "split":
        if rival.split is None:
            return None
        split = rival.split(arrays.frame, arrays.grid, threads)
        check(rival.name, split(), arrays.tiles, rival.split_off)
        return split
    merge = rival.merge(arrays.results, arrays.grid, threads)
    check(rival.name, merge(), arrays.merged, 1)
    return merge


def check(who: str, found: NDArray[Any], expected: NDArray[Any], allowed: float) -> None:
    """Stop if a result is not near enough."""
    off = np.abs(found.astype(np.float64) - expected).max()
    if found.shape != expected.shape or not off <= allowed:
        raise SystemExit(f"{who} is off by {off}; allowed are {allowed}")


def memcpy(size: int, threads: int, pool: ThreadPoolExecutor) -> Step:
    """Return what copies ``size`` bytes, in as many parts as there are threads."""
    source, target = np.ones(size, np.uint8), np.zeros(size, np.uint8)
    parts = list(zip(np.array_split(target, threads), np.array_split(source, threads), strict=True))

    def step() -> None:
        # NumPy holds no lock while it copies.
        others = [pool.submit(np.copyto, *part) for part in parts[1:]]
        np.copyto(*parts[0])
        for other in others:
            other.result()

    step()
    check("memcpy", target, source, 0)
    return step


def show(case: Record) -> None:
    """Print what one operation came to."""
    megabytes = (case["bytes_read"] + case["bytes_written"]) / 1e6
    title = (
        f"{case['operation']}, {case['frame']}, {case['threads']} threads: "
        f"{case['bytes_read'] / 1e6:.1f} MB read + {case['bytes_written'] / 1e6:.1f} MB written "
        f"= {megabytes:.1f} MB"
    )
    table = Table("", "median ms", "p10", "p90", "GB/s", "times memcpy's time", title=title)
    memcpy_ms = case["milliseconds"]["memcpy"]["median"]
    for who, figures in case["milliseconds"].items():
        table.add_row(
            who,
            *(f"{figures[key]:.3f}" for key in ("median", "p10", "p90")),
            f"{figures['gigabytes_per_second']:.2f}",
            f"{figures['median'] / memcpy_ms:.2f}",
        )
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
