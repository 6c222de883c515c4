"""A model ready to restore frames."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

import numpy as np
from numpy.typing import DTypeLike, NDArray

from restore_rt.chroma import BICUBIC
from restore_rt.colour import restore_array
from restore_rt.errors import BackendError, InputError, RestoreError
from restore_rt.frame_runner import FrameRunner
from restore_rt.frames import (
    ChannelOrder,
    Planes,
    as_frame,
    check_channel_order,
    is_on_gpu,
)
from restore_rt.inpaint.runner import inpaint_frame
from restore_rt.model.manifest import Manifest
from restore_rt.streaming import overlapped
from restore_rt.timing import StageTimes
from restore_rt.unchanged import LinkedFrame, Reuse

if TYPE_CHECKING:
    from restore_rt.gpu.lane import Lane
    from restore_rt.gpu.planes import DevicePlanes
    from restore_rt.gpu.runner import GpuRunner

__all__ = ["Restorer"]

Frame = TypeVar("Frame", NDArray[Any], Planes)
Carried = TypeVar("Carried")

# Each holds buffers of its own, and more than this share the memory's bandwidth.
_MOST_WORKERS = 4
# On a GPU: one frame on its way up, one in work, one on its way down.
_IN_FLIGHT = 3


class Restorer:
    """Restores frames with one model; made by ``restore_rt.load``.

    Safe to call from several threads. Never changes its input. A context manager.

    A call uses all threads for one frame. A stream restores several frames at once, each with its
    share of the threads: that is faster, since frames need not wait for each other.

    Attributes
    ----------
    manifest
        The model's description of itself.
    stages
        Busy seconds by stage, of all frames so far except those of streams that were given
        ``stages`` of their own. The native backend has the stage ``network``, ``chroma`` where a
        network enlarges it, and ``reuse`` in streams that copy what did not change; tiles on a CPU
        have ``split``, ``network``, ``merge`` and ``chroma``; a GPU has ``upload``, ``device`` and
        ``download``, and ``chroma`` for RGB frames through a luma model; in-painting has ``fill``,
        ``network`` and ``merge``.
    path
        The file that was loaded; None if the Restorer was made without one.
    notes
        What was changed or assumed of a file that another program made, for people.
    chroma
        How chroma is enlarged beside the luma of a luma model: ``"bicubic"``, or the name of the
        network that takes 4:2:0 planes.
    """

    def __init__(
        self,
        open_runner: Callable[[int], FrameRunner],
        manifest: Manifest,
        *,
        threads: int,
        path: Path | None = None,
        lane: Lane | None = None,
        notes: tuple[str, ...] = (),
        chroma: str = BICUBIC,
    ) -> None:
        self.manifest = manifest
        self.path = path
        self.notes = notes
        self.chroma = chroma
        self.stages = StageTimes()
        self._open_runner = open_runner
        self._lane = lane
        self._runner = open_runner(threads)
        self._workers = min(threads, _MOST_WORKERS) if lane is None else _IN_FLIGHT
        self._threads_each = max(1, threads // self._workers)
        self._idle: queue.SimpleQueue[FrameRunner] = queue.SimpleQueue()
        self._opened = 0
        self._closed = False
        self._lock = threading.Lock()

    @property
    def scale(self) -> int:
        """Output size over input size."""
        return self.manifest.scale

    @property
    def workers(self) -> int:
        """Frames that a stream restores at once."""
        return self._workers

    @property
    def tile(self) -> tuple[int, int] | None:
        """The largest tile, height and width; None where frames are restored whole.

        That is so in the native backend, for networks that look at the whole frame, and on a GPU
        unless ``tile`` was given to ``load``. It gets smaller when memory runs out.
        """
        return self._runner.tile

    @property
    def reruns(self) -> int:
        """Frames whose values fp16 could not hold, so that a GPU ran them again in fp32."""
        return 0 if self._lane is None else self._lane.reruns

    @property
    def lane(self) -> Lane | None:
        """The GPU's queue of frames, for measurements; None on a CPU."""
        return self._lane

    @property
    def device(self) -> str:
        """Where the network runs: ``"cpu"``, or ``"cuda:N"`` for the GPU with number N."""
        return self._runner.device

    @property
    def backend(self) -> str:
        """The software that runs the network: ``native``, ``onnxruntime`` or ``tensorrt``."""
        return self._runner.backend

    @property
    def precision(self) -> str:
        """The least precise type that any layer computes in: fp32, fp16, bf16 or int8."""
        return self._runner.precision

    @property
    def description(self) -> str:
        """Model, backend and tile, for people."""
        beside = "" if self.chroma == BICUBIC else f" and {self.chroma}"
        text = f"{self.manifest.name}{beside} on {self._runner.description}"
        if self.tile is None:
            return text
        height, width = self.tile
        return f"{text}, tiles up to {width}x{height}"

    @overload
    def __call__(self, frame: Planes, *, out: Planes | None = None) -> Planes: ...

    @overload
    def __call__(
        self,
        frame: NDArray[Any],
        *,
        out: NDArray[Any] | None = None,
        channel_order: ChannelOrder = "rgb",
        mask: NDArray[Any] | None = None,
        soft_edge: int = 0,
    ) -> NDArray[Any]: ...

    @overload
    def __call__(self, frame: DevicePlanes, *, out: DevicePlanes | None = None) -> DevicePlanes: ...

    @overload
    def __call__(
        self,
        frame: Any,
        *,
        out: Any = None,
        channel_order: ChannelOrder = "rgb",
        mask: NDArray[Any] | None = None,
        soft_edge: int = 0,
    ) -> Any: ...

    def __call__(
        self,
        frame: Any,
        *,
        out: Any = None,
        channel_order: ChannelOrder = "rgb",
        mask: NDArray[Any] | None = None,
        soft_edge: int = 0,
    ) -> Any:
        """Restore one frame.

        Parameters
        ----------
        frame
            ``Planes``; or an array of shape (H, W) or (H, W, C), uint8, uint16 or float32, any
            strides, or any object that NumPy can read as one (a Pillow image, or an object with
            ``__dlpack__``, ``__array_interface__`` or ``__array__``). C is 1 for grey, 2 for grey
            and alpha, 3 for RGB, 4 for RGB and alpha (not premultiplied). Integers span their
            type, floats 0 to 1. A luma model takes a grey frame as Y' and restores the luma of
            RGB. A Restorer on a GPU also takes ``restore_rt.gpu.DevicePlanes``, and objects with
            ``__cuda_array_interface__`` or ``__dlpack__`` in its memory, with the network's
            channels.
        out
            A frame of the output's kind, shape and dtype to write into; after an error its
            contents are undefined.
        channel_order
            The order of the colours of an array with three or four channels, and of its result:
            ``"rgb"``, or ``"bgr"`` as in OpenCV; alpha comes last in both. Grey frames and
            ``Planes`` have none. Frames on a GPU must be RGB.
        mask
            For in-painting models, and for them alone: (H, W), bool, or uint8 where values above
            127 are replaced. All other pixels come back bit for bit.
        soft_edge
            Pixels around the mask over which the result goes over to the frame; 0 to 254.

        Returns
        -------
        Planes or ndarray
            ``out``, or a new frame of ``frame``'s kind and dtype, ``scale`` times as large: an
            array for an object that NumPy read, a ``restore_rt.gpu.DeviceFrame`` or
            ``DevicePlanes`` for a frame on a GPU.

        Raises
        ------
        InputError
            The frame or ``out`` has a kind, shape or dtype that is not allowed.
        NonFiniteError
            The network returned NaN or infinity.
        BackendError
            The network cannot be run, or memory ran out.
        """
        check_channel_order(channel_order)
        return self._restore(
            self._runner, frame, out, self.stages, channel_order, mask=mask, soft_edge=soft_edge
        )

    def stream(
        self,
        frames: Iterable[Frame],
        *,
        stages: StageTimes | None = None,
        channel_order: ChannelOrder = "rgb",
    ) -> Generator[Frame, None, None]:
        """Restore frames in order, several at once, reading ahead while they are in work.

        ``frames`` is consumed on another thread, at most a few frames ahead of what was taken
        from the result; an error in it, or in a frame, surfaces at that frame's place. Each
        result is a frame of its own. ``stages`` takes the times in place of the attribute;
        ``channel_order`` is as in a call.
        """

        def items() -> Iterator[tuple[None, None, Frame]]:
            for frame in frames:
                if frame is None:
                    as_frame(frame)  # raises the error that a call raises
                yield None, None, frame

        for _, restored in self.stream_into(items(), stages=stages, channel_order=channel_order):
            assert restored is not None
            yield restored

    def stream_into(
        self,
        items: Iterable[tuple[Carried, Frame | None, Frame | None]],
        *,
        stages: StageTimes | None = None,
        channel_order: ChannelOrder = "rgb",
        reuse: Reuse | None = None,
    ) -> Generator[tuple[Carried, Frame | None], None, None]:
        """Restore frames as ``stream`` does, into given frames, each with a value of the caller's.

        Parameters
        ----------
        items
            Tuples of a value that comes back with the result, a frame to write into (as ``out`` in
            a call, in use until it comes back; or None) and a frame. An item whose frame is None
            keeps its place in the order, and its result is None.
        stages
            Takes the times in place of the attribute.
        channel_order
            As in a call.
        reuse
            Allows the native backend to copy from the result before what is the same in every bit
            because the frame is; nothing may write to a frame or a result until the one after has
            come back. Results do not depend on it. Other backends restore all, as does this one
            where a frame has alpha, or is grey and the model takes RGB.

        Yields
        ------
        tuple
            The item's value and the restored frame.
        """
        check_channel_order(channel_order)
        times = self.stages if stages is None else stages
        if reuse is not None:
            return self._stream_linked(items, times, reuse, channel_order)

        def work(
            item: tuple[Carried, Frame | None, Frame | None],
        ) -> tuple[Carried, Frame | None]:
            carried, out, frame = item
            if frame is None:
                return carried, None
            with self._borrowed() as runner:
                restored: Frame = self._restore(runner, frame, out, times, channel_order)
            return carried, restored

        return overlapped(work, items, workers=self._workers)

    def _stream_linked(
        self,
        items: Iterable[tuple[Carried, Frame | None, Frame | None]],
        stages: StageTimes,
        reuse: Reuse,
        order: ChannelOrder,
    ) -> Generator[tuple[Carried, Frame | None], None, None]:
        """Restore frames of which each one knows the one before."""

        def linked() -> Iterator[tuple[Carried, Any, Any, LinkedFrame | None]]:
            before = None
            for carried, out, frame in items:
                link = None if frame is None else LinkedFrame(frame, before)
                before = link or before
                yield carried, out, frame, link

        def work(
            item: tuple[Carried, Any, Any, LinkedFrame | None],
        ) -> tuple[Carried, LinkedFrame | None]:
            carried, out, frame, link = item
            if link is not None:
                with self._borrowed() as runner:
                    link.restore(
                        runner,
                        lambda runner: self._restore(runner, frame, out, stages, order),
                        stages=stages,
                        reuse=reuse,
                    )
            return carried, link

        with closing(overlapped(work, linked(), workers=self._workers)) as results:
            for carried, link in results:
                yield carried, None if link is None else link.result.result()

    def warmup(
        self, shape: tuple[int, ...], *, dtype: DTypeLike = np.uint8, planes: bool = False
    ) -> None:
        """Prepare calls for frames of a shape, so that the first one is as fast as the rest.

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
        depth = 8 if blank.dtype == np.uint8 else 16
        frame = Planes(blank, bit_depth=depth) if planes else blank
        mask = None
        if self.manifest.task == "inpaint":
            mask = np.zeros(blank.shape[:2], np.bool_)
            mask[:1, :1] = mask.size > 1
        # On a GPU the second one is what a graph is recorded of.
        for _ in range(1 if self._lane is None else 2):
            self._restore(self._runner, frame, None, StageTimes(), mask=mask)

    def close(self) -> None:
        """Release all networks and buffers; calls after this raise. Closing twice is fine."""
        with self._lock:
            self._closed = True
            opened, self._opened = self._opened, 0
        self._runner.close()
        for _ in range(opened):
            self._idle.get().close()
        if self._lane is not None:
            self._lane.close()

    def __enter__(self) -> Restorer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @contextmanager
    def _borrowed(self) -> Iterator[FrameRunner]:
        """Lend one of the runners that streams use; waits until one is idle."""
        with self._lock:
            if self._closed:
                raise RestoreError("this Restorer is closed; load the model again")
            if self._opened < self._workers and self._idle.empty():
                self._idle.put(self._open_runner(self._threads_each))
                self._opened += 1
        runner = self._idle.get()
        try:
            yield runner
        finally:
            self._idle.put(runner)

    def _restore(
        self,
        runner: FrameRunner,
        frame: Any,
        out: Any,
        stages: StageTimes,
        order: ChannelOrder = "rgb",
        *,
        mask: NDArray[Any] | None = None,
        soft_edge: int = 0,
    ) -> Any:
        try:
            if mask is not None:
                return inpaint_frame(
                    runner, self.manifest, frame, mask, out, stages, order, soft_edge=soft_edge
                )
            if isinstance(frame, Planes):
                return self._restore_planes(runner, frame, out, stages)
            if not isinstance(frame, np.ndarray) and is_on_gpu(frame):
                if order != "rgb":
                    raise InputError(
                        f"channel_order is {order!r}, and the frame is in a GPU's memory, where "
                        "only 'rgb' is taken; reorder its channels there, or copy it to the CPU"
                    )
                return self._restore_on_gpu(frame, out, runner, stages)
            return restore_array(
                runner,
                as_frame(frame),
                out,
                scale=self.scale,
                luma=self.manifest.colour == "luma",
                stages=stages,
                order=order,
            )
        except MemoryError as error:
            raise BackendError(
                "out of memory for the frames themselves: close other programs, or give smaller "
                "frames"
            ) from error

    def _restore_on_gpu(self, frame: Any, out: Any, runner: FrameRunner, stages: StageTimes) -> Any:
        if self._lane is None:
            raise InputError(
                f"the frame is in a GPU's memory, and {self.manifest.name} runs on the CPU: load "
                "it with device='cuda', or copy the frame to the CPU"
            )
        from restore_rt.gpu.resident import restore_resident

        return restore_resident(cast("GpuRunner", runner), self.manifest, frame, out, stages)

    def _restore_planes(
        self, runner: FrameRunner, planes: Planes, out: Planes | None, stages: StageTimes
    ) -> Planes:
        if self.manifest.colour != "luma":
            raise InputError(
                f"{self.manifest.name} is an rgb model and cannot take Y'CbCr planes; convert the "
                "frame to RGB"
            )
        if out is None:
            out = planes.empty_like(self.scale)
        planes.check_output(out, self.scale)
        runner.restore_planes_into(out, planes, stages=stages)
        return out
