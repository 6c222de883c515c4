"""One run over a clip: what is written of each step, and what is told of it to whom."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

import av

from restore_rt.errors import TruncatedInputError
from restore_rt.timing import StageTimes
from restore_rt.unchanged import Reuse
from restore_rt.video.conversion import Convert
from restore_rt.video.decoding import Step
from restore_rt.video.pipeline import Pipeline
from restore_rt.video.report import TruncatedVideoError, VideoReport
from restore_rt.video.restored import FrameRestorer

__all__ = ["Run"]


class Writer(Protocol):
    """Takes restored frames, and the packets of other streams."""

    @property
    def notes(self) -> list[str]:
        """What could not be kept."""

    def copy(self, packets: Iterable[av.Packet[Any]]) -> None:
        """Take packets of other streams."""

    def encode(self, frame: Any, *, pts: int, duration: int) -> None:
        """Take a restored frame."""

    def holds(self, number: int, pts: int) -> bool:
        """Whether an interrupted run wrote a frame."""

    def take_over(self, pts: int) -> None:
        """Write what that run made of it."""

    def close(self) -> None:
        """Finish the file."""

    def abort(self) -> None:
        """Leave what there is."""


class Run:
    """One run: what it does to each step, and what it tells whom."""

    def __init__(
        self,
        target: Path,
        restorer: FrameRestorer,
        on_start: Callable[[int | None], None] | None,
        on_frame: Callable[[], None] | None,
        on_note: Callable[[str], None] | None,
    ) -> None:
        self.stages = StageTimes()
        self.reuse = Reuse()
        self.frames = self.taken_over = 0
        self.notes: list[str] = []
        self.damage = ""
        self.restorer = restorer
        self._target = target
        self._begin = time.perf_counter()
        self._reruns = restorer.reruns
        self._on_start = on_start
        self._on_frame = on_frame
        self._on_note = on_note

    def note(self, *texts: str) -> None:
        """Tell what the user should know, and keep it for the report."""
        for text in texts:
            self.notes.append(text)
            if self._on_note is not None:
                self._on_note(text)

    def note_reruns(self) -> None:
        """Tell how many frames fp16 did not hold."""
        if (reruns := self.restorer.reruns - self._reruns) > 0:
            self.note(
                f"{reruns} of {self.frames} frames were run again in fp32, "
                "because fp16 did not hold them"
            )

    def start(self, total: int | None) -> None:
        """Tell how many frames there are to restore."""
        if self._on_start is not None:
            self._on_start(total)

    def finished_frame(self) -> None:
        """Count a frame that was restored and written, and tell of it."""
        self.frames += 1
        if self._on_frame is not None:
            self._on_frame()

    def write(
        self, pipeline: Pipeline, writer: Writer, convert: Convert, *, finished: int = 0
    ) -> None:
        """Write all that the source holds, and finish what was written, also if it broke midway.

        Frames that an interrupted run had finished are decoded all the same: from a place in the
        middle, decoders, filters and clocks need not give what they give from the beginning.
        """
        if finished:
            self.note(f"{finished} frames were restored before; they are only decoded again")
        self.start(pipeline.total and max(0, pipeline.total - finished))
        try:
            try:
                with closing(pipeline.steps(convert, skip=writer.holds, reuse=self.reuse)) as steps:
                    for step, picture in steps:
                        with pipeline.stages.measure("encode"):
                            self._write(writer, step, picture)
                        self._count(step, picture)
            except TruncatedInputError as error:
                self.damage = str(error)
            writer.close()
        except BaseException:
            writer.abort()
            raise
        self.note(*writer.notes, *pipeline.notes)

    def _write(self, writer: Writer, step: Step, picture: Any) -> None:
        """Write the packets of a step, and its restored frame if it has one."""
        writer.copy(step.packets)
        if step.frame is not None and picture is not None:
            writer.encode(picture, pts=step.frame.pts, duration=step.frame.duration)
        elif step.frame is not None:
            writer.take_over(step.frame.pts)

    def _count(self, step: Step, picture: Any) -> None:
        if picture is not None:
            self.finished_frame()
        elif step.frame is not None:
            self.frames += 1
            self.taken_over += 1

    def report(
        self, size: tuple[int, int], codec: str, pipeline: Pipeline | None = None
    ) -> VideoReport:
        """Return the report, or raise it where the source was damaged."""
        times = (self.stages if pipeline is None else pipeline.stages).seconds
        report = VideoReport(
            frames=self.frames,
            seconds=time.perf_counter() - self._begin,
            width=size[0],
            height=size[1],
            codec=codec,
            stages=times,
            notes=self.notes,
            workers=self.restorer.workers,
            taken_over=self.taken_over,
            waiting={} if pipeline is None else pipeline.waits.seconds,
            age=None if pipeline is None else pipeline.ages.summary,
            computed=self.reuse.computed,
        )
        if self.damage:
            raise TruncatedVideoError(f"{self.damage}; they were written to {self._target}", report)
        return report
