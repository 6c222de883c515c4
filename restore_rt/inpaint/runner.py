"""Holes of frames of any size: filled, then restored from coarse to fine, in tiles."""

from __future__ import annotations

import dataclasses
import threading
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from restore_rt import _ext
from restore_rt.errors import InputError, RestoreError
from restore_rt.frame_runner import FrameRunner
from restore_rt.frames import ChannelOrder, Planes, as_frame, not_finite, output_of
from restore_rt.inpaint.filling import DEEP, RADIUS, blend_half, fill, halve, hole_depth
from restore_rt.inpaint.network import InpaintNetwork
from restore_rt.inpaint.whole import replace_holes
from restore_rt.model.manifest import Manifest
from restore_rt.tiled.sizes import TileSizes, round_up
from restore_rt.timing import StageTimes

__all__ = ["InpaintRunner", "inpaint_frame", "tile_sizes"]

# Networks look further, but what lies farther off than this changes little.
_CONTEXT = 32
# Ramps between tiles lie in holes, where two results may differ.
_FEATHER = 16

_WHOLE = (slice(None), slice(None))


def tile_sizes(
    manifest: Manifest,
    *,
    tile: int | tuple[int, int] | None = None,
    overlap: int | None = None,
    feather: int | None = None,
    fixed: tuple[int | None, int | None] = (None, None),
) -> TileSizes:
    """Return how frames are cut, see ``TileSizes.of``.

    Raises
    ------
    InputError, ModelError
        A size is not allowed for this model.
    """
    return TileSizes.of(
        dataclasses.replace(manifest, halo=min(manifest.halo, _CONTEXT)),
        tile=tile,
        overlap=overlap,
        feather=_FEATHER if feather is None and overlap is None else feather,
        batch=1,
        fixed=fixed,
    )


def inpaint_frame(
    runner: FrameRunner,
    manifest: Manifest,
    frame: Any,
    mask: NDArray[Any],
    out: Any,
    stages: StageTimes,
    order: ChannelOrder,
    *,
    soft_edge: int,
) -> NDArray[Any]:
    """Do what a ``Restorer`` does that is called with a mask.

    Raises
    ------
    InputError
        The model is for another task, or the frame, the mask or ``out`` is not allowed.
    """
    if not isinstance(runner, InpaintRunner):
        raise InputError(
            f"there is a mask, and {manifest.name} is a model for {manifest.task}: leave the mask "
            "out, or load an in-painting model"
        )
    if isinstance(frame, Planes):
        raise InputError(f"{manifest.name} takes no Y'CbCr planes; convert the frame to RGB")
    array = as_frame(frame)
    fill = partial(runner.fill, stages=stages)
    target = output_of(array, out, manifest.scale)
    return replace_holes(fill, array, mask, soft_edge=soft_edge, out=target, order=order)


