"""What the kernels compute, in NumPy and written to be read: the oracle of their tests.

Arithmetic is float32 in the kernels' order of operations, so that results can be compared bit for
bit. Arguments are taken to be valid.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from restore_rt._ext import TileGrid

__all__ = ["AxisTiles", "colour", "luma", "merge", "split", "upsample_plane"]

Floats = NDArray[np.float32]
Indices = NDArray[np.int64]

# BT.601 luma of R'G'B', 16 to 235 of 255; green has the rest of the weight.
_RED, _BLUE = np.float32(0.299), np.float32(0.114)
_BLACK, _SPAN = np.float32(16) / np.float32(255), np.float32(219) / np.float32(255)


@dataclass(frozen=True)
class AxisTiles:
    """The tiles along one axis, derived anew from a grid's parameters.

    Attributes
    ----------
    length, tile, overlap, halo, feather, multiple
        In input pixels, as in ``TileGrid``.
    scale
        Output pixels for each input pixel.
    """

    length: int
    tile: int
    overlap: int
    halo: int
    feather: int
    scale: int
    multiple: int

    @classmethod
    def of(cls, grid: TileGrid) -> tuple[AxisTiles, AxisTiles]:
        """Return the vertical and the horizontal axis of a grid."""
        rest = (grid.overlap, grid.halo, grid.feather, grid.scale, grid.multiple)
        return cls(grid.height, grid.tile[0], *rest), cls(grid.width, grid.tile[1], *rest)

    @property
    def padded(self) -> int:
        """The length rounded up to the multiple."""
        return -(-self.length // self.multiple) * self.multiple

    @property
    def starts(self) -> list[int]:
        """First pixel of each tile."""
        room = self.padded - self.tile
        if room <= 0:
            return [0]
        gaps = -(-room // (self.tile - self.overlap))
        return [i * room // gaps // self.multiple * self.multiple for i in range(gaps + 1)]

    @property
    def ramps(self) -> list[tuple[int, int]]:
        """Output pixels of the ramp between tile i and i + 1, centred in what they share."""
        size = self.feather * self.scale
        ramps = []
        for before, after in pairwise(self.starts):
            shared_begin, shared_end = after * self.scale, (before + self.tile) * self.scale
            begin = (shared_begin + shared_end - size) // 2
            ramps.append((begin, begin + size))
        return ramps

    @property
    def sources(self) -> Indices:
        """The frame's pixel at each position up to the end of the last tile."""
        inside = np.arange(self.length)
        pad = self.starts[-1] + self.tile - self.length
        return np.pad(inside, (0, pad), mode="reflect" if pad < self.length else "edge")

    def piece(self, begin: int, end: int) -> slice:
        """Output pixels that tiles begin..end-1 complete."""
        edges = [0, *(ramp[0] for ramp in self.ramps), self.length * self.scale]
        return slice(edges[begin], edges[end])

    def contributions(self) -> tuple[Indices, Floats]:
        """Return for each output pixel the earlier of its two tiles, and the later one's weight.

        Where one tile alone makes the pixel, that tile and weight 0.
        """
        earlier = np.zeros(self.length * self.scale, np.int64)
        weight = np.zeros(self.length * self.scale, np.float32)
        for i, (begin, end) in enumerate(self.ramps):
            earlier[end:] = i + 1
            steps = np.arange(end - begin, dtype=np.float32) + np.float32(0.5)
            weight[begin:end] = steps / np.float32(max(end - begin, 1))
        return earlier, weight


def default_peak(dtype: np.dtype[Any]) -> float:
    """Return the sample value that is 1 to a network."""
    return float(np.iinfo(dtype).max) if dtype.kind == "u" else 1.0


def to_samples(values: Floats, dtype: np.dtype[Any], peak: float) -> NDArray[Any]:
    """Clamp and round for integer types, halves to even; float values stay as they are."""
    if dtype.kind == "f":
        return values
    return np.rint(np.clip(values, np.float32(0), np.float32(peak))).astype(dtype)


def blend(earlier: Floats, later: Floats, weight: Floats) -> Floats:
    """Return ``earlier`` where the weight is 0, and equal values unchanged."""
    with np.errstate(invalid="ignore"):
        return np.where(weight == 0, earlier, earlier + weight * (later - earlier))


def split(
    frame: NDArray[Any],
    grid: TileGrid,
    *,
    dtype: type[np.float32] | type[np.float16] = np.float32,
    peak: float | None = None,
) -> NDArray[Any]:
    """Return all tiles of a frame.

    Parameters
    ----------
    frame
        (H, W) or (H, W, C), uint8, uint16 or float32.
    grid
        For this height and width.
    dtype
        Of the tiles.
    peak
        The sample value that becomes 1; by default 255, 65535 or 1.0.

    Returns
    -------
    ndarray
        (grid.count, C, tile height, tile width).
    """
    pixels = frame[..., np.newaxis] if frame.ndim == 2 else frame
    scaled = pixels.astype(np.float32) / np.float32(peak or default_peak(frame.dtype))
    axis_y, axis_x = AxisTiles.of(grid)
    padded = scaled[axis_y.sources][:, axis_x.sources].transpose(2, 0, 1)
    height, width = grid.tile
    tiles = [padded[:, y : y + height, x : x + width] for y in axis_y.starts for x in axis_x.starts]
    with np.errstate(over="ignore"):
        return np.stack(tiles).astype(dtype)


