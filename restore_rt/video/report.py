"""What a run over a video took, and where its time went."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from restore_rt.errors import TruncatedInputError
from restore_rt.video.table import FrameAge, StageShare, StageTable

__all__ = ["StageShare", "TruncatedVideoError", "VideoReport"]


@dataclass(frozen=True)
class VideoReport:
    """The outcome of ``restore_video``.

    Attributes
    ----------
    frames
        Frames written.
    seconds
        Wall time, from opening the source to the finished file.
    width, height
        Of the result.
    codec
        Of the result.
    stages
        Busy seconds by stage; ``encode`` includes writing.
    notes
        What could not be kept, or was changed.
    workers
        Frames that were restored at once: the stages between share so many threads.
    taken_over
        Frames among all that an interrupted run had restored.
    waiting
        Seconds that the threads that decode and encode waited; see ``StageTable``.
    age
        How long frames took from decoded to delivered to the encoder; None where that was not
        measured.
    computed
        The share of the restored pictures, 0 to 1, that was computed; the rest was copied from the
        picture before, since the source is the same there.
    """

    frames: int
    seconds: float
    width: int
    height: int
    codec: str
    stages: Mapping[str, float]
    notes: list[str] = field(default_factory=list)
    workers: int = 1
    taken_over: int = 0
    waiting: Mapping[str, float] = field(default_factory=dict)
    age: FrameAge | None = None
    computed: float = 1.0

    @property
    def fps(self) -> float:
        """Frames restored per second of wall time."""
        return self.restored / self.seconds if self.seconds else 0.0

    @property
    def restored(self) -> int:
        """Frames that this run restored."""
        return self.frames - self.taken_over

    @property
    def stage_table(self) -> StageTable:
        """Busy and waiting threads, and the age of frames."""
        return StageTable(
            self.stages, self.restored, self.seconds, self.workers, self.waiting, self.age
        )

    @property
    def table(self) -> list[StageShare]:
        """Every stage that ran, decoding first and encoding last."""
        return self.stage_table.rows

    @property
    def bottleneck(self) -> str:
        """The stage to make faster: the busiest one on the busiest thread."""
        return self.stage_table.bottleneck

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "frames": self.frames,
            "taken_over": self.taken_over,
            "seconds": round(self.seconds, 4),
            "fps": round(self.fps, 3),
            "width": self.width,
            "height": self.height,
            "codec": self.codec,
            **self.stage_table.as_dict(),
            "computed": round(self.computed, 4),
            "notes": self.notes,
        }


class TruncatedVideoError(TruncatedInputError):
    """The source ended or broke early; what could be decoded was restored and written.

    Attributes
    ----------
    report
        On what was written.
    """

    def __init__(self, message: str, report: VideoReport) -> None:
        super().__init__(message)
        self.report = report
