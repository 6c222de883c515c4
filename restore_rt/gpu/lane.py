"""A network on a GPU: split, network and merge of one frame after another, queued on one stream."""

from __future__ import annotations

import threading
import warnings
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from restore_rt import _cuda
from restore_rt._cuda import Graph
from restore_rt.errors import BackendError, OutOfMemoryError, RestoreError
from restore_rt.gpu.memory import pinned_empty
from restore_rt.gpu.space import Space
from restore_rt.gpu.task import Task
from restore_rt.gpu.transfer import copy_async, download_async, zero_async
from restore_rt.tiled.sizes import SharedSizes, TileSizes

if TYPE_CHECKING:
    from restore_rt.gpu.backend import DeviceBackend
    from restore_rt.gpu.driver import Event, Stream
    from restore_rt.gpu.memory import DeviceArray, Pool
    from restore_rt.model.manifest import Manifest

__all__ = ["Check", "Lane"]

# A picture's colour and alpha, or two sizes that take turns.
_SPACES_KEPT = 2
# A stream's frames in flight, of two sizes, and frames that callers keep on the device.
_GRAPHS_KEPT = 16
_CAPTURES_TRIED = 3
# Nearly any network is right about a black frame.
_CONTRAST = 0.02


class Check(Protocol):
    """Function that compares a network's results on the device with those on the CPU."""

    def __call__(self, tiles: Any, out: Any, wide: bool) -> None:
        """Take host copies of tiles and results; raise ``BackendError`` if they do not agree.

        ``wide`` is as in ``Lane.queue``.
        """


