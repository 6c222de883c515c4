"""A live source through the models of a ladder to a sink, with a bound on every queue."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import av

from restore_rt.errors import InputError, TruncatedInputError
from restore_rt.live.governor import Change, Governor
from restore_rt.live.queues import BoundedQueue
from restore_rt.live.sinks import Sink
from restore_rt.restorer import Restorer
from restore_rt.timing import StageTimes
from restore_rt.video.conversion import Conversion
from restore_rt.video.decoding import Step
from restore_rt.video.reader import VideoReader
from restore_rt.video.table import FrameAge, FrameAges, StageTable

__all__ = ["LateFrames", "LiveReport", "LiveRun", "measure_ladder"]

LateFrames = Literal["drop", "show"]
"""What becomes of frames that would be late: they are left out, or restored all the same."""

# Frames between the model and the sink.
_READY = 2
# Seconds for threads to end.
_PATIENCE = 2.0
# The ladder is measured from its fastest rung on, for so long.
_MEASURING = 1.0


@dataclass(frozen=True)
class LiveReport:
    """The outcome of a live run.

    Attributes
    ----------
    frames
        Frames that the source gave.
    delivered, dropped
        Those that reached the sink, and those that were left out because they were late. If the
        run was stopped, a few frames are neither.
    late
        Frames that were delivered later than the budget allows.
    seconds
        Wall time of the run.
    rungs
        Frames restored by each model.
    changes
        From one model to another, the newest 1,000.
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


@dataclass(frozen=True)
class _Arrived:
    """A step of the source, when it arrived, and packets of steps whose frames were dropped."""

    step: Step
    time: float


@dataclass(frozen=True)
class _Ready:
    arrived: _Arrived
    picture: av.VideoFrame | None


def measure_ladder(
    ladder: Mapping[str, Restorer], reader: VideoReader, layout: Any
) -> dict[str, float]:
    """Return the seconds that the source's first frame takes on each rung, the fastest first.

    Rungs that a second does not suffice for are left out.
    """
    work: dict[str, float] = {}
    begin = time.perf_counter()
    for name, restorer in reversed(list(ladder.items())):
        convert = _conversion(restorer, reader, layout, StageTimes())
        for _ in range(2):  # the first one opens buffers
            frame = reader.first
            started = time.perf_counter()
            prepared = convert.source(frame)
            restored = restorer(prepared.frame, out=prepared.out)
            convert.result(restored, prepared.target)
            work[name] = time.perf_counter() - started
        if time.perf_counter() - begin > _MEASURING:
            break
    return work


