"""What became of the frames of a live run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from restore_rt.live.governor import Change
from restore_rt.video.table import FrameAge, StageTable

__all__ = ["LiveReport"]


@dataclass(frozen=True)
class LiveReport:
    """The outcome of a live run.

    Attributes
    ----------
    frames
        Frames that the source gave.
    delivered, dropped
        Those that reached the sink, and those that were left out because they were late. If the
        run was stopped, a few frames that were in work are neither.
    late
        Frames that were delivered later than the budget allows.
    seconds
        Wall time of the run.
    rungs
        Frames delivered of each model.
    changes
        From one model to another, the newest 1,000; their times count from the beginning of
        the run.
    queues
        The most frames that waited in each queue, and how many it may hold.
    waited
        How long frames waited for the model.
    table
        Busy and waiting threads, and the age of frames from arrival to delivery.
    damage
        How the source ended early; "" if it did not.
    """

    frames: int
    delivered: int
    dropped: int
    late: int
    seconds: float
    rungs: Mapping[str, int]
    changes: list[Change]
    queues: Mapping[str, tuple[int, int]]
    waited: FrameAge | None
    table: StageTable
    damage: str = ""
    notes: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "frames": self.frames,
            "delivered": self.delivered,
            "dropped": self.dropped,
            "late": self.late,
            "seconds": round(self.seconds, 4),
            "rungs": dict(self.rungs),
            "changes": [vars(change) for change in self.changes],
            "queues": {
                name: {"longest": longest, "size": size}
                for name, (longest, size) in self.queues.items()
            },
            "waited": None if self.waited is None else self.waited.as_dict(),
            **self.table.as_dict(),
            "damage": self.damage,
            "notes": self.notes,
        }
