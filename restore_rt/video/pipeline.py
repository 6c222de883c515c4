"""Restored frames of a video, one after the other."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import av

from restore_rt.errors import InputError
from restore_rt.threads import available_threads
from restore_rt.timing import StageTimes
from restore_rt.unchanged import Reuse
from restore_rt.video.choices import STANDARD, Deinterlace, check_options
from restore_rt.video.conversion import NO_FRAME, Conversion, Convert, RgbConversion
from restore_rt.video.decoding import Step
from restore_rt.video.opening import Opened, open_standard_input
from restore_rt.video.pixels import PixelLayout, written_layout
from restore_rt.video.reader import VideoReader
from restore_rt.video.restored import FrameRestorer, RestoredFrame, RestoredStep
from restore_rt.video.sequences import parse_rate
from restore_rt.video.table import FrameAges, StageTable

__all__ = ["Pipeline"]

# Decoders and encoders gain little beyond this, and take memory for each thread.
_MOST_CODEC_THREADS = 16


class _Carried(NamedTuple):
    """A step on its way through the restorer."""

    step: Step
    target: av.VideoFrame | None
    decoded: float


class Pipeline:
    """Restores a video frame by frame; decoding and restoring run ahead on their own threads.

    A context manager: its threads end with the block, by ``close``, or at the end of the video.
    Iterate over it with ``for`` or ``async for``, or pass a callback to ``run``. At most a few
    frames more than the restorer's ``workers`` are in memory. One thread at a time takes frames;
    ``cancel`` may be called from any thread.

    Parameters
    ----------
    source
        A video file, an animation, numbered pictures, ``frames/%05d.png``, or ``"-"`` for standard
        input.
    restorer
        Restores the frames. The pipeline does not close it, so that others can use it too.
    pixel_format
        Of the frames to deliver: ``keep`` for the clip's depth and chroma format, a format's name
        such as ``yuv420p10``, or ``rgb``, which gives upright arrays in ``RestoredFrame.pixels``.
    deinterlace
        As for ``restore_video``.
    threads
        CPU threads for the decoder; those of the machine by default.
    fps
        Of numbered pictures, 25 by default.

    Attributes
    ----------
    width, height
        Of the frames that are delivered.
    rate
        Average frames per second.
    done
        Frames delivered since the start or the last seek.
    total
        Number of these when the pass is over; None when not known. It is exact where the file
        states it, as MP4 does, and else the duration times ``rate``; so after a seek.

    Raises
    ------
    MediaError
        The source cannot be read.
    InputError
        An option has a value that is not allowed.
    """

    def __init__(
        self,
        source: str | os.PathLike[str],
        restorer: FrameRestorer,
        *,
        pixel_format: str = "keep",
        deinterlace: Deinterlace = "auto",
        threads: int | None = None,
        fps: str | float | None = None,
    ) -> None:
        check_options(deinterlace, threads, fps)
        if not hasattr(restorer, "stream_into"):
            raise InputError(f"restorer is {restorer!r}; give what restore_rt.load returns")
        self.codec_threads = min(threads or available_threads(), _MOST_CODEC_THREADS)
        self.stages = StageTimes()
        self.waits = StageTimes()
        self.ages = FrameAges()
        self.restorer = restorer
        self.deinterlace = deinterlace
        self.fps = None if fps is None else parse_rate(fps)
        self.done = 0
        self._begin = time.perf_counter()
        self._seconds: float | None = None
        self._cancelled = threading.Event()
        self._closed = False
        self._lock = threading.RLock()
        self._running: Generator[RestoredFrame, None, None] | None = None
        self._pending: asyncio.Future[RestoredFrame | None] | None = None
        rgb = pixel_format == "rgb"
        self.reader = VideoReader(
            Path(source),
            threads=self.codec_threads,
            deinterlace=deinterlace,
            rate=self.fps,
            as_rgb=rgb,
            stages=self.stages,
            opened=self._opened(source),
        )
        try:
            self.total, self.rate = self.reader.total, self.reader.rate
            self._first = self.reader.position
            self._layout = self.reader.layout
            if not rgb:
                self._layout = _delivered_layout(self._layout, pixel_format)
            self._convert = self._upright() if rgb else self.conversion(self._layout)
            self.width, self.height = self._convert.width, self._convert.height
        except BaseException:
            self.reader.close()
            raise

    @property
    def notes(self) -> list[str]:
        """What the user should know about the source; grows while it is read."""
        return self.reader.notes

    @property
    def cancelled(self) -> bool:
        """Whether ``cancel`` was called."""
        return self._cancelled.is_set()

    @property
    def table(self) -> StageTable:
        """Where the time went so far: busy and waiting threads, and how old frames are."""
        seconds = self._seconds or time.perf_counter() - self._begin
        return StageTable(
            self.stages.seconds,
            self.stages.counts.get("deliver", self.done),
            seconds,
            self.restorer.workers,
            self.waits.seconds,
            self.ages.summary,
        )

    def __enter__(self) -> Pipeline:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop all threads and close the source. Closing twice is fine."""
        self._closed = True
        self.cancel()
        with self._lock:
            self._stop()
            self.reader.close()
            self._seconds = self._seconds or time.perf_counter() - self._begin

    def cancel(self) -> None:
        """End the iteration after the frames that are being restored; may be called anywhere.

        ``seek`` begins another one.
        """
        self._cancelled.set()

    def seek(self, seconds: float) -> None:
        """Go on with the frame that is shown at a time, from the beginning of the clip.

        ``done`` begins again at 0, and ``total`` becomes the number of frames that are left. In
        MP4, QuickTime, Matroska and WebM, decoding starts at a key frame before that time, and in
        all other formats at the beginning, which takes longer.

        Raises
        ------
        InputError
            The clip is not that long, or comes through standard input; or the pipeline is closed.
        """
        with self._lock:
            self._check_open()
            self._stop()
            self.reader.seek(seconds)
            self._cancelled.clear()
            self.done, self._seconds = 0, None
            passed = round((self.reader.position - self._first) * self.rate)
            self.total = self.reader.total and max(1, self.reader.total - passed)

    def run(self, on_frame: Callable[[RestoredFrame], None]) -> StageTable:
        """Call a function with each frame, on this thread; return where the time went."""
        for frame in self:
            on_frame(frame)
        return self.table

    def __iter__(self) -> Iterator[RestoredFrame]:
        self._check_open()
        return self

    def __next__(self) -> RestoredFrame:
        """Return the next frame.

        Raises
        ------
        TruncatedInputError
            After the last frame: the source ended early or is damaged.
        MediaError
            The source cannot be read any further.
        """
        frame = self._next()
        if frame is None:
            raise StopIteration
        return frame

    def __aiter__(self) -> Pipeline:
        self._check_open()
        return self

    async def __anext__(self) -> RestoredFrame:
        # A wait that is cancelled must not lose the frame: the next one goes on with it.
        if self._pending is None:
            self._pending = asyncio.get_running_loop().run_in_executor(None, self._next)
        pending = self._pending
        try:
            frame = await asyncio.shield(pending)
        finally:
            if pending.done():
                self._pending = None
        if frame is None:
            raise StopAsyncIteration
        return frame

    def conversion(self, layout: PixelLayout) -> Conversion:
        """Return the conversion between this source and pictures of a layout."""
        return Conversion(
            self.reader,
            layout,
            scale=self.restorer.scale,
            rgb=self.restorer.manifest.colour == "rgb",
            stages=self.stages,
        )

    def steps(
        self,
        convert: Convert,
        *,
        skip: Callable[[int, int], bool] | None = None,
        stage: str = "encode",
        reuse: Reuse | None = None,
    ) -> Generator[RestoredStep, None, None]:
        """Restore all that the source holds: its frames, with the packets of its other streams.

        Parameters
        ----------
        convert
            Makes frames for the restorer, and pictures of its results.
        skip
            Takes a frame's number and time; frames for which it returns True are not restored.
        stage
            Name of the work that the caller does with each step.
        reuse
            Allows copying what did not change from the result before, which the caller must not
            write to then; see ``Restorer.stream_into``.
        """
        reading = threading.Lock()
        stopped = False
        # The threads do not hold the pipeline: when nobody else does, it goes, and they end.
        reader, cancelled, waits = self.reader, self._cancelled, self.waits

        def items() -> Iterator[tuple[_Carried, Any, Any]]:
            steps = reader.steps()
            number = 0
            while True:
                with reading:
                    step = None if stopped or cancelled.is_set() else next(steps, None)
                    if step is None:
                        return
                    decoded = time.perf_counter()
                    prepared = NO_FRAME
                    if step.frame is not None:
                        if skip is None or not skip(number, step.frame.pts):
                            prepared = convert.source(step.frame)
                        number += 1
                carried = _Carried(step, prepared.target, decoded)
                with waits.measure("decode"):
                    yield carried, prepared.out, prepared.frame

        try:
            stream = self.restorer.stream_into(items(), stages=self.stages, reuse=reuse)
            with closing(stream) as restored:
                while not self.cancelled:
                    with self.waits.measure(stage):
                        found = next(restored, None)
                    if found is None or self.cancelled:
                        break
                    (step, target, decoded), result = found
                    picture = None if result is None else convert.result(result, target)
                    if step.frame is not None:
                        self.done += 1
                    if picture is not None:
                        self.ages.add(time.perf_counter() - decoded)
                    yield RestoredStep(step, picture)
        finally:
            # The file must not be closed while it is still being read.
            with reading:
                stopped = True

    def _opened(self, source: str | os.PathLike[str]) -> Opened | None:
        """Return standard input, if that is the source."""
        if source != STANDARD:
            return None
        if self.fps is not None:
            raise InputError(
                f"fps is {float(self.fps):g}, but standard input has times of its own; leave it out"
            )
        return open_standard_input()

    def _next(self) -> RestoredFrame | None:
        with self._lock:
            if self.cancelled:
                self._stop()
                return None
            if self._running is None:
                self._running = self._frames()
            return next(self._running, None)

    def _frames(self) -> Generator[RestoredFrame, None, None]:
        tags = self.reader.tags
        siting = tags.siting(centred=self.reader.centred_chroma)
        matrix = tags.matrix_for(self.reader.width, self.reader.height)
        start, unit = self.reader.shift(self.reader.time_base), self.reader.time_base
        with closing(self.steps(self._convert, stage="deliver")) as steps:
            for step, result in steps:
                if step.frame is None:
                    continue
                picture, pixels = None, result
                if isinstance(result, av.VideoFrame):
                    picture, pixels = result, None
                    picture.pts, picture.time_base = step.frame.pts - start, unit
                    picture.colorspace, picture.color_range = matrix, 2 if tags.is_full else 1
                frame = RestoredFrame(
                    self.done - 1,
                    float((step.frame.pts - start) * unit),
                    float(step.frame.duration * unit or 1 / self.rate),
                    picture,
                    pixels,
                    self._layout,
                    siting,
                )
                with self.stages.measure("deliver"):
                    yield frame
        self._seconds = time.perf_counter() - self._begin

    def _check_open(self) -> None:
        if self._closed:
            raise InputError(f"the pipeline of {self.reader.name} is closed; open another")

    def _stop(self) -> None:
        if self._running is not None:
            self._running.close()
            self._running = None

    def _upright(self) -> RgbConversion:
        layout = self.reader.layout
        bits = 8 if layout.bit_depth == 8 else 16
        scale = self.restorer.scale
        return RgbConversion(
            self.reader, scale=scale, bits=bits, alpha=layout.has_alpha, stages=self.stages
        )


def _delivered_layout(source: PixelLayout, pixel_format: str) -> PixelLayout:
    try:
        return written_layout(source, pixel_format, None, held=(), plays=False, hdr=False)
    except InputError as error:
        raise InputError(f"{error}; or rgb, for arrays") from None