class LiveRun:
    """Restores a live source: reading, restoring and delivering have a thread each.

    Parameters
    ----------
    reader
        Of the source.
    ladder
        The models by name, the best and slowest first; all of one scale and kind of colour.
    sink
        Takes the results.
    governor
        Chooses the model for each frame; its rungs are the names in ``ladder``.
    late
        ``drop`` leaves out frames that would be late, ``show`` restores them all the same.
    pace
        Give out frames at the times that the source states, as a camera would.
    waits
        The source can be read at any speed. Without ``pace`` no frame of it is late then, and
        the model stays the one that was chosen at the start.
    queue
        Frames that may wait for the model.
    """

    def __init__(
        self,
        reader: VideoReader,
        ladder: Mapping[str, Restorer],
        sink: Sink,
        governor: Governor,
        *,
        late: LateFrames = "drop",
        pace: bool = False,
        waits: bool = True,
        queue: int = 4,
    ) -> None:
        if late not in ("drop", "show"):
            raise InputError(f"late is {late!r}; allowed are drop and show")
        self._reader, self._ladder, self._sink = reader, dict(ladder), sink
        self._governor, self._pace = governor, pace
        self._live = pace or not waits
        self._drops = late == "drop" and self._live
        self.stages, self.waits = StageTimes(), StageTimes()
        self.ages, self.waited = FrameAges(), FrameAges()
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._size = queue
        make_room = self._drop_oldest if self._drops else None
        self._arrived: BoundedQueue[_Arrived] = BoundedQueue(queue, make_room)
        self._ready: BoundedQueue[_Ready] = BoundedQueue(_READY)
        self._frames = self._delivered = 0
        self._rungs = dict.fromkeys(self._ladder, 0)
        self._failure: BaseException | None = None
        self._damage = ""

    def stop(self) -> None:
        """End now; may be called from any thread."""
        self._stopped.set()
        self._ready.stop()

    def run(self) -> LiveReport:
        """Run until the source ends, ``stop`` is called, or Ctrl-C; return what happened.

        The reader is closed then.

        Raises
        ------
        MediaError, OutputError, BackendError
            Reading, writing or restoring failed.
        """
        begin = time.perf_counter()
        threads = [
            threading.Thread(target=self._guarded, args=(work, queue), name=name, daemon=True)
            for work, queue, name in (
                (self._read, self._arrived, "restore_rt-live-read"),
                (self._restore, self._ready, "restore_rt-live-restore"),
            )
        ]
        for thread in threads:
            thread.start()
        try:
            with suppress(KeyboardInterrupt):
                self._deliver()
            if self._failure is not None:
                raise self._failure
            self._sink.close()
        except BaseException:
            self._sink.abort()
            raise
        finally:
            self._stopped.set()
            self._arrived.stop()
            self._ready.stop()
            for thread in threads:
                thread.join(_PATIENCE)
            # A source that is silent holds its thread, which then ends with the process.
            if not threads[0].is_alive():
                self._reader.close()
        governor = self._governor
        seconds = time.perf_counter() - begin
        return LiveReport(
            frames=self._frames,
            delivered=self._delivered,
            dropped=governor.dropped,
            late=governor.late,
            seconds=seconds,
            rungs=self._rungs,
            changes=list(governor.changes),
            queues={
                "arrived": (self._arrived.longest, self._size),
                "ready": (self._ready.longest, _READY),
            },
            waited=self.waited.summary,
            table=StageTable(
                self.stages.seconds,
                self._delivered,
                seconds,
                waiting=self.waits.seconds,
                age=self.ages.summary,
            ),
            damage=self._damage,
        )

    def _guarded(self, work: Any, queue: BoundedQueue[Any]) -> None:
        try:
            work()
        except TruncatedInputError as error:
            self._damage = str(error)
        except BaseException as error:
            self._failure = error
        queue.end()

    def _read(self) -> None:
        steps = iter(self._reader.steps())
        begin: float | None = None
        first = self._reader.position
        while not self._stopped.is_set():
            with self.stages.measure("decode"):
                step = next(steps, None)
            if step is None:
                return
            now = time.perf_counter()
            self._frames += step.frame is not None
            if step.frame is not None and self._pace:
                begin = now if begin is None else begin
                due = begin + float(self._reader.seconds(step.frame.pts) - first)
                if due > now and self._stopped.wait(due - now):
                    return
                now = max(due, now)
            with self.waits.measure("decode"):
                if not self._arrived.put(_Arrived(step, now)):
                    return

    def _restore(self) -> None:
        convert = {
            name: _conversion(restorer, self._reader, self._sink.layout, self.stages)
            for name, restorer in self._ladder.items()
        }
        while (arrived := self._arrived.get()) is not None:
            frame, now = arrived.step.frame, time.perf_counter()
            picture = None
            if frame is not None:
                with self._lock:
                    self.waited.add(now - arrived.time)
                    newest = not self._arrived.waiting
                    dropped = self._drops and self._governor.is_late(
                        now - arrived.time, newest=newest
                    )
                    if dropped:
                        self._governor.drop(now, newest=newest)
                    name = self._governor.rung
                if dropped:
                    arrived = replace(arrived, step=Step(arrived.step.packets))
                else:
                    prepared = convert[name].source(frame)
                    with self.stages.measure("network"):
                        restored = self._ladder[name](prepared.frame, out=prepared.out)
                    picture = convert[name].result(restored, prepared.target)
                    with self._lock:
                        self._rungs[name] += 1
                        if name == self._governor.rung:
                            self._governor.restored(time.perf_counter() - now)
            if not self._ready.put(_Ready(arrived, picture)):
                return

    def _deliver(self) -> None:
        while not self._stopped.is_set():
            with self.waits.measure("deliver"):
                ready = self._ready.get()
            if ready is None:
                return
            step = ready.arrived.step
            with self.stages.measure("deliver"):
                self._sink.copy(step.packets)
                if step.frame is not None and ready.picture is not None:
                    self._sink.encode(
                        ready.picture, pts=step.frame.pts, duration=step.frame.duration
                    )
            if ready.picture is not None:
                now = time.perf_counter()
                age = now - ready.arrived.time
                self.ages.add(age)
                self._delivered += 1
                if self._live:
                    with self._lock:
                        self._governor.delivered(now, age)

    def _drop_oldest(self, oldest: _Arrived, following: _Arrived) -> _Arrived:
        """Leave out the oldest frame that waits; its sound goes along with what follows."""
        if oldest.step.frame is not None:
            with self._lock:
                self._governor.drop(time.perf_counter(), newest=False)
        step = following.step
        return _Arrived(Step([*oldest.step.packets, *step.packets], step.frame), following.time)


def _conversion(
    restorer: Restorer, reader: VideoReader, layout: Any, stages: StageTimes
) -> Conversion:
    rgb = restorer.manifest.colour == "rgb"
    return Conversion(reader, layout, scale=restorer.scale, rgb=rgb, stages=stages)
