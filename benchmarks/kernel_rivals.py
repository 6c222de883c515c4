"""Split and merge made of what NumPy, OpenCV and PyTorch have; `kernels.py` says what each lacks.

All keep what they can between calls: arrays, and the tiles' weights.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from restore_rt import _ext
from restore_rt.reference import AxisTiles

__all__ = ["RIVALS", "Rival", "equal_step", "weights"]

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]
# Takes what is split or merged, the grid, and a number of threads; returns what does it.
MakeSplit = Callable[[Bytes, _ext.TileGrid, int], Callable[[], Floats]]
MakeMerge = Callable[[Floats, _ext.TileGrid, int], Callable[[], Bytes]]


@dataclass(frozen=True)
class Rival:
    """A library, and its ways to split and merge.

    Attributes
    ----------
    module, package
        What is imported, and what is installed for it.
    threads
        Whether it can use several.
    split_off
        How far what it splits may be from the oracle's.
    split, merge
        What makes a step of arrays.
    """

    name: str
    module: str
    package: str
    threads: bool
    split_off: float
    split: MakeSplit | None
    merge: MakeMerge


def weights(grid: _ext.TileGrid) -> Floats:
    """Return by how much each sample of each tile counts in the merged frame: (n, height, width).

    The weights of one tile along an axis begin with those that the tile before leaves over.
    """
    along = [_axis_weights(axis) for axis in AxisTiles.of(grid)]
    return np.stack([np.outer(row, column) for row in along[0] for column in along[1]])


def _axis_weights(axis: AxisTiles) -> list[Floats]:
    earlier, share = axis.contributions()
    found = []
    for index, start in enumerate(axis.starts):
        weight = np.where(earlier == index, 1 - share, 0) + np.where(earlier == index - 1, share, 0)
        begin = start * axis.scale
        found.append(weight[begin : begin + axis.tile * axis.scale].astype(np.float32))
    return found


def equal_step(starts: list[int]) -> int:
    """Return how far apart all tiles begin; 1 if there is one alone."""
    if len(starts) == 1:
        return 1
    steps = set(np.diff(starts).tolist())
    if len(steps) != 1:
        raise ValueError(f"tiles begin at {starts}, which are not equally far apart")
    return int(steps.pop())


def _corners(grid: _ext.TileGrid) -> list[tuple[int, int]]:
    return [(y, x) for y in grid.starts_y() for x in grid.starts_x()]


def split_numpy(frame: Bytes, grid: _ext.TileGrid, threads: int) -> Callable[[], Floats]:
    """Split tile by tile, into an array that is kept."""
    height, width = grid.tile
    tiles = np.empty((grid.count, frame.shape[2], height, width), np.float32)

    def step() -> Floats:
        for tile, (y, x) in zip(tiles, _corners(grid), strict=True):
            cut = frame[y : y + height, x : x + width].transpose(2, 0, 1)
            np.divide(cut, np.float32(255), out=tile)
        return tiles

    return step


def merge_numpy(tiles: Floats, grid: _ext.TileGrid, threads: int) -> Callable[[], Bytes]:
    """Add up weighted tiles, and make bytes of the sum."""
    height, width = grid.output_shape
    total = np.empty((tiles.shape[1], height, width), np.float32)
    product, counts = np.empty_like(tiles[0]), weights(grid)
    out = np.empty((height, width, tiles.shape[1]), np.uint8)

    def step() -> Bytes:
        total.fill(0)
        for tile, count, (y, x) in zip(tiles, counts, _corners(grid), strict=True):
            np.multiply(tile, count, out=product)
            place = _placed(total, grid, y, x)
            np.add(place, product, out=place)
        np.multiply(total, np.float32(255), out=total)
        np.rint(total, out=total)
        np.clip(total, 0, 255, out=total)
        np.copyto(out, total.transpose(1, 2, 0), casting="unsafe")
        return out

    return step


def _placed(total: Floats, grid: _ext.TileGrid, y: int, x: int) -> Floats:
    """Return where a tile belongs."""
    (height, width), scale = grid.tile, grid.scale
    return total[:, y * scale : (y + height) * scale, x * scale : (x + width) * scale]


def split_opencv(frame: Bytes, grid: _ext.TileGrid, threads: int) -> Callable[[], Floats]:
    """Split by what OpenCV has for a network's inputs."""
    cv2: Any = importlib.import_module("cv2")
    height, width = grid.tile

    def step() -> Floats:
        cv2.setNumThreads(threads)
        cuts = [frame[y : y + height, x : x + width] for y, x in _corners(grid)]
        blob: Floats = cv2.dnn.blobFromImages(cuts, 1 / 255)
        return blob

    return step


