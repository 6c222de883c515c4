"""Streams that restore only what differs from the frame before, and copy the rest."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol, runtime_checkable

from numpy.typing import NDArray

from restore_rt.frame_runner import FrameRunner
from restore_rt.frames import Planes
from restore_rt.timing import StageTimes

__all__ = ["Box", "Changes", "ChangesRunner", "LinkedFrame", "Reuse"]

Box = tuple[int, int, int, int]
"""Top, left, bottom and right, in pixels of a result's plane."""


@dataclass(frozen=True)
class Changes:
    """What of a result must be computed; all else is as in the result before.

    Attributes
    ----------
    boxes
        For each plane boxes that do not overlap; an array is one plane.
    share
        The boxes' part of the first plane.
    """

    boxes: Sequence[Sequence[Box]]
    share: float


@runtime_checkable
class ChangesRunner(FrameRunner, Protocol):
    """A FrameRunner that can restore a part of a frame, with the same result there."""

    def find_changes(self, frame: Any, before: Any) -> Changes | None:
        """Compare a frame with the one before; None if the whole is to be restored."""

    def only(self, changes: Changes) -> FrameRunner:
        """Return this runner for one frame, of which it restores only what changed."""


class Reuse:
    """Allows a stream to copy what did not change from its result before; counts the savings.

    The stream's frames and results must not be written to until the result after has come back.
    Safe to use from several threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._computed = 0.0
        self._frames = 0

    @property
    def computed(self) -> float:
        """The share of all results that was computed, 0 to 1; 1 before the first result."""
        with self._lock:
            return self._computed / self._frames if self._frames else 1.0

    def add(self, share: float) -> None:
        """Count a frame of which this share was computed."""
        with self._lock:
            self._computed += share
            self._frames += 1


class LinkedFrame:
    """A frame of a stream that knows the one before it.

    No thread waits for another: what is copied from the result before is copied by the thread that
    completes that one, if it is not complete yet.

    Parameters
    ----------
    frame
        The frame.
    before
        The frame before, if there is one.
    """

    def __init__(self, frame: Any, before: LinkedFrame | None) -> None:
        self.result: Future[Any] = Future()
        self._frame = frame
        self._before = before

    def restore(
        self,
        runner: FrameRunner,
        restore: Callable[[FrameRunner], Any],
        *,
        stages: StageTimes,
        reuse: Reuse,
    ) -> None:
        """Compute what changed; ``result`` is set once the rest has been copied, too.

        Parameters
        ----------
        runner
            Compares the frames if it can.
        restore
            Returns the result of the frame by the runner that it is given.
        stages
            Receives the time for comparing and copying, as ``reuse``.
        reuse
            Counts the frame.

        Raises
        ------
        Exception
            Whatever ``restore`` raises; ``result`` has the error as well.
        """
        before, self._before = self._before, None
        try:
            changes = None
            if before is not None and isinstance(runner, ChangesRunner):
                with stages.measure("reuse"):
                    changes = runner.find_changes(self._frame, before._frame)
            out = restore(runner if changes is None else runner.only(changes))  # type: ignore[attr-defined]
        except BaseException as error:
            self.result.set_exception(error)
            raise
        if changes is None or before is None:
            reuse.add(1.0)
            self.result.set_result(out)
            return
        reuse.add(changes.share)

        def complete(source: Future[Any]) -> None:
            try:
                with stages.measure("reuse"):
                    _copy_rest(out, source.result(), changes)
            except BaseException as error:
                self.result.set_exception(error)
            else:
                self.result.set_result(out)

        before.result.add_done_callback(complete)


def _copy_rest(out: Any, before: Any, changes: Changes) -> None:
    """Copy what did not change."""
    planes = zip(_planes_of(out), _planes_of(before), changes.boxes, strict=True)
    for target, source, boxes in planes:
        for top, left, bottom, right in _outside(boxes, *target.shape[:2]):
            target[top:bottom, left:right] = source[top:bottom, left:right]


def _planes_of(frame: Any) -> list[NDArray[Any]]:
    return frame.arrays if isinstance(frame, Planes) else [frame]


def _outside(boxes: Sequence[Box], height: int, width: int) -> Iterator[Box]:
    """Return boxes that hold all that lies in none of those given."""
    edges = {0, height, *(box[0] for box in boxes), *(box[2] for box in boxes)}
    for top, bottom in pairwise(sorted(edges)):
        left = 0
        for box in sorted(boxes, key=lambda box: box[1]):
            if box[0] <= top < box[2]:
                if left < box[1]:
                    yield top, left, bottom, box[1]
                left = box[3]
        if left < width:
            yield top, left, bottom, width
