"""A model ready to restore frames."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, TypeVar, overload

import numpy as np
from numpy.typing import DTypeLike, NDArray

from restore_rt import _ext
from restore_rt.backends import Backend, OutOfMemoryError
from restore_rt.colour import add_luma_detail, luma_of, mean_grey
from restore_rt.errors import BackendError, InputError, NonFiniteError, RestoreError
from restore_rt.frames import Planes, as_frame, bleed_colour
from restore_rt.manifest import Manifest
from restore_rt.streaming import overlapped
from restore_rt.tiling import TileSizes, Workspaces
from restore_rt.timing import StageTimes

__all__ = ["Restorer"]

Frame = TypeVar("Frame", NDArray[Any], Planes)


class Restorer:
    """Restores frames with one model; made by ``restore_rt.load``.

    Safe to call from several threads (calls take turns). Never changes its input. A context
    manager.

    Attributes
    ----------
    manifest
        What the model says of itself.
    stages
        Busy time of ``split``, ``network``, ``merge`` and, for Y'CbCr, ``chroma``.
    """

    def __init__(
        self, backend: Backend, manifest: Manifest, *, sizes: TileSizes, threads: int
    ) -> None:
        self.manifest = manifest
        self.stages = StageTimes()
        self._backend: Backend | None = backend
        self._sizes = sizes
        self._threads = threads
        self._workspaces = Workspaces()
        self._lock = threading.Lock()

    @property
    def scale(self) -> int:
        """Output size over input size."""
        return self.manifest.scale

    @property
    def tile(self) -> tuple[int, int]:
        """The largest tile in use, height and width; memory that ran out makes it smaller."""
        return self._sizes.tile

    @property
    def description(self) -> str:
        """Model, backend and tile, for people."""
        backend = self._open_backend().description
        height, width = self.tile
        return f"{self.manifest.name} on {backend}, tiles up to {width}x{height}"

    @overload
    def __call__(self, frame: Planes, *, out: Planes | None = None) -> Planes: ...

    @overload
    def __call__(self, frame: Any, *, out: NDArray[Any] | None = None) -> NDArray[Any]: ...

    def __call__(self, frame: Any, *, out: Any = None) -> Any:
        """Restore one frame.

        Parameters
        ----------
        frame
            ``Planes``; or an array (or what speaks ``__dlpack__`` on the CPU) of shape (H, W) or
            (H, W, C), uint8, uint16 or float32, any strides. C is 1 for grey, 2 for grey and
            alpha, 3 for RGB, 4 for RGB and alpha (not premultiplied). Integers span their type,
            floats 0 to 1. A luma model takes a grey frame as Y' and restores the luma of RGB.
        out
            A frame of the output's kind, shape and dtype to write into.

        Returns
        -------
        Planes or ndarray
            ``out``, or a new frame of ``frame``'s kind and dtype, ``scale`` times as large.

        Raises
        ------
        InputError
            The frame or ``out`` has a kind, shape or dtype that is not allowed.
        NonFiniteError
            The network returned NaN or infinity.
        BackendError
            The network cannot be run.
        """
        with self._lock:
            backend = self._open_backend()
            if isinstance(frame, Planes):
                return self._restore_planes(backend, frame, out)
            return self._restore_array(backend, as_frame(frame), out)

    def stream(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Restore frames in order, reading ahead while the network works.

        ``frames`` is consumed on another thread, at most a few frames ahead of what was taken
        from the result; an error in it, or in a frame, surfaces at that frame's place. Each
        result is a frame of its own.
        """
        restore: Callable[[Frame], Frame] = self
        return overlapped(restore, frames)

    def warmup(
        self, shape: tuple[int, ...], *, dtype: DTypeLike = np.uint8, planes: bool = False
    ) -> None:
        """Prepare for frames of a shape, so that the first one is as fast as the rest.

        Parameters
        ----------
        shape
            (H, W) or (H, W, C).
        dtype
            Of the frames to come.
        planes
            Prepare for ``Planes`` with a luma of this shape.
        """
        blank = np.zeros(shape, dtype)
        before = self.stages
        self.stages = StageTimes()
        try:
            if planes:
                self(Planes(blank, bit_depth=8 if blank.dtype == np.uint8 else 16))
            else:
                self(blank)
        finally:
            self.stages = before

    def close(self) -> None:
        """Release the network and all buffers; calls after this raise. Closing twice is fine."""
        with self._lock:
            if self._backend is not None:
                self._backend.close()
            self._backend = None
            self._workspaces.clear()

    def __enter__(self) -> Restorer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _open_backend(self) -> Backend:
        if self._backend is None:
            raise RestoreError("this Restorer is closed; load the model again")
        return self._backend

    def _restore_planes(self, backend: Backend, planes: Planes, out: Planes | None) -> Planes:
        if self.manifest.colour != "luma":
            raise InputError(
                f"{self.manifest.name} is an rgb model and cannot take Y'CbCr planes; convert the "
                "frame to RGB"
            )
        scale = self.scale
        if out is None:
            out = planes.empty_like(scale)
        planes.check_output(out, scale)
        self._restore_channels(backend, planes.y, out.y, planes.peak)
        with self.stages.measure("chroma"):
            for source, target in ((planes.cb, out.cb), (planes.cr, out.cr)):
                if source is not None and target is not None:
                    _ext.upsample_plane_into(
                        target,
                        source,
                        scale=scale,
                        phase=planes.chroma_phase,
                        peak=planes.peak,
                        threads=self._threads,
                    )
        return out

    def _restore_array(
        self, backend: Backend, frame: NDArray[Any], out: NDArray[Any] | None
    ) -> NDArray[Any]:
        height, width = frame.shape[:2]
        shape = (height * self.scale, width * self.scale, *frame.shape[2:])
        if out is None:
            out = np.empty(shape, frame.dtype)
        if not isinstance(out, np.ndarray) or out.shape != shape or out.dtype != frame.dtype:
            got = f"{out.dtype} {out.shape}" if isinstance(out, np.ndarray) else repr(type(out))
            raise InputError(f"out is {got}; for this frame it must be {frame.dtype} {shape}")
        if not out.flags.writeable:
            raise InputError("out is read-only; give a writeable array")
        if np.may_share_memory(frame, out):
            raise InputError("out shares memory with the frame; give an array of its own")
        if frame.ndim == 3 and frame.shape[2] in (2, 4):
            colour = bleed_colour(frame)
            self._restore_colour(backend, colour, out[..., :-1])
            self._restore_colour(backend, frame[..., -1], out[..., -1])
        else:
            self._restore_colour(backend, frame, out)
        return out

    def _restore_colour(self, backend: Backend, frame: NDArray[Any], out: NDArray[Any]) -> None:
        grey = frame.ndim == 2 or frame.shape[2] == 1
        luma_model = self.manifest.colour == "luma"
        if grey == luma_model:
            self._restore_channels(backend, frame, out)
        elif grey:
            coloured = np.empty((*out.shape[:2], 3), out.dtype)
            shape = (*frame.shape[:2], 3)
            repeated = np.broadcast_to(frame.reshape(*frame.shape[:2], 1), shape)
            self._restore_channels(backend, repeated, coloured)
            out[...] = mean_grey(coloured).reshape(out.shape)
        else:
            luma = luma_of(frame)
            restored = np.empty(out.shape[:2], np.float32)
            self._restore_channels(backend, luma, restored)
            with self.stages.measure("chroma"):
                add_luma_detail(out, frame, restored, scale=self.scale, threads=self._threads)

    def _restore_channels(
        self,
        backend: Backend,
        frame: NDArray[Any],
        out: NDArray[Any],
        peak: float | None = None,
    ) -> None:
        """Split, network, merge, with smaller tiles when memory runs out."""
        while True:
            try:
                self._run_tiles(backend, frame, out, peak)
                return
            except (OutOfMemoryError, MemoryError) as error:
                self._workspaces.clear()
                smaller = self._sizes.halved(frame.shape[:2])
                if smaller is None:
                    raise BackendError(
                        f"out of memory even with the smallest tile, {self.tile}: close other "
                        f"programs, or give smaller frames ({error})"
                    ) from error
                if not self._sizes.shrunk:
                    warnings.warn(
                        f"out of memory with tiles of {self.tile}; going on with smaller ones "
                        f"(pass tile={smaller.tile} or less to avoid this)",
                        RuntimeWarning,
                        stacklevel=2,
                    )
                self._sizes = smaller

    def _run_tiles(
        self, backend: Backend, frame: NDArray[Any], out: NDArray[Any], peak: float | None
    ) -> None:
        manifest = self.manifest
        space = self._workspaces.get(frame.shape, self._sizes, manifest.scale, manifest.channels)
        grid, batch = space.grid, space.batch
        black, white = manifest.value_range
        merged = 0
        for first in range(0, grid.count, batch):
            tiles, results = space.batch_at(first)
            with self.stages.measure("split"):
                _ext.split_into(tiles, frame, grid, first=first, peak=peak, threads=self._threads)
            with self.stages.measure("network"):
                if (black, white) != (0.0, 1.0):
                    tiles *= white - black
                    tiles += black
                backend.run(tiles, results)
                if (black, white) != (0.0, 1.0):
                    results -= black
                    results /= white - black
            rows = (first + len(tiles)) // grid.cols
            if rows > merged:
                with self.stages.measure("merge"):
                    finite = _ext.merge_into(
                        out,
                        space.results,
                        grid,
                        rows=(merged, rows),
                        peak=peak,
                        threads=self._threads,
                    )
                if not finite:
                    raise self._not_finite(frame)
                merged = rows

    def _not_finite(self, frame: NDArray[Any]) -> RestoreError:
        if frame.dtype == np.float32 and not np.isfinite(frame).all():
            return InputError("the frame holds NaN or infinity; give finite samples")
        return NonFiniteError(
            f"{self.manifest.name} returned NaN or infinity for this frame; nothing was delivered"
        )