def merge_opencv(tiles: Floats, grid: _ext.TileGrid, threads: int) -> Callable[[], Bytes]:
    """Add up weighted planes, and make bytes of the sums."""
    cv2: Any = importlib.import_module("cv2")
    height, width = grid.output_shape
    counts = weights(grid)
    total = np.empty((tiles.shape[1], height, width), np.float32)
    planes = np.empty((tiles.shape[1], height, width), np.uint8)
    out = np.empty((height, width, tiles.shape[1]), np.uint8)

    def step() -> Bytes:
        cv2.setNumThreads(threads)
        total.fill(0)
        for tile, count, (y, x) in zip(tiles, counts, _corners(grid), strict=True):
            for plane, place in zip(tile, _placed(total, grid, y, x), strict=True):
                cv2.accumulateProduct(plane, count, place)
        for plane, of_bytes in zip(total, planes, strict=True):
            cv2.multiply(plane, 255.0, of_bytes, 1.0, cv2.CV_8U)
        cv2.merge(list(planes), out)
        return out

    return step


def split_torch(frame: Bytes, grid: _ext.TileGrid, threads: int) -> Callable[[], Floats]:
    """Split by a view of all tiles, divided into an array that is kept."""
    import torch

    height, width = grid.tile
    steps = equal_step(grid.starts_y()), equal_step(grid.starts_x())
    tiles = np.empty((grid.count, frame.shape[2], height, width), np.float32)
    taken = torch.from_numpy(tiles).view(grid.rows, grid.cols, *tiles.shape[1:])
    views = torch.from_numpy(frame).unfold(0, height, steps[0]).unfold(1, width, steps[1])

    def step() -> Floats:
        torch.set_num_threads(threads)
        torch.div(views, 255, out=taken)
        return tiles

    return step


def merge_torch(tiles: Floats, grid: _ext.TileGrid, threads: int) -> Callable[[], Bytes]:
    """Add weighted tiles to a sum, and make bytes of it."""
    import torch

    height, width = grid.output_shape
    total = np.empty((tiles.shape[1], height, width), np.float32)
    summed = torch.from_numpy(total)
    places = [torch.from_numpy(_placed(total, grid, y, x)) for y, x in _corners(grid)]
    given, counts = torch.from_numpy(tiles), torch.from_numpy(weights(grid))

    def step() -> Bytes:
        torch.set_num_threads(threads)
        summed.zero_()
        for tile, count, place in zip(given, counts, places, strict=True):
            place.addcmul_(tile, count)
        return _bytes_of(summed)

    return step


def _bytes_of(total: Any) -> Bytes:
    """Make bytes of a tensor, which is changed, channels last."""
    import torch

    made = total.mul_(255).round_().clamp_(0, 255).to(torch.uint8)
    out: Bytes = made.permute(1, 2, 0).contiguous().numpy()
    return out


def merge_torch_fold(tiles: Floats, grid: _ext.TileGrid, threads: int) -> Callable[[], Bytes]:
    """Fold weighted columns, and make bytes of the sum."""
    import torch
    from torch.nn.functional import fold

    starts = equal_step(grid.starts_y()), equal_step(grid.starts_x())
    count, _, height, width = tiles.shape
    given = torch.from_numpy(tiles)
    counts = torch.from_numpy(weights(grid))[:, None]
    product = torch.empty_like(given)

    def step() -> Bytes:
        torch.set_num_threads(threads)
        torch.mul(given, counts, out=product)
        columns = product.view(count, -1).T[None]
        stride = (starts[0] * grid.scale, starts[1] * grid.scale)
        return _bytes_of(fold(columns, grid.output_shape, (height, width), stride=stride)[0])

    return step


RIVALS = (
    Rival("numpy", "numpy", "numpy", False, 0, split_numpy, merge_numpy),
    Rival("opencv", "cv2", "opencv-python-headless", True, 1e-6, split_opencv, merge_opencv),
    Rival("torch", "torch", "torch", True, 0, split_torch, merge_torch),
    Rival("torch fold", "torch", "torch", True, 0, None, merge_torch_fold),
)
