"""Split and merge beside NumPy, OpenCV and PyTorch, and beside memcpy of as many bytes.

Split cuts a frame of bytes into overlapping tiles of float32; merge drops each tile's halo, blends
neighbours over the feather and makes bytes of the whole. The oracle does all of it in NumPy
(`restore_rt.reference`); rivals neither pad nor look for NaN, and keep what they can between calls.
OpenCV splits by `blobFromImages`, and merges by `accumulateProduct` of each plane of each tile.
PyTorch splits by `Tensor.unfold`, which needs tiles equally far apart, and merges by `addcmul_` of
each tile. Results are verified against the oracle: split to 1e-6 where a library
multiplies by 1/255, else to the bit; merge within 1 of 255, the kernels' own to the bit. The bytes
of an operation are the least that it can move.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import figures
import harness
import numpy as np
from harness import Step, check
from numpy.typing import NDArray

from restore_rt import _ext, reference
from restore_rt.bench.subject import picture
from restore_rt.reference import AxisTiles

TILE, OVERLAP, HALO, FEATHER, SCALE = 256, 40, 16, 8, 2
FRAMES = {"640x360 luma": (360, 640, 1), "1920x1080 RGB": (1080, 1920, 3)}

Array = NDArray[Any]
Record = dict[str, Any]


class Arrays:
    """A frame, its tiles and their results, as the oracle makes them, and memory for rivals."""

    def __init__(self, frame: Array, grid: _ext.TileGrid, results: Array | None = None) -> None:
        self.frame, self.grid = frame, grid
        self.tiles = np.ascontiguousarray(reference.split(frame, grid))
        if results is None:
            # Enlarged, and different in each tile, so that wrong blending can be seen.
            results = self.tiles.repeat(grid.scale, 2).repeat(grid.scale, 3)
            results += np.linspace(-0.05, 0.05, grid.count, dtype=np.float32)[:, None, None, None]
        self.results, self.merged = results, reference.merge(results, grid)[0]
        self.tiles_out, self.merged_out = np.empty_like(self.tiles), np.empty_like(self.merged)
        self.total = np.empty((frame.shape[2], *grid.output_shape), np.float32)
        self.product, self.planes = np.empty_like(results), np.empty(self.total.shape, np.uint8)
        self.cuts = _places(frame.transpose(2, 0, 1), grid, 1)
        self.places, self.counts = _places(self.total, grid, grid.scale), weights(grid)

    @functools.cached_property
    def tensors(self) -> list[tuple[Any, ...]]:
        """Each tile's result, weights and place in the total, as PyTorch's tensors."""
        from_numpy = importlib.import_module("torch").from_numpy
        rows = zip(self.results, self.counts, self.places, strict=True)
        return [tuple(from_numpy(each) for each in row) for row in rows]


def _places(total: Array, grid: _ext.TileGrid, scale: int) -> list[Array]:
    """Return views of an array, (C, H, W), one for each tile."""
    height, width = (side * scale for side in grid.tile)
    corners = [(y * scale, x * scale) for y in grid.starts_y() for x in grid.starts_x()]
    return [total[:, y : y + height, x : x + width] for y, x in corners]


def weights(grid: _ext.TileGrid) -> NDArray[np.float32]:
    """Return how much each sample of each tile counts in the merged frame: (n, height, width)."""
    along = []
    for axis in AxisTiles.of(grid):
        earlier, share = axis.contributions()
        found = []
        for at, start in enumerate(axis.starts):
            weight = np.where(earlier == at, 1 - share, 0) + np.where(earlier == at - 1, share, 0)
            begin = start * axis.scale
            found.append(weight[begin : begin + axis.tile * axis.scale].astype(np.float32))
        along.append(found)
    return np.stack([np.outer(row, column) for row in along[0] for column in along[1]])


def equal_step(starts: list[int]) -> int:
    """Return how far apart all tiles begin; 1 for a single tile."""
    steps = set(np.diff(starts).tolist()) or {1}
    if len(steps) != 1:
        raise ValueError(f"tiles begin at {starts}, which are not equally far apart")
    return int(steps.pop())


def _split_ours(a: Arrays, threads: int) -> Array:
    _ext.split_into(a.tiles_out, a.frame, a.grid, threads=threads)
    return a.tiles_out


def _merge_ours(a: Arrays, threads: int) -> Array:
    _ext.merge_into(a.merged_out, a.results, a.grid, threads=threads)
    return a.merged_out


def _split_numpy(a: Arrays, threads: int) -> Array:
    for tile, cut in zip(a.tiles_out, a.cuts, strict=True):
        np.divide(cut, np.float32(255), out=tile)
    return a.tiles_out


def _merge_numpy(a: Arrays, threads: int) -> Array:
    a.total.fill(0)
    for tile, count, place in zip(a.results, a.counts, a.places, strict=True):
        np.multiply(tile, count, out=a.product[0])
        np.add(place, a.product[0], out=place)
    np.multiply(a.total, np.float32(255), out=a.total)
    np.rint(a.total, out=a.total)
    np.clip(a.total, 0, 255, out=a.total)
    np.copyto(a.merged_out, a.total.transpose(1, 2, 0), casting="unsafe")
    return a.merged_out


def _split_opencv(a: Arrays, threads: int) -> Array:
    cv2: Any = importlib.import_module("cv2")
    cv2.setNumThreads(threads)
    blob: Array = cv2.dnn.blobFromImages([cut.transpose(1, 2, 0) for cut in a.cuts], 1 / 255)
    return blob


def _merge_opencv(a: Arrays, threads: int) -> Array:
    cv2: Any = importlib.import_module("cv2")
    cv2.setNumThreads(threads)
    a.total.fill(0)
    for tile, count, place in zip(a.results, a.counts, a.places, strict=True):
        for plane, target in zip(tile, place, strict=True):
            cv2.accumulateProduct(plane, count, target)
    for plane, of_bytes in zip(a.total, a.planes, strict=True):
        cv2.multiply(plane, 255.0, of_bytes, 1.0, cv2.CV_8U)
    cv2.merge(list(a.planes), a.merged_out)
    return a.merged_out


def _split_torch(a: Arrays, threads: int) -> Array:
    torch: Any = importlib.import_module("torch")
    torch.set_num_threads(threads)
    down, across = equal_step(a.grid.starts_y()), equal_step(a.grid.starts_x())
    height, width = a.grid.tile
    views = torch.from_numpy(a.frame).unfold(0, height, down).unfold(1, width, across)
    taken = torch.from_numpy(a.tiles_out)
    torch.div(views, 255, out=taken.view(a.grid.rows, a.grid.cols, *taken.shape[1:]))
    return a.tiles_out


def _merge_torch(a: Arrays, threads: int) -> Array:
    torch: Any = importlib.import_module("torch")
    torch.set_num_threads(threads)
    a.total.fill(0)
    for tile, count, place in a.tensors:
        place.addcmul_(tile, count)
    made = torch.from_numpy(a.total).mul_(255).round_().clamp_(0, 255).byte()
    out: Array = made.permute(1, 2, 0).contiguous().numpy()
    return out


class Way(NamedTuple):
    """A library's ways to split and merge, and how far they may be from the oracle's."""

    module: str
    has_threads: bool
    off: tuple[float, float]
    split: Callable[[Arrays, int], Array]
    merge: Callable[[Arrays, int], Array]


WAYS = {
    "restore_rt": Way("numpy", True, (0, 0), _split_ours, _merge_ours),
    "oracle": Way(
        *("numpy", False, (0, 0)),
        lambda a, threads: reference.split(a.frame, a.grid),
        lambda a, threads: reference.merge(a.results, a.grid)[0],
    ),
    "numpy": Way("numpy", False, (0, 1), _split_numpy, _merge_numpy),
    "opencv": Way("cv2", True, (1e-6, 1), _split_opencv, _merge_opencv),
    "torch": Way("torch", True, (0, 1), _split_torch, _merge_torch),
}


def main() -> None:
    """Measure and write the part ``kernels``."""
    chosen = harness.options(__doc__, runs=25, threads=(1, 2)).parse_args()
    absent = {
        name: f"not installed: {way.module}"
        for name, way in WAYS.items()
        if importlib.util.find_spec(way.module) is None
    }
    cases = []
    given: Any = {"overlap": OVERLAP, "halo": HALO, "feather": FEATHER, "scale": SCALE}
    for name, (height, width, channels) in FRAMES.items():
        grid = _ext.TileGrid(height, width, TILE, **given)
        frame = picture(height, width, channels).reshape(height, width, channels)
        arrays = Arrays(frame, grid)
        for threads in chosen.threads:
            for operation in ("split", "merge"):
                case = {"frame": name, "operation": operation, "threads": threads}
                cases.append({**case, **measure(arrays, operation, threads, chosen.runs, absent)})
    what = (
        f"tiles of {TILE} with an overlap of {OVERLAP}, a halo of {HALO} and a feather of "
        f"{FEATHER}, merged at {SCALE} times the frame's size; bytes to float32 and back"
    )
    record = {"what": what, "cases": cases, "absent": absent}
    figures.show("kernels", harness.write("kernels", record))


def measure(arrays: Arrays, operation: str, threads: int, runs: int, absent: Record) -> Record:
    """Verify and time everything that can split or merge."""
    read, written = moved_bytes(arrays.grid, arrays.frame.shape[2], operation)
    split, steps = operation == "split", dict[str, Step]()
    for name, way in WAYS.items():
        make = way.split if split else way.merge
        if name not in absent and (threads == 1 or way.has_threads):
            step = functools.partial(make, arrays, threads)
            check(name, step(), arrays.tiles if split else arrays.merged, way.off[not split])
            steps[name] = step
    with ThreadPoolExecutor(max(1, threads - 1)) as pool:
        steps["memcpy"] = memcpy((read + written) // 2, threads, pool)
        timings = harness.interleaved(steps, runs, threads=threads)
    figures: Record = {who: harness.milliseconds(seconds) for who, seconds in timings.items()}
    for found in figures.values():
        found["gigabytes_per_second"] = round((read + written) / (found["median"] * 1e6), 2)
    return {"bytes_read": read, "bytes_written": written, "milliseconds": figures}


def moved_bytes(grid: _ext.TileGrid, channels: int, operation: str) -> tuple[int, int]:
    """Return the bytes that an operation has to read and to write at least."""
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


def memcpy(size: int, threads: int, pool: ThreadPoolExecutor) -> Step:
    """Return a step that copies ``size`` bytes, in as many parts as there are threads."""
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


if __name__ == "__main__":
    main()
