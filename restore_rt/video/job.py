"""One run over a clip: what is done to each step of the file, and what is told of it to whom."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from typing import Any, Protocol, TypeVar

import av

from restore_rt.chroma import BICUBIC
from restore_rt.model.manifest import Manifest
from restore_rt.timing import StageTimes
from restore_rt.video.conversion import NO_FRAME, Conversion, Prepared
from restore_rt.video.pixels import PixelLayout
from restore_rt.video.reader import Frame, Step, VideoReader

__all__ = ["FrameRestorer", "Job"]

Carried = TypeVar("Carried")


class FrameRestorer(Protocol):
    """What ``restore_video`` needs of a ``Restorer``."""

    manifest: Manifest
    chroma: str

    @property
    def scale(self) -> int:
        """Output size over input size."""

    @property
    def workers(self) -> int:
        """Frames that ``stream_into`` restores at once."""

    @property
    def reruns(self) -> int:
        """Frames that were run again in fp32."""

    @property
    def description(self) -> str:
        """What runs the network, for people."""

    def stream_into(
        self,
        items: Iterable[tuple[Carried, Any, Any]],
        *,
        stages: StageTimes | None = None,
    ) -> Generator[tuple[Carried, Any], None, None]:
        """Restore frames in order; see ``Restorer.stream_into``."""


class _Convert(Protocol):
    """Makes frames of pictures, and of a network's results what a writer takes."""

    def source(self, decoded: Frame) -> Prepared: ...

    def result(self, restored: Any, target: av.VideoFrame | None) -> Any: ...


class _Writer(Protocol):
    """Takes restored frames, and the packets of other streams."""

    def copy(self, packets: Iterable[av.Packet[Any]]) -> None: ...

    def encode(self, frame: Any, *, pts: int, duration: int) -> None: ...

    def holds(self, number: int, pts: int) -> bool: ...

    def take_over(self, pts: int) -> None: ...


class Job:
    """One run: what it does to each step, and what it tells whom."""

    def __init__(
        self,
        restorer: FrameRestorer,
        on_start: Callable[[int | None], None] | None,
        on_frame: Callable[[], None] | None,
        on_note: Callable[[str], None] | None,
    ) -> None:
        self.stages = StageTimes()
        self.frames = self.taken_over = 0
        self.notes: list[str] = []
        self.restorer = restorer
        self._on_start = on_start
        self._on_frame = on_frame
        self._on_note = on_note

    def note(self, text: str) -> None:
        """Tell what the user should know, and keep it for the report."""
        self.notes.append(text)
        if self._on_note is not None:
            self._on_note(text)

    def note_chroma(self, reader: VideoReader) -> None:
        """Tell if the network for chroma does not take this clip's."""
        if self.restorer.chroma == BICUBIC:
            return
        siting = reader.tags.siting(centred=reader.centred_chroma)
        if not reader.layout.name.startswith("yuv420"):
            why = f"its pixel format is {reader.layout.name}, and the network is for 4:2:0"
        elif siting != "left":
            why = f"its siting is {siting}, and the network is for left"
        else:
            return
        self.note(f"chroma is enlarged by bicubic: {why}")

    def start(self, total: int | None) -> None:
        """Tell how many frames there are to restore."""
        if self._on_start is not None:
            self._on_start(total)

    def finished_frame(self) -> None:
        """Count a frame that was restored and written, and tell of it."""
        self.frames += 1
        if self._on_frame is not None:
            self._on_frame()

    def conversion(self, reader: VideoReader, layout: PixelLayout) -> Conversion:
        """Return the conversion for a video file."""
        return Conversion(
            reader,
            layout,
            scale=self.restorer.scale,
            rgb=self.restorer.manifest.colour == "rgb",
            stages=self.stages,
        )

    def run(
        self, reader: VideoReader, writer: _Writer, convert: _Convert, *, finished: int = 0
    ) -> None:
        """Restore all frames: reading and restoring run on their own threads, writing on this.

        Frames that an interrupted run had finished are decoded all the same: from a place in the
        middle, decoders, filters and clocks need not give what they give from the beginning.
        """
        if finished:
            self.note(f"{finished} frames were restored before; they are only decoded again")
        self.start(reader.total and max(0, reader.total - finished))
        reading = threading.Lock()
        stopped = False

        def items() -> Iterator[tuple[tuple[Step, av.VideoFrame | None], Any, Any]]:
            steps = reader.steps()
            number = 0
            while True:
                with reading:
                    step = None if stopped else next(steps, None)
                    if step is None:
                        return
                    prepared = NO_FRAME
                    if step.frame is not None:
                        if not writer.holds(number, step.frame.pts):
                            prepared = convert.source(step.frame)
                        number += 1
                yield (step, prepared.target), prepared.out, prepared.frame

        try:
            with closing(self.restorer.stream_into(items(), stages=self.stages)) as restored:
                for (step, target), result in restored:
                    picture = None if result is None else convert.result(result, target)
                    self._write(writer, step, picture)
        finally:
            # The file must not be closed while it is still being read.
            with reading:
                stopped = True

    def _write(self, writer: _Writer, step: Step, picture: Any) -> None:
        """Write the packets of a step, and its restored frame if it has one."""
        with self.stages.measure("encode"):
            writer.copy(step.packets)
            if step.frame is not None and picture is not None:
                writer.encode(picture, pts=step.frame.pts, duration=step.frame.duration)
            elif step.frame is not None:
                writer.take_over(step.frame.pts)
        if picture is not None:
            self.finished_frame()
        elif step.frame is not None:
            self.frames += 1
            self.taken_over += 1