def merge(
    tiles: NDArray[Any],
    grid: TileGrid,
    *,
    dtype: type[np.uint8] | type[np.uint16] | type[np.float32] = np.uint8,
    peak: float | None = None,
) -> tuple[NDArray[Any], bool]:
    """Join all tiles to a frame.

    Parameters
    ----------
    tiles
        (grid.count, C, tile height * scale, tile width * scale), float32 or float16.
    grid
        For the frame's input height and width.
    dtype
        Of the frame.
    peak
        By default 255, 65535 or 1.0.

    Returns
    -------
    frame
        (H * scale, W * scale, C).
    finite
        False if a value that went into the frame was NaN or infinite.
    """
    axis_y, axis_x = AxisTiles.of(grid)
    tile_y, weight_y = axis_y.contributions()
    tile_x, weight_x = axis_x.contributions()
    starts_y, starts_x = np.array(axis_y.starts), np.array(axis_x.starts)
    height, width = grid.output_shape
    y, x = np.arange(height), np.arange(width)

    def pick(i: Indices, j: Indices) -> Floats:
        """Each output pixel's value, (C, H, W), in the i-th row and j-th column of tiles."""
        i, j = np.minimum(i, grid.rows - 1), np.minimum(j, grid.cols - 1)
        row = np.clip(y - starts_y[i] * grid.scale, 0, tiles.shape[2] - 1)
        column = np.clip(x - starts_x[j] * grid.scale, 0, tiles.shape[3] - 1)
        index = (i[:, np.newaxis] * grid.cols + j)[..., np.newaxis]
        picked: Floats = tiles[
            index,
            np.arange(tiles.shape[1]),
            row[:, np.newaxis, np.newaxis],
            column[:, np.newaxis],
        ].astype(np.float32)
        return picked

    across = weight_x[:, np.newaxis]
    earlier = blend(pick(tile_y, tile_x), pick(tile_y, tile_x + 1), across)
    later = blend(pick(tile_y + 1, tile_x), pick(tile_y + 1, tile_x + 1), across)
    values = blend(earlier, later, weight_y[:, np.newaxis, np.newaxis])
    target = np.dtype(dtype)
    peak = peak or default_peak(target)
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = values * np.float32(peak)
        finite = bool(np.isfinite(scaled if target.kind == "f" else values).all())
        return to_samples(scaled, target, peak), finite


def upsample_plane(
    src: NDArray[Any],
    shape: tuple[int, int],
    *,
    scale: int,
    phase: tuple[float, float] = (0.5, 0.5),
    peak: float | None = None,
) -> NDArray[Any]:
    """Enlarge a plane: bicubic with a = -0.5, R. Keys, "Cubic convolution interpolation", 1981.

    Parameters
    ----------
    src
        (h, w), uint8, uint16 or float32.
    shape
        Of the result; what the whole enlargement has beyond it is cut off.
    scale
        A whole number; 1 copies.
    phase
        (vertical, horizontal); sample ``j`` comes from position ``(j + phase) / scale - phase``.
    peak
        By default 255 or 65535; without effect on float32.

    Returns
    -------
    ndarray
        ``shape``, the dtype of ``src``.
    """
    if scale == 1:
        return src.copy()
    down = _enlarge_rows(src.astype(np.float32), shape[0], scale, phase[0])
    both = _enlarge_rows(down.T, shape[1], scale, phase[1]).T
    return to_samples(both, src.dtype, peak or default_peak(src.dtype))


def luma(frame: NDArray[Any]) -> Floats:
    """Return the limited-range BT.601 luma, (H, W), of an RGB frame, (H, W, 3)."""
    scaled = frame.astype(np.float32) / np.float32(default_peak(frame.dtype))
    red, green, blue = scaled[..., 0], scaled[..., 1], scaled[..., 2]
    full = green + (_RED * (red - green) + _BLUE * (blue - green))
    return np.asarray(_BLACK + _SPAN * full, np.float32)


def colour(frame: NDArray[Any], luma: Floats, *, scale: int) -> NDArray[Any]:
    """Enlarge an RGB frame, bicubic, and replace its luma.

    Parameters
    ----------
    frame
        (h, w, 3), uint8, uint16 or float32.
    luma
        (h * scale, w * scale), as the function ``luma`` makes it.
    scale
        A whole number.

    Returns
    -------
    ndarray
        (h * scale, w * scale, 3), the dtype of ``frame``.
    """
    peak = default_peak(frame.dtype)
    height, width = luma.shape
    samples = frame.astype(np.float32)
    down = [_enlarge_rows(samples[..., c], height, scale, 0.5, peak) for c in range(3)]
    # Of the two differences alone is the rest made, as in the kernel.
    red, blue = (_enlarge_rows((down[c] - down[1]).T, width, scale, 0.5).T for c in (0, 2))
    full: Floats = (luma - _BLACK) * (np.float32(1) / _SPAN)
    green = full - (_RED * red + _BLUE * blue)
    channels: Floats = np.stack([red + green, green, blue + green], axis=2)
    return to_samples(channels * np.float32(peak), frame.dtype, peak)


def _enlarge_rows(src: Floats, length: int, scale: int, phase: float, peak: float = 1.0) -> Floats:
    """Enlarge along the first axis, and divide by ``peak``."""
    j = np.arange(length)
    # The offset within a source sample first: it is the same for every one of them.
    offset = (j % scale + phase) / scale - phase
    below = np.floor(offset)
    t = offset - below
    first = j // scale + below.astype(np.int64) - 1
    weights = (
        ((-0.5 * t + 1.0) * t - 0.5) * t,
        (1.5 * t - 2.5) * t * t + 1.0,
        ((-1.5 * t + 2.0) * t + 0.5) * t,
        (0.5 * t - 0.5) * t * t,
    )
    result: Floats = np.zeros((length, src.shape[1]), np.float32)
    for k, weight in enumerate(weights):
        rows = src[np.clip(first + k, 0, len(src) - 1)]
        result = result + (weight.astype(np.float32) / np.float32(peak))[:, np.newaxis] * rows
    return result
