"""Sizes of tiles, and the buffers that one frame size needs."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from restore_rt import _ext
from restore_rt.errors import InputError
from restore_rt.manifest import Manifest

__all__ = ["TileSizes", "Workspace", "Workspaces"]

# Networks whose halo is honoured agree to within rounding where tiles meet; this hides the rest.
_DEFAULT_FEATHER = 8

_WORKSPACES_KEPT = 4


@dataclass(frozen=True)
class TileSizes:
    """How a frame is cut, in input pixels.

    Attributes
    ----------
    tile
        The largest tile, height and width; a smaller frame makes a smaller tile.
    overlap, halo, feather
        As in ``TileGrid``.
    multiple
        Sides of a tile are multiples of this.
    batch
        Tiles in one run of the network.
    shrunk
        Whether the tile was made smaller because memory ran out.
    """

    tile: tuple[int, int]
    overlap: int
    halo: int
    feather: int
    multiple: int
    batch: int
    shrunk: bool = False

    @classmethod
    def of(
        cls,
        manifest: Manifest,
        *,
        tile: int | tuple[int, int] | None,
        overlap: int | None,
        feather: int | None,
        batch: int,
    ) -> TileSizes:
        """Fill in what the caller left open from the manifest.

        Raises
        ------
        InputError
            A size is not allowed; the message says what is.
        """
        multiple, halo = manifest.multiple, manifest.halo
        sides = manifest.tile if tile is None else (tile, tile) if isinstance(tile, int) else tile
        if len(sides) != 2 or any(side < 1 or side % multiple for side in sides):
            raise InputError(
                f"tile is {tile}; {manifest.name} takes one or two positive multiples of {multiple}"
            )
        if feather is None:
            feather = _DEFAULT_FEATHER if overlap is None else max(0, overlap - 2 * halo)
        if overlap is None:
            overlap = 2 * halo + feather
        overlap = round_up(overlap, multiple)
        if feather < 0 or overlap < 2 * halo + feather:
            raise InputError(
                f"overlap is {overlap} and feather {feather}; with this model's halo of {halo}, "
                f"overlap must be at least 2 x {halo} + feather"
            )
        if batch < 1:
            raise InputError(f"batch is {batch}; it must be at least 1")
        sizes = cls(
            tile=(sides[0], sides[1]),
            overlap=overlap,
            halo=halo,
            feather=feather,
            multiple=multiple,
            batch=batch,
        )
        if tile is not None and min(sides) < sizes.smallest:
            raise InputError(
                f"tile is {tile}; with an overlap of {overlap} its sides must be at least "
                f"{sizes.smallest}"
            )
        return replace(sizes, tile=(max(sides[0], sizes.smallest), max(sides[1], sizes.smallest)))

    @property
    def smallest(self) -> int:
        """The smallest side of a tile at which neighbouring ramps cannot meet."""
        return round_up(self.overlap + 2 * self.feather + 2 * self.multiple, self.multiple)

    def grid(self, height: int, width: int, scale: int) -> _ext.TileGrid:
        """Lay the tiles over a frame: as few as the largest tile allows, and no larger than that.

        A number of tiles fits a whole range of frames; the smallest tile that keeps the number
        spares the network what neighbours would share beyond the overlap.
        """
        fitted = (self._fitted(self.tile[0], height), self._fitted(self.tile[1], width))
        return _ext.TileGrid(
            height,
            width,
            fitted,
            overlap=self.overlap,
            halo=self.halo,
            feather=self.feather,
            scale=scale,
            multiple=self.multiple,
        )

    def _fitted(self, side: int, length: int) -> int:
        padded = round_up(length, self.multiple)
        if padded <= side:
            return padded
        count = -(-(padded - self.overlap) // (side - self.overlap))
        needed = -(-(padded + (count - 1) * self.overlap) // count)
        return max(round_up(needed, self.multiple), self.smallest)

    def halved(self, frame: tuple[int, ...]) -> TileSizes | None:
        """Return the sizes with the longer side halved, or a smaller batch; ``None`` at the end.

        Parameters
        ----------
        frame
            Height and width of the frame that did not fit: a tile larger than it counts as it.
        """
        if self.batch > 1:
            return replace(self, batch=self.batch // 2, shrunk=True)
        tile = [min(side, length) for side, length in zip(self.tile, frame, strict=False)]
        longer = 0 if tile[0] >= tile[1] else 1
        half = max(round_up(tile[longer] // 2, self.multiple), self.smallest)
        if half >= tile[longer]:
            return None
        tile[longer] = half
        other = 1 - longer
        tile[other] = max(round_up(tile[other], self.multiple), self.smallest)
        return replace(self, tile=(tile[0], tile[1]), shrunk=True)


def round_up(value: int, multiple: int) -> int:
    """Return the smallest multiple that is not below ``value``."""
    return -(-value // multiple) * multiple


class Workspace:
    """The grid and the buffers of one frame size, reused for every frame.

    The results are a ring that holds two rows of tiles and a batch: a row is merged as soon as
    the one above it and itself are there, so memory grows with a frame's width, not its area.
    """

    def __init__(self, shape: tuple[int, ...], sizes: TileSizes, scale: int, channels: int) -> None:
        self.grid = sizes.grid(shape[0], shape[1], scale)
        self.batch = min(sizes.batch, self.grid.count)
        height, width = self.grid.tile
        slots = min(self.grid.count, 2 * self.grid.cols + self.batch - 1)
        slots = round_up(slots, self.batch)
        self._tiles = np.empty((self.batch, channels, height, width), np.float32)
        self.results = np.empty((slots, channels, height * scale, width * scale), np.float32)

    def batch_at(self, first: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the buffers for the batch that begins with tile ``first``."""
        count = min(self.batch, self.grid.count - first)
        slot = first % len(self.results)
        return self._tiles[:count], self.results[slot : slot + count]


class Workspaces:
    """The workspaces of the last few frame sizes."""

    def __init__(self) -> None:
        self._spaces: OrderedDict[tuple[Any, ...], Workspace] = OrderedDict()

    def get(self, shape: tuple[int, ...], sizes: TileSizes, scale: int, channels: int) -> Workspace:
        """Return the workspace for frames of ``shape``, made on first use."""
        key = (shape[:2], sizes)
        space = self._spaces.get(key)
        if space is None:
            while len(self._spaces) >= _WORKSPACES_KEPT:
                self._spaces.popitem(last=False)
            space = self._spaces[key] = Workspace(shape, sizes, scale, channels)
        self._spaces.move_to_end(key)
        return space

    def clear(self) -> None:
        """Release all buffers."""
        self._spaces.clear()
