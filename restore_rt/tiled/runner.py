"""A network over frames of any size: split, network, merge, on the CPU."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from restore_rt import _ext
from restore_rt.chroma import ChromaNetwork, takes_network
from restore_rt.colour import restore_luma_apart
from restore_rt.errors import BackendError, OutOfMemoryError, RestoreError
from restore_rt.frames import Planes, not_finite
from restore_rt.model.manifest import Manifest
from restore_rt.tiled.chroma import enlarge_chroma
from restore_rt.tiled.session import OnnxRuntimeBackend
from restore_rt.tiled.sizes import SharedSizes, TileSizes, result_slots
from restore_rt.timing import StageTimes

if TYPE_CHECKING:
    import onnx

__all__ = ["TiledRunner", "Workspace", "open_tiled"]

# A picture's colour and alpha, or two sizes that take turns.
_WORKSPACES_KEPT = 2


class Workspace:
    """The grid and the buffers of one frame size, reused for every frame; results are a ring."""

    def __init__(self, shape: tuple[int, ...], sizes: TileSizes, scale: int, channels: int) -> None:
        self.grid = sizes.grid(shape[0], shape[1], scale)
        self.batch = min(sizes.batch, self.grid.count)
        height, width = self.grid.tile
        slots = result_slots(self.grid, self.batch)
        self._tiles = np.empty((self.batch, channels, height, width), np.float32)
        self.results = np.empty((slots, channels, height * scale, width * scale), np.float32)

    def batch_at(self, first: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the buffers for the batch that begins with tile ``first``."""
        count = min(self.batch, self.grid.count - first)
        slot = first % len(self.results)
        return self._tiles[:count], self.results[slot : slot + count]


class TiledRunner:
    """Restores frames in tiles: the stages are split, network and merge; a FrameRunner.

    Parameters
    ----------
    backend
        Runs the network; closed with this.
    manifest
        The manifest of the network.
    sizes
        Shared with the other instances of the same model.
    threads
        CPU threads for the kernels.
    chroma
        Enlarges the chroma of the frames that it takes.
    """

    device = "cpu"

    def __init__(
        self,
        backend: OnnxRuntimeBackend,
        manifest: Manifest,
        sizes: SharedSizes,
        threads: int,
        *,
        chroma: ChromaNetwork | None = None,
    ) -> None:
        self.threads = threads
        self.backend = backend.name
        self.precision = manifest.precision
        self.description = backend.description
        self._backend: OnnxRuntimeBackend | None = backend
        self._manifest = manifest
        self._sizes = sizes
        self._chroma = chroma
        self._spaces: OrderedDict[tuple[Any, ...], Workspace] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def tile(self) -> tuple[int, int] | None:
        """See ``FrameRunner``; memory that runs out makes it smaller."""
        return self._sizes.current.largest

    def restore_into(
        self,
        out: NDArray[Any],
        frame: NDArray[Any],
        *,
        stages: StageTimes,
        peak: float | None = None,
    ) -> None:
        """See ``FrameRunner``."""
        with self._lock:
            released = False
            while True:
                sizes = self._sizes.current
                try:
                    self._run(out, frame, sizes, stages, peak)
                    return
                except (OutOfMemoryError, MemoryError) as error:
                    failure = error
                # What other frame sizes left behind may be all that stands in the way.
                self._release()
                if released and not self._sizes.shrink(sizes, frame.shape[:2]):
                    tried = (
                        "with whole frames, which this model needs"
                        if sizes.undivided
                        else f"even with the smallest tile, {sizes.tile}"
                    )
                    raise BackendError(
                        f"out of memory {tried}: close other programs, or give smaller frames "
                        f"({failure})"
                    ) from failure
                released = True

    def restore_colour_into(
        self, out: NDArray[Any], frame: NDArray[Any], *, stages: StageTimes
    ) -> None:
        """See ``FrameRunner``; the CPU converts colour, which is the stage ``chroma``."""
        restore_luma_apart(self, out, frame, stages=stages)

    def restore_planes_into(self, out: Planes, planes: Planes, *, stages: StageTimes) -> None:
        """See ``FrameRunner``; the enlargement is the stage ``chroma``."""
        self.restore_into(out.y, planes.y, stages=stages, peak=planes.peak)
        with stages.measure("chroma"):
            if self._chroma is None or not takes_network(planes):
                enlarge_chroma(out, planes, scale=self._manifest.scale, threads=self.threads)
            elif not self._chroma.enlarge_into(out, planes, threads=self.threads):
                raise not_finite(self._manifest.name, planes.y)

    def close(self) -> None:
        """See ``FrameRunner``."""
        with self._lock:
            self._spaces.clear()
            if self._backend is not None:
                self._backend.close()
            self._backend = None

    def _release(self) -> None:
        self._spaces.clear()
        if self._backend is not None:
            self._backend.release()

    def _run(
        self,
        out: NDArray[Any],
        frame: NDArray[Any],
        sizes: TileSizes,
        stages: StageTimes,
        peak: float | None,
    ) -> None:
        if self._backend is None:
            raise RestoreError("this Restorer is closed; load the model again")
        space = self._space(frame.shape, sizes)
        grid, threads = space.grid, self.threads
        black, white = self._manifest.value_range
        plain = (black, white) == (0.0, 1.0)
        merged = 0
        for first in range(0, grid.count, space.batch):
            tiles, results = space.batch_at(first)
            with stages.measure("split"):
                _ext.split_into(tiles, frame, grid, first=first, peak=peak, threads=threads)
            with stages.measure("network"):
                if not plain:
                    tiles *= white - black
                    tiles += black
                self._backend.run(tiles, results)
                if not plain:
                    results -= black
                    results /= white - black
            rows = (first + len(tiles)) // grid.cols
            if rows == merged:
                continue
            with stages.measure("merge"):
                finite = _ext.merge_into(
                    out, space.results, grid, rows=(merged, rows), peak=peak, threads=threads
                )
            if not finite:
                raise not_finite(self._manifest.name, frame)
            merged = rows

    def _space(self, shape: tuple[int, ...], sizes: TileSizes) -> Workspace:
        key = (shape[:2], sizes)
        space = self._spaces.get(key)
        if space is None:
            while len(self._spaces) >= _WORKSPACES_KEPT:
                self._spaces.popitem(last=False)
            manifest = self._manifest
            space = Workspace(shape, sizes, manifest.scale, manifest.channels)
            self._spaces[key] = space
        self._spaces.move_to_end(key)
        return space


def open_tiled(
    network: onnx.ModelProto,
    manifest: Manifest,
    sizes: SharedSizes,
    threads: int,
    *,
    chroma: ChromaNetwork | None = None,
) -> TiledRunner:
    """Open a network in ONNX Runtime on the CPU, for frames that are cut into tiles.

    Raises
    ------
    MissingBackendError
        ONNX Runtime is not installed.
    """
    backend = OnnxRuntimeBackend(network, threads=threads)
    return TiledRunner(backend, manifest, sizes, threads, chroma=chroma)
