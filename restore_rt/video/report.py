"""What a run over a video took, and where its time went."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["StageShare", "VideoReport"]

# Decoding and encoding have a thread each, and all other stages, those of the backend among them,
# share the one between; a run is as fast as its busiest thread.
_FIRST, _LAST = "decode", "encode"


@dataclass(frozen=True)
class StageShare:
    """One stage's part of a run.

    Attributes
    ----------
    stage
        Its name.
    milliseconds
        Busy time per frame.
    share
        Busy time over wall time; stages run side by side, so that shares may exceed 1 in sum.
    """

    stage: str
    milliseconds: float
    share: float


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

    @property
    def fps(self) -> float:
        """Frames restored per second of wall time."""
        return self.restored / self.seconds if self.seconds else 0.0

    @property
    def restored(self) -> int:
        """Frames that this run restored."""
        return self.frames - self.taken_over

    @property
    def table(self) -> list[StageShare]:
        """Every stage that ran, decoding first and encoding last."""
        frames, seconds = max(self.restored, 1), max(self.seconds, 1e-9)
        return [
            StageShare(stage, self.stages[stage] / frames * 1000, self.stages[stage] / seconds)
            for thread in self._threads
            for stage in thread
        ]

    @property
    def bottleneck(self) -> str:
        """The stage to make faster: the busiest one on the busiest thread."""
        busy = self.stages
        first, middle, last = self._threads
        load = {
            tuple(stages): sum(busy[stage] for stage in stages) / threads
            for stages, threads in ((first, 1), (middle, self.workers), (last, 1))
        }
        busiest = max(load, key=lambda stages: load[stages])
        return max(busiest, key=lambda stage: busy[stage], default="")

    @property
    def _threads(self) -> tuple[list[str], ...]:
        """The stages that ran, by the thread that they ran on."""
        middle = [stage for stage in self.stages if stage not in (_FIRST, _LAST)]
        return (
            [_FIRST] if _FIRST in self.stages else [],
            middle,
            [_LAST] if _LAST in self.stages else [],
        )

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
            "stages": {
                row.stage: {
                    "ms_per_frame": round(row.milliseconds, 4),
                    "share_of_wall_time": round(row.share, 4),
                }
                for row in self.table
            },
            "bottleneck": self.bottleneck,
            "notes": self.notes,
        }
