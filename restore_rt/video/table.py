"""Where the time of a run went: busy and waiting threads, and how old its frames were."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["FrameAge", "FrameAges", "StageShare", "StageTable"]

# Decoding has a thread, the last stage has another, and all other stages, those of the backend
# among them, share the threads between; a run is as fast as its busiest thread.
_FIRST, _LAST = "decode", ("encode", "deliver")
_BETWEEN = "restore"

# Ages that are kept for the percentiles.
_NEWEST = 5000


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
class FrameAge:
    """How long frames took from decoded to delivered, in seconds, over the newest 5,000.

    Attributes
    ----------
    median, p95, longest
        The age that half of the frames, 95 % of them and all of them do not exceed.
    """

    median: float = 0.0
    p95: float = 0.0
    longest: float = 0.0

    def as_dict(self) -> dict[str, float]:
        """Return it for JSON, in milliseconds."""
        return {
            "median_ms": round(self.median * 1000, 2),
            "p95_ms": round(self.p95 * 1000, 2),
            "longest_ms": round(self.longest * 1000, 2),
        }


class FrameAges:
    """Collects the ages of frames; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ages: deque[float] = deque(maxlen=_NEWEST)

    def add(self, seconds: float) -> None:
        """Add the age of a frame."""
        with self._lock:
            self._ages.append(seconds)

    @property
    def summary(self) -> FrameAge | None:
        """The newest frames' ages; None before the first."""
        with self._lock:
            ages = sorted(self._ages)
        if not ages:
            return None
        median, p95 = (ages[int(part * (len(ages) - 1))] for part in (0.5, 0.95))
        return FrameAge(median, p95, ages[-1])


@dataclass(frozen=True)
class StageTable:
    """The stages of a run over a file or a live source.

    Attributes
    ----------
    stages
        Busy seconds by stage.
    frames
        Frames that were restored.
    seconds
        Wall time.
    workers
        Frames that were restored at once.
    waiting
        Seconds that threads had nothing to do: ``decode`` waited for room, since later stages
        were slower; ``encode`` or ``deliver`` waited for a frame, since earlier ones were.
    age
        From decoded to delivered; None if no frame was delivered.
    """

    stages: Mapping[str, float]
    frames: int
    seconds: float
    workers: int = 1
    waiting: Mapping[str, float] = field(default_factory=dict)
    age: FrameAge | None = None

    @property
    def rows(self) -> list[StageShare]:
        """Every stage that ran, decoding first and delivery last."""
        frames, seconds = max(self.frames, 1), max(self.seconds, 1e-9)
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
    def waits(self) -> dict[str, float]:
        """Share of the wall time that each thread waited, ``restore`` for those between."""
        seconds = max(self.seconds, 1e-9)
        shares = {stage: waited / seconds for stage, waited in self.waiting.items()}
        if not shares:
            return {}
        busy = sum(self.stages[stage] for stage in self._threads[1])
        first = {_FIRST: shares.pop(_FIRST, 0.0)}
        return {**first, _BETWEEN: max(0.0, 1 - busy / self.workers / seconds), **shares}

    @property
    def _threads(self) -> tuple[list[str], ...]:
        """The stages that ran, by the thread that they ran on."""
        middle = [stage for stage in self.stages if stage not in (_FIRST, *_LAST)]
        return (
            [_FIRST] if _FIRST in self.stages else [],
            middle,
            [stage for stage in _LAST if stage in self.stages],
        )

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "stages": {
                row.stage: {
                    "ms_per_frame": round(row.milliseconds, 4),
                    "share_of_wall_time": round(row.share, 4),
                }
                for row in self.rows
            },
            "bottleneck": self.bottleneck,
            "waits": {stage: round(share, 4) for stage, share in self.waits.items()},
            "age": None if self.age is None else self.age.as_dict(),
        }
