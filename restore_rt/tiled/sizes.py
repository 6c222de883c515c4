"""Sizes of tiles: what the caller and the manifest ask for, made smaller when memory runs out."""

from __future__ import annotations

import math
import threading
import warnings
from dataclasses import dataclass, replace

from restore_rt import _ext
from restore_rt.errors import InputError, ModelError
from restore_rt.model.manifest import Manifest

__all__ = ["SharedSizes", "TileSizes", "result_slots", "round_up"]

# Networks whose halo is honoured agree to within rounding where tiles meet; this hides the rest.
_DEFAULT_FEATHER = 8

# Frames of many sizes then share a few sizes of tiles: a backend prepares for each of them anew.
_STEP = 32

# No frame has longer sides.
_WHOLE = 1 << 20

# Values of a layer that libraries count in 31 bits, and channels of the widest layer at the size of
# the result that have to be expected.
_MOST_VALUES, _CHANNELS = 1 << 31, 64


def round_up(value: int, multiple: int) -> int:
    """Return the smallest multiple that is not below ``value``."""
    return -(-value // multiple) * multiple


def result_slots(grid: _ext.TileGrid, batch: int) -> int:
    """Return how many results must be kept: two rows of tiles and a batch, in whole batches.

    A row is merged as soon as the one above it and itself are there, so memory grows with a
    frame's width, not its area.
    """
    return round_up(min(grid.count, 2 * grid.cols + batch - 1), batch)


@dataclass(frozen=True)
class TileSizes:
    """How a frame is cut, in input pixels.

    Attributes
    ----------
    tile
        The largest tile, height and width.
    overlap, halo, feather
        As in ``TileGrid``.
    multiple
        Sides of a tile are multiples of this.
    batch
        Tiles in one run of the network.
    fixed
        Whether the network takes tiles of this height, and of this width, alone.
    undivided
        Whether each frame is a single tile, because the network looks at all of it.
    most
        Pixels of a tile, at most; None for no limit but ``tile``.
    """

    tile: tuple[int, int]
    overlap: int
    halo: int
    feather: int
    multiple: int
    batch: int
    fixed: tuple[bool, bool] = (False, False)
    most: int | None = None
    undivided: bool = False

    @property
    def largest(self) -> tuple[int, int] | None:
        """The largest tile; None if frames are not cut."""
        return None if self.undivided or self.whole else self.tile

    @property
    def whole(self) -> bool:
        """Whether frames are one tile, whatever their size (very large ones excepted)."""
        return min(self.tile) >= _WHOLE

    @classmethod
    def of(
        cls,
        manifest: Manifest,
        *,
        tile: int | tuple[int, int] | None,
        overlap: int | None,
        feather: int | None,
        batch: int,
        fixed: tuple[int | None, int | None] = (None, None),
        undivided: bool = False,
        whole: bool = False,
    ) -> TileSizes:
        """Replace None by the defaults.

        Parameters
        ----------
        manifest
            Gives halo, multiple and the recommended tile.
        tile, overlap, feather, batch
            As ``LoadOptions`` checked them.
        fixed
            The height and the width that a network without dynamic sizes has.
        undivided
            Whether the network looks at the whole frame.
        whole
            Let frames be one tile where ``tile`` is None, rather than have the manifest's tile.

        Raises
        ------
        InputError
            A size is not allowed; the message says what is.
        ModelError
            The network's fixed size is too small for its halo.
        """
        if undivided:
            return cls._of_whole_frames(manifest, (tile, overlap, feather), batch, fixed)
        multiple, halo = manifest.multiple, manifest.halo
        wanted = manifest.tile if tile is None else (tile, tile) if isinstance(tile, int) else tile
        if any(side % multiple for side in wanted):
            raise InputError(
                f"tile is {tile!r}; {manifest.name} takes multiples of {multiple} alone"
            )
        if feather is None:
            # Small tiles have no room for more.
            usual = min([_DEFAULT_FEATHER, *(side // 8 for side in fixed if side is not None)])
            feather = usual if overlap is None else max(0, overlap - 2 * halo)
        if overlap is None:
            overlap = 2 * halo + feather
        overlap = round_up(overlap, multiple)
        if overlap < 2 * halo + feather:
            raise InputError(
                f"overlap is {overlap} and feather {feather}; with this model's halo of {halo}, "
                f"overlap must be at least 2 x {halo} + feather"
            )
        least = _ext.TileGrid.least(overlap=overlap, feather=feather, multiple=multiple)
        sides = []
        for side, own in zip(wanted, fixed, strict=True):
            if own is not None and tile is not None and side != own:
                raise InputError(
                    f"tile is {tile!r}, but {manifest.name} takes tiles of {fixed[0]}x{fixed[1]} "
                    "alone; leave it out, or export the model with dynamic sizes"
                )
            if own is not None and own < least:
                raise ModelError(
                    f"{manifest.name} takes tiles of {own} alone; with an overlap of {overlap} "
                    f"they must be at least {least}: export it with dynamic sizes"
                )
            if tile is not None and side < least:
                raise InputError(
                    f"tile is {tile!r}; with an overlap of {overlap} its sides must be at least "
                    f"{least}: give that or more, or leave tile out"
                )
            free = round_up(_WHOLE, multiple) if whole and tile is None else max(side, least)
            sides.append(free if own is None else own)
        return cls(
            tile=(sides[0], sides[1]),
            overlap=overlap,
            halo=halo,
            feather=feather,
            multiple=multiple,
            batch=batch,
            fixed=(fixed[0] is not None, fixed[1] is not None),
            most=_MOST_VALUES // _CHANNELS // manifest.scale**2 if whole and tile is None else None,
        )

    @classmethod
    def _of_whole_frames(
        cls,
        manifest: Manifest,
        given: tuple[object, ...],
        batch: int,
        fixed: tuple[int | None, int | None],
    ) -> TileSizes:
        for name, value in zip(("tile", "overlap", "feather"), given, strict=True):
            if value is not None:
                raise InputError(
                    f"{name} is {value!r}, but {manifest.name} looks at the whole frame, which "
                    f"cannot be cut into tiles: leave {name} out"
                )
        height, width = (
            side if own is None else own for side, own in zip(manifest.tile, fixed, strict=True)
        )
        is_fixed = (fixed[0] is not None, fixed[1] is not None)
        return cls((height, width), 0, 0, 0, manifest.multiple, batch, is_fixed, undivided=True)

    def grid(self, height: int, width: int, scale: int) -> _ext.TileGrid:
        """Lay the tiles over a frame: as few as the largest tile allows, no larger than needed.

        Raises
        ------
        InputError
            The network needs whole frames, and this one is larger than its fixed size.
        """
        if self.undivided:
            self._check_whole((height, width))
        most = self._largest(height, width)
        return _ext.TileGrid(
            height,
            width,
            (self._fitted(0, height, most[0]), self._fitted(1, width, most[1])),
            overlap=self.overlap,
            halo=self.halo,
            feather=self.feather,
            scale=scale,
            multiple=self.multiple,
        )

    def halved(self, frame: tuple[int, ...]) -> TileSizes | None:
        """Return the sizes with half the batch, else half the longer side; ``None`` at the end.

        Parameters
        ----------
        frame
            Height and width of the frame that did not fit: a tile larger than it counts as it.
        """
        if self.undivided:
            return None
        if self.batch > 1:
            return replace(self, batch=self.batch // 2)
        least = _ext.TileGrid.least(
            overlap=self.overlap, feather=self.feather, multiple=self.multiple
        )
        tile = list(self.tile)
        for axis in (0, 1):
            if not self.fixed[axis]:
                tile[axis] = max(min(tile[axis], round_up(frame[axis], self.multiple)), least)
        free = [axis for axis in (0, 1) if not self.fixed[axis] and tile[axis] > least]
        if not free:
            return None
        longer = max(free, key=lambda axis: tile[axis])
        tile[longer] = max(round_up(tile[longer] // 2, self.multiple), least)
        return replace(self, tile=(tile[0], tile[1]))

    def _check_whole(self, size: tuple[int, int]) -> None:
        for name, side, most, is_fixed in zip(
            ("high", "wide"), size, self.tile, self.fixed, strict=True
        ):
            if is_fixed and side > most:
                raise InputError(
                    f"the frame is {side} pixels {name}; this model looks at the whole frame, so "
                    f"that it cannot be cut into tiles, and takes up to {most}: give smaller "
                    "frames, or export the model with dynamic sizes"
                )

    def _largest(self, *frame: int) -> list[int]:
        """Return the sides of the largest tile for a frame: as few parts of it as is allowed."""
        if self.most is None:
            return [*self.tile]
        least, counts = 2 * self.overlap + self.multiple, [1, 1]
        while True:
            even = [
                -(-(length + (count - 1) * self.overlap) // count)
                for length, count in zip(frame, counts, strict=True)
            ]
            sides = [
                min(most, round_up(side, self.multiple))
                for most, side in zip(self.tile, even, strict=True)
            ]
            longer = int(even[1] > even[0])
            if math.prod(sides) <= self.most or even[longer] <= least:
                return sides
            counts[longer] += 1

    def _fitted(self, axis: int, length: int, most: int) -> int:
        if self.fixed[axis]:
            return self.tile[axis]
        if self.undivided:
            return round_up(length, self.multiple)
        return _ext.TileGrid.fit(
            length,
            most,
            overlap=self.overlap,
            halo=self.halo,
            feather=self.feather,
            multiple=self.multiple,
            step=round_up(_STEP, self.multiple),
        )


class SharedSizes:
    """The sizes in use, shared by everything that runs one model; safe from several threads."""

    def __init__(self, sizes: TileSizes) -> None:
        self._lock = threading.Lock()
        self._sizes = sizes
        self._warned = False

    @property
    def current(self) -> TileSizes:
        """The sizes for the next frame."""
        return self._sizes

    def shrink(self, failed: TileSizes, frame: tuple[int, ...]) -> bool:
        """Halve the tile after memory ran out; warns the first time.

        Returns
        -------
        bool
            Whether smaller sizes are in use now than ``failed``.
        """
        with self._lock:
            if self._sizes != failed:
                return True
            smaller = failed.halved(frame)
            if smaller is None:
                return False
            if not self._warned:
                self._warned = True
                tried = "whole frames" if failed.whole else f"tiles of {failed.tile}"
                warnings.warn(
                    f"out of memory with {tried} in batches of {failed.batch}; "
                    f"going on with {smaller.tile} in batches of {smaller.batch}, and less if need "
                    "be (give these to load to avoid this)",
                    RuntimeWarning,
                    stacklevel=2,
                )
            self._sizes = smaller
            return True
