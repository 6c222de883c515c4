"""What a run over a video took, and where its time went."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["STAGES", "StageShare", "VideoReport"]

# Stages by the thread that they run on; a run is as fast as its busiest thread.
_THREADS = (("decode",), ("split", "network", "merge", "chroma", "convert"), ("encode",))
STAGES = tuple(stage for thread in _THREADS for stage in thread)


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
        Frames read, restored and written.
    seconds
        Wall time, from opening the source to the finished file.
    width, height
        Of the result.
    codec
        Of the result.
    stages
        Busy seconds by stage, see ``STAGES``; ``encode`` includes writing.
    notes
        What could not be kept, or was changed.
    """

    frames: int
    seconds: float
    width: int
    height: int
    codec: str
    stages: Mapping[str, float]
    notes: list[str] = field(default_factory=list)

    @property
    def fps(self) -> float:
        """Frames per second of wall time."""
        return self.frames / self.seconds if self.seconds else 0.0

    @property
    def table(self) -> list[StageShare]:
        """Every stage that ran, in the order of a frame's way."""
        frames, seconds = max(self.frames, 1), max(self.seconds, 1e-9)
        return [
            StageShare(stage, self.stages[stage] / frames * 1000, self.stages[stage] / seconds)
            for stage in STAGES
            if stage in self.stages
        ]

    @property
    def bottleneck(self) -> str:
        """The stage to make faster: the busiest one on the busiest thread."""
        busy = {stage: self.stages.get(stage, 0.0) for stage in STAGES}
        thread = max(_THREADS, key=lambda stages: sum(busy[stage] for stage in stages))
        return max(thread, key=lambda stage: busy[stage])

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "frames": self.frames,
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
