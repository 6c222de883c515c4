"""Chooses the model that keeps pace with a live source. Pure: it reads no clock."""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Change", "Governor"]

# A rung is chosen if its work fits this part of the time between two frames, and of the latency.
_ROOM = 0.85
# So many late frames within a second, and the rung is too slow.
_TOO_MANY = 3
_WINDOW = 1.0
# Frames that waited during a change are late for its sake: they do not count against a rung.
_SETTLING = 0.5
# Seconds without a late frame before a better rung is tried, if the present one's work tells that
# it would keep pace. They double each time that it proved too slow soon after, so that a rung on
# the edge is not tried for ever; they count for nothing where its frames are expected to take
# clearly less than they were at that try, or where it was not tried in vain.
_PATIENCE, _MOST_PATIENCE = 0.8, 60.0
_SOON = 10.0
_CLEARLY = 0.8
# Weight of the newest frame in the average work of a rung.
_NEWEST = 0.2
# Frames whose median tells how much longer work takes than was measured: one that something else on
# the machine held up says nothing about a better rung.
_TYPICAL = 5
_KEPT_CHANGES = 1000


@dataclass(frozen=True)
class Change:
    """A change from one rung to another.

    Attributes
    ----------
    time
        When, by the caller's clock, in seconds.
    before, after
        Names of the rungs.
    reason
        For people.
    """

    time: float
    before: str
    after: str
    reason: str

    def __str__(self) -> str:
        return f"{self.before} to {self.after}: {self.reason}"


class Governor:
    """Decides which rung restores the next frame.

    Parameters
    ----------
    rungs
        Names of the models, the best and slowest first.
    interval
        Seconds between two frames of the source.
    budget
        Seconds from a frame's arrival to its delivery that are allowed.
    work
        Seconds that a frame takes on each rung, as measured before the start. A rung without a
        figure is taken to be too slow.
    on_change
        Called with every change.

    Attributes
    ----------
    changes
        The newest 1,000 changes.
    late, dropped
        Frames that were delivered late, and that were not delivered.
    """

    def __init__(
        self,
        rungs: Sequence[str],
        *,
        interval: float,
        budget: float,
        work: Mapping[str, float],
        on_change: Callable[[Change], None] | None = None,
    ) -> None:
        self.changes: deque[Change] = deque(maxlen=_KEPT_CHANGES)
        self.late = self.dropped = 0
        self._rungs = list(rungs)
        self._interval, self._budget = interval, budget
        self._measured = dict(work)
        self._on_change = on_change
        self._work: float | None = None  # of the rung in use, as it is now
        self._recent: deque[float] = deque(maxlen=_TYPICAL)
        self._index = self._best()
        self._failures: deque[float] = deque(maxlen=_TOO_MANY)
        self._calm_since: float | None = None
        self._changed: float | None = None
        self._climbed: float | None = None
        self._patience = _PATIENCE
        self._hope = 0.0  # what a frame was expected to take on the rung that was climbed to
        self._tried: dict[int, float] = {}  # what it was on rungs that failed soon

    @property
    def rung(self) -> str:
        """The rung for the next frame."""
        return self._rungs[self._index]

    @property
    def work(self) -> float:
        """Seconds that the next frame will take, by those before; 0 when not known."""
        return self._measured.get(self.rung, 0.0) if self._work is None else self._work

    def is_late(self, age: float, *, newest: bool) -> bool:
        """Whether to leave out a frame, since it would be delivered too late if its work began now.

        Where the work alone takes longer than the budget, every frame is late: then the newest one
        is restored all the same.

        Parameters
        ----------
        age
            Of the frame, in seconds.
        newest
            Whether no later frame has arrived.
        """
        if self.work > self._budget:
            return not newest
        return age + self.work > self._budget

    def restored(self, work: float) -> None:
        """Take note of the seconds that a frame took on the present rung."""
        old = self._work
        self._work = work if old is None else old + _NEWEST * (work - old)
        self._recent.append(work)

    def delivered(self, now: float, age: float) -> bool:
        """Take note of a frame that was delivered; return whether it was late."""
        late = age > self._budget
        self.late += late
        self._judge(now, failed=late)
        return late

    def drop(self, now: float, *, newest: bool) -> None:
        """Take note of a frame that was not restored, since it would have been late."""
        self.dropped += 1
        if newest:
            # Nothing is restored meanwhile: without this, an estimate that leaves fresh frames too
            # little time would never be tried again.
            self._work = self.work * (1 - _NEWEST)
        self._judge(now, failed=True)

    def _best(self) -> int:
        fitting = (
            index
            for index, rung in enumerate(self._rungs)
            if self._fits(self._measured.get(rung, float("inf")))
        )
        return next(fitting, len(self._rungs) - 1)

    def _fits(self, work: float) -> bool:
        return work <= _ROOM * min(self._interval, self._budget)

    def _judge(self, now: float, *, failed: bool) -> None:
        if self._calm_since is None:
            self._calm_since = now
        if not failed:
            self._climb(now, calm=now - self._calm_since)
            return
        self._calm_since = now
        if self._changed is not None and now - self._changed < _SETTLING:
            return
        self._failures.append(now)
        if len(self._failures) == _TOO_MANY and now - self._failures[0] <= _WINDOW:
            self._descend(now)

    def _climb(self, now: float, *, calm: float) -> None:
        """Go to the best rung that would keep pace under the load that there is now."""
        if calm < _PATIENCE:
            return
        for index in range(self._index):
            expected = self._expected(index)
            lighter = expected < _CLEARLY * self._tried.get(index, float("inf"))
            if self._fits(expected) and (lighter or calm >= self._patience):
                self._calm_since = self._climbed = now
                self._hope = expected
                self._change(now, index, f"a frame would take {expected * 1000:.0f} ms there")
                return

    def _expected(self, index: int) -> float:
        """Return what a frame would take on another rung, if load slows all of them alike."""
        measured = self._measured.get(self._rungs[index], float("inf"))
        usual = self._measured.get(self.rung)
        if not usual or not self._recent:
            return measured
        return measured * statistics.median(self._recent) / usual

    def _descend(self, now: float) -> None:
        if self._index == len(self._rungs) - 1:
            return
        if self._changed is None or now - self._changed >= _SOON:
            self._patience = _PATIENCE
            self._tried.clear()
        elif self._climbed is not None:
            self._patience = min(2 * self._patience, _MOST_PATIENCE)
            self._tried[self._index] = min(self._hope, self._tried.get(self._index, self._hope))
        self._climbed = None
        self._change(now, self._index + 1, f"{_TOO_MANY} frames were late within {_WINDOW:g} s")

    def _change(self, now: float, index: int, reason: str) -> None:
        before = self.rung
        self._index = index
        self._work = None
        self._recent.clear()
        self._changed = now
        self._failures.clear()
        change = Change(now, before, self.rung, reason)
        self.changes.append(change)
        if self._on_change is not None:
            self._on_change(change)
