"""Tiles and results of frames of one size."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from restore_rt.tiled.sizes import TileSizes, result_slots

if TYPE_CHECKING:
    from restore_rt._cuda import Graph
    from restore_rt._ext import TileGrid
    from restore_rt.gpu.array import DeviceArray
    from restore_rt.gpu.backend import DeviceBackend
    from restore_rt.gpu.memory import Pool
    from restore_rt.model.manifest import Manifest

__all__ = ["Batch", "Space"]

# Addresses at which networks may write, in bytes.
_ALIGNED = 256


@dataclass(frozen=True)
class Batch:
    """Tiles of a frame that the network processes together.

    Attributes
    ----------
    first
        Number of the first tile.
    tiles
        The network's input.
    made
        The network's output.
    results
        Destination of the results: ``made`` itself, or the target of a copy.
    """

    first: int
    tiles: DeviceArray
    made: DeviceArray
    results: DeviceArray


class Space:
    """Grid and buffers of one frame size, used by frames in turn; results form a ring."""

    def __init__(
        self,
        size: tuple[int, int],
        sizes: TileSizes,
        manifest: Manifest,
        backend: DeviceBackend,
        pool: Pool,
    ) -> None:
        self.grid: TileGrid = sizes.grid(*size, manifest.scale)
        self.batch = min(sizes.batch, self.grid.count)
        height, width = self.grid.tile
        scale, channels = manifest.scale, manifest.channels
        results = (channels, height * scale, width * scale)
        slots = result_slots(self.grid, self.batch)
        self.tiles = pool.empty((self.batch, channels, height, width), backend.dtype)
        self.results = pool.empty((slots, *results), backend.dtype)
        # Networks write to aligned addresses alone. Where batches in the ring have none, which
        # takes odd tiles, one is written elsewhere and copied.
        batch_bytes = self.batch * math.prod(results) * backend.dtype.itemsize
        aligned = slots == self.batch or batch_bytes % _ALIGNED == 0
        self.aside = None if aligned else pool.empty((self.batch, *results), backend.dtype)
        self.graphs: OrderedDict[tuple[Any, ...], Graph | None] = OrderedDict()
        self.backend = backend
        rest = self.grid.count % self.batch
        self.shapes = [(count, channels, height, width) for count in (self.batch, rest) if count]
        for shape in self.shapes:
            backend.prepare(shape)

    def batches(self) -> Iterator[Batch]:
        """Iterate over a frame's tiles in processing order."""
        for first in range(0, self.grid.count, self.batch):
            count = min(self.batch, self.grid.count - first)
            slot = first % self.results.shape[0]
            results = self.results[slot : slot + count]
            made = results if self.aside is None else self.aside[:count]
            yield Batch(first, self.tiles[:count], made, results)