class Lane:
    """Queues frames one after another on a stream of its own; safe from several threads.

    Networks, tiles and results exist once, however many frames are in flight.

    Parameters
    ----------
    stream
        Stream for all work except copies.
    pool
        Memory of the GPU.
    manifest
        The network's description.
    sizes
        Of the tiles.
    open_backend
        Opens the network on that stream; with True, the same in fp32.
    check
        Checks the results for each new tile shape before they are delivered, until some had
        contrast; None for no check.
    widens
        Whether ``open_backend`` can open the network in fp32.
    graphs
        Record frames in CUDA graphs where the network can be recorded.

    Attributes
    ----------
    stream
        The given stream.
    reruns
        Number of frames that were run again in fp32, because fp16 could not hold their values.
    """

    def __init__(
        self,
        stream: Stream,
        pool: Pool,
        manifest: Manifest,
        *,
        sizes: SharedSizes,
        open_backend: Callable[[bool], DeviceBackend],
        check: Check | None,
        widens: bool = True,
        graphs: bool = True,
    ) -> None:
        self.device = pool.device
        self.pool = pool
        self.manifest = manifest
        self.reruns = 0
        self._sizes = sizes
        self._open_backend = open_backend
        self._check = check
        self._widens = widens
        self._graphs = graphs
        self._lock = threading.RLock()
        self._spaces: OrderedDict[tuple[Any, ...], Space] = OrderedDict()
        self._closed = False
        self._agreed: set[tuple[bool, tuple[int, ...]]] = set()
        self._captures_failed = 0
        self._uncapturable = ""
        self.stream = stream
        with self.device.active(), self.device.busy():
            self._backends = {False: open_backend(False)}

    @property
    def backend(self) -> str:
        """The backend that runs the network."""
        return self._backends[False].name

    @property
    def tile(self) -> tuple[int, int] | None:
        """Height and width of the largest tile, which memory may reduce; None for whole frames."""
        return self._sizes.current.largest

    @property
    def description(self) -> str:
        """Library, version, settings and device, for people."""
        text = self._backends[False].description
        if self._captures_failed == _CAPTURES_TRIED:
            text += f", without CUDA graphs ({self._uncapturable})"
        elif not self._graphs:
            text += ", without CUDA graphs"
        return text

    @property
    def can_widen(self) -> bool:
        """Whether the network can run in fp32 when fp16 cannot hold its values."""
        return self._widens and self.manifest.precision == "fp16"

    def queue(self, task: Task, *, after: Event | None, wide: bool = False) -> Event:
        """Queue a frame.

        Parameters
        ----------
        task
            The frame; its buffers must be kept until the returned event is done.
        after
            Event that the input waits for.
        wide
            Run the network in fp32, because fp16 did not hold its values.

        Returns
        -------
        Event
            Done when the output is complete.

        Raises
        ------
        BackendError
            The network failed, differs from the CPU, or memory runs out even with the smallest
            tile.
        """
        with self._lock, self.device.active():
            self._refuse_closed()
            if wide:
                self._count_rerun()
            if after is not None:
                self.stream.wait(after)
            released = False
            while True:
                sizes = self._sizes.current
                try:
                    self._run(task, sizes, wide)
                    break
                except (OutOfMemoryError, MemoryError) as error:
                    failure = error
                except BaseException:
                    self.finish()
                    raise
                # What other frame sizes left behind may be all that stands in the way.
                self.release()
                if released and not self._sizes.shrink(sizes, task.size):
                    raise BackendError(
                        f"{self.device.name} is out of memory even with the smallest tile, "
                        f"{sizes.tile}: end other programs that use it, or give smaller frames "
                        f"({failure})"
                    ) from failure
                released = True
            done = self.device.event()
            done.record(self.stream)
            return done

    def queue_network(self, size: tuple[int, int]) -> None:
        """Queue the network alone for all tiles of a frame of a size, to measure it.

        It reads the tiles' present contents, and its results are discarded.

        Raises
        ------
        OutOfMemoryError, BackendError
            The network failed.
        """
        with self._lock, self.device.active():
            self._refuse_closed()
            space = self._space(size, self._sizes.current, self._backends[False], False)

            def enqueue() -> None:
                for batch in space.batches():
                    space.backend.enqueue(batch.tiles, batch.made)

            self._launch(("network",), space, enqueue)

    def finish(self) -> None:
        """Wait until no work on a frame is left, even after an error."""
        with self._lock, self.device.active(), suppress(BackendError):
            self.stream.synchronize()

    def release(self) -> None:
        """Wait for all frames, and release the memory kept for further ones."""
        with self._lock, self.device.active():
            self.stream.synchronize()
            self._spaces.clear()
            for backend in self._backends.values():
                backend.release()
            self.pool.trim()

    def close(self) -> None:
        """Wait for all frames and release everything; closing twice is fine."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            with self.device.active():
                self.release()
                for backend in self._backends.values():
                    backend.close()

    def _refuse_closed(self) -> None:
        if self._closed:
            raise RestoreError("this Restorer is closed; load the model again")

    def _count_rerun(self) -> None:
        self.reruns += 1
        if self.reruns == 1:
            warnings.warn(
                f"{self.manifest.name} gave NaN or infinity in fp16 for a frame; such frames are "
                "run again in fp32, which takes longer (an fp32 model, or precision='fp32', "
                "avoids this)",
                RuntimeWarning,
                stacklevel=2,
            )

    def _run(self, task: Task, sizes: TileSizes, wide: bool) -> None:
        backend = self._backends.get(wide)
        if backend is None:
            with self.device.busy():
                backend = self._backends[wide] = self._open_backend(wide)
        space = self._space(task.size, sizes, backend, wide)
        judged = (wide, space.shapes[0])
        unknown = self._check is not None and judged not in self._agreed
        if unknown and self._agrees(task, space, wide):
            self._agreed.add(judged)
        zero_async(task.flag, self.stream)
        self._launch(task.key, space, lambda: self._enqueue(task, space))

    def _launch(self, key: tuple[Any, ...], space: Space, enqueue: Callable[[], None]) -> None:
        """Queue work that its key determines: as a graph, if possible."""
        may = self._graphs and space.backend.capturable
        graph = self._graph(key, space, enqueue) if may else None
        if graph is None:
            enqueue()
        else:
            graph.launch(self.stream.handle)

    def _graph(
        self, key: tuple[Any, ...], space: Space, enqueue: Callable[[], None]
    ) -> Graph | None:
        """Return work as a graph; None the first time, when libraries allocate memory."""
        graphs = space.graphs
        graph = graphs.get(key)
        if graph is None and key in graphs and self._captures_failed < _CAPTURES_TRIED:
            graph = self._capture(enqueue)
        if key not in graphs and len(graphs) >= _GRAPHS_KEPT:
            # It may be running.
            self.stream.synchronize()
            graphs.popitem(last=False)
        graphs[key] = graph
        graphs.move_to_end(key)
        return graph

    def _capture(self, enqueue: Callable[[], None]) -> Graph | None:
        """Record work as a graph; None if it cannot be recorded, which only costs speed."""
        with self.device.capturing() as may:
            if not may:
                return None
            try:
                return Graph.capture(self.stream.handle, enqueue)
            except BackendError as error:
                # Other libraries may have done what a capture forbids; or this one never can.
                self._captures_failed += 1
                self._uncapturable = str(error)
                return None

    def _space(
        self, size: tuple[int, int], sizes: TileSizes, backend: DeviceBackend, wide: bool
    ) -> Space:
        key = (size, sizes, wide)
        space = self._spaces.get(key)
        if space is None:
            while len(self._spaces) >= _SPACES_KEPT:
                self._drop(self._spaces.popitem(last=False)[1])
            with self.device.busy():
                space = Space(size, sizes, self.manifest, backend, self.pool)
            self._spaces[key] = space
        self._spaces.move_to_end(key)
        return space

    def _drop(self, space: Space) -> None:
        """Drop a frame size, and the network's resources that only this size needs."""
        # Frames in work may be using it.
        self.stream.synchronize()
        kept = [s.shapes for s in self._spaces.values() if s.backend is space.backend]
        for shape in space.shapes:
            if not any(shape in shapes for shapes in kept):
                space.backend.release(shape)

    def _enqueue(self, task: Task, space: Space) -> None:
        grid = space.grid
        common = self._kernel_options(task)
        merged = 0
        for batch in space.batches():
            _cuda.split_into(batch.tiles, task.frame, grid, first=batch.first, **common)
            space.backend.enqueue(batch.tiles, batch.made)
            if batch.made is not batch.results:
                copy_async(batch.results, batch.made, self.stream)
            rows = (batch.first + batch.tiles.shape[0]) // grid.cols
            if rows > merged:
                _cuda.merge_into(
                    task.out, space.results, grid, flag=task.flag, rows=(merged, rows), **common
                )
                merged = rows
        for plane in task.chroma:
            _cuda.upsample_into(
                plane.target,
                plane.source,
                scale=self.manifest.scale,
                phase=task.phase,
                peak=task.peak,
                shift=task.shift,
                stream=self.stream.handle,
            )

    def _agrees(self, task: Task, space: Space, wide: bool) -> bool:
        """Check the results of a frame's first tiles; False if they had too little contrast."""
        results = space.results[: space.batch]
        _cuda.split_into(space.tiles, task.frame, space.grid, **self._kernel_options(task))
        space.backend.enqueue(space.tiles, results)
        out = self._fetch(results)
        if not np.isfinite(out).all():
            # The frame's flag will tell, and fp32 may hold what this did not.
            return False
        tiles = self._fetch(space.tiles)
        assert self._check is not None
        self._check(tiles, out, wide)
        black, white = self.manifest.value_range
        return bool(tiles.std(dtype=np.float32) > _CONTRAST * (white - black))

    def _kernel_options(self, task: Task) -> dict[str, Any]:
        black, white = self.manifest.value_range
        return {
            "peak": task.peak,
            "shift": task.shift,
            "black": black,
            "white": white,
            "stream": self.stream.handle,
        }

    def _fetch(self, array: DeviceArray) -> Any:
        host = pinned_empty(array.shape, array.dtype)
        download_async(host, array, self.stream)
        self.stream.synchronize()
        return host