class InpaintRunner:
    """Restores what masks mark; time is in proportion to the tiles that have holes.

    Parameters
    ----------
    network
        Closed with this.
    manifest
        The manifest of the network.
    sizes
        See ``tile_sizes``.
    threads
        CPU threads for the kernels.
    refines
        Whether the network refines what holes were filled with, as ours do: deep in holes it is
        given what was made of a smaller frame, and of a tile only what is near its holes. Others
        are given whole tiles, and give way to what was made of the smaller frame.
    """

    device = "cpu"

    def __init__(
        self,
        network: InpaintNetwork,
        manifest: Manifest,
        sizes: TileSizes,
        threads: int,
        *,
        refines: bool = True,
    ) -> None:
        self.threads = threads
        self.backend = network.name
        self.precision = manifest.precision
        self.description = network.description
        self._network: InpaintNetwork | None = network
        self._manifest = manifest
        self._sizes = sizes
        self._refines = refines
        self._lock = threading.Lock()

    @property
    def tile(self) -> tuple[int, int] | None:
        """See ``FrameRunner``."""
        return self._sizes.largest

    def fill(
        self, frame: NDArray[Any], holes: NDArray[np.uint8], *, stages: StageTimes
    ) -> NDArray[Any]:
        """Return a frame with its holes filled.

        Parameters
        ----------
        frame
            (H, W) or (H, W, 3), uint8, uint16 or float32.
        holes
            (H, W), 255 in holes and else 0, of which there is one at least.
        stages
            Receives the times of ``fill``, ``network`` and ``merge``.

        Raises
        ------
        BackendError
            The network failed, or memory ran out.
        NonFiniteError
            The network returned NaN or infinity.
        """
        with self._lock:
            return self._level(frame, holes, stages)

    def restore_into(
        self,
        out: NDArray[Any],
        frame: NDArray[Any],
        *,
        stages: StageTimes,
        peak: float | None = None,
    ) -> None:
        """Refuse a frame without a mask."""
        raise InputError(
            f"{self._manifest.name} replaces what a mask marks, and there is none: call it with "
            "mask=, an array of the frame's height and width"
        )

    def restore_colour_into(
        self, out: NDArray[Any], frame: NDArray[Any], *, stages: StageTimes
    ) -> None:
        """Refuse a frame without a mask."""
        self.restore_into(out, frame, stages=stages)

    def restore_planes_into(self, out: Planes, planes: Planes, *, stages: StageTimes) -> None:
        """Refuse a frame without a mask."""
        self.restore_into(out.y, planes.y, stages=stages)

    def close(self) -> None:
        """See ``FrameRunner``."""
        with self._lock:
            if self._network is not None:
                self._network.close()
            self._network = None

    def _level(
        self, frame: NDArray[Any], holes: NDArray[np.uint8], stages: StageTimes
    ) -> NDArray[Any]:
        with stages.measure("fill"):
            filled = fill(frame, holes, threads=self.threads)
            depth = hole_depth(holes)
        coarse = None
        if depth.max() > (DEEP if self._refines else self._reach):
            with stages.measure("fill"):
                half, half_holes = halve(frame, holes)
            coarse = self._level(half, half_holes, stages)
            if self._refines:
                with stages.measure("fill"):
                    blend_half(filled, coarse, depth, radius=RADIUS)
        out = filled.copy()
        self._run(out, filled, holes, stages)
        if coarse is not None and not self._refines:
            with stages.measure("fill"):
                blend_half(out, coarse, depth, radius=max(self._reach // 2, 1))
        known = holes == 0
        np.copyto(out, frame, where=known if frame.ndim == 2 else known[..., None])
        return out

    @property
    def _reach(self) -> int:
        """How deep holes may be for a tile to show what surrounds them."""
        return max(min(min(self._sizes.tile) // 4, 254), 2)

    def _run(
        self,
        out: NDArray[Any],
        filled: NDArray[Any],
        holes: NDArray[np.uint8],
        stages: StageTimes,
    ) -> None:
        """Write the network's picture into the holes of ``out``, and anything beside them."""
        if self._network is None:
            raise RestoreError("this Restorer is closed; load the model again")
        height, width = holes.shape
        grid, threads = self._sizes.grid(height, width, 1), self.threads
        channels = 1 if filled.ndim == 2 else 3
        image = np.empty((1, channels, *grid.tile), np.float32)
        mask = np.empty((1, 1, *grid.tile), np.float32)
        # Tiles without holes stay 0: no hole is where they count.
        results = np.zeros((min(2 * grid.cols, grid.count), channels, *grid.tile), np.float32)
        marked = _tiles_with_holes(grid, holes)
        for row in range(grid.rows):
            for col in np.flatnonzero(marked[row]):
                tile = row * grid.cols + int(col)
                with stages.measure("network"):
                    _ext.split_into(image, filled, grid, first=tile, threads=threads)
                    _ext.split_into(mask, holes, grid, first=tile, threads=threads)
                    y, x = _window(mask[0, 0], grid) if self._refines else _WHOLE
                    seen = np.repeat(image[..., y, x], 3 // channels, axis=1)
                    made = self._network.run(seen, np.ascontiguousarray(mask[..., y, x]))[0]
                    if channels == 1:
                        made = made.mean(axis=0, keepdims=True)
                    results[tile % len(results)][..., y, x] = made
            if not marked[row].any():
                continue
            with stages.measure("merge"):
                finite = _ext.merge_into(out, results, grid, rows=(row, row + 1), threads=threads)
            if not finite:
                raise not_finite(self._manifest.name, filled)


def _window(mask: NDArray[np.float32], grid: _ext.TileGrid) -> tuple[slice, slice]:
    """Return the rows and the columns of a tile that its holes need: theirs and what is around."""

    def span(axis: int) -> slice:
        marked = np.asarray((mask > 0).any(axis=axis))
        holes = np.flatnonzero(marked)
        begin = max(int(holes[0]) - grid.halo, 0) // grid.multiple * grid.multiple
        end = min(round_up(int(holes[-1]) + 1 + grid.halo, grid.multiple), len(marked))
        return slice(begin, end)

    return span(1), span(0)


def _tiles_with_holes(grid: _ext.TileGrid, holes: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Tell for each tile, by row and column, whether a hole is where its result may be used."""

    def spans(starts: list[int], side: int) -> list[slice]:
        last = len(starts) - 1
        return [
            slice(
                start + (grid.halo if i > 0 else 0),
                start + side - (grid.halo if i < last else 0),
            )
            for i, start in enumerate(starts)
        ]

    rows, cols = spans(grid.starts_y(), grid.tile[0]), spans(grid.starts_x(), grid.tile[1])
    return np.array([[holes[y, x].any() for x in cols] for y in rows])
