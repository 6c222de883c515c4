"""A live source through the models of a ladder to a sink, with a bound on every queue."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Literal

import av

from restore_rt.errors import InputError, TruncatedInputError
from restore_rt.live.clock import RunClock
from restore_rt.live.governor import Governor
from restore_rt.live.queues import BoundedQueue
from restore_rt.live.report import LiveReport
from restore_rt.live.sink import Sink
from restore_rt.restorer import Restorer
from restore_rt.timing import StageTimes
from restore_rt.video.conversion import Conversion
from restore_rt.video.decoding import Step
from restore_rt.video.reader import VideoReader
from restore_rt.video.table import FrameAges, StageTable

__all__ = ["LateFrames", "LiveRun", "measure_ladder"]

LateFrames = Literal["drop", "show"]
"""What becomes of frames that would be late: they are left out, or restored all the same."""

# Frames between the model and the sink.
_READY = 2
# Seconds for threads to end.
_PATIENCE = 2.0
# Seconds between two looks at whether the run was paused, went on, or was stopped.
_LOOK = 0.02
# A frame that reading waited for, by this part of the time between two, has only just come.
_WAITED = 0.5
# The ladder is measured from its fastest rung on, for so long.
_MEASURING = 1.0


@dataclass(frozen=True)
class _Arrived:
    """A step of the source, when it arrived, and packets of steps whose frames were dropped."""

    step: Step
    time: float


@dataclass(frozen=True)
class _Ready:
    arrived: _Arrived
    picture: av.VideoFrame | None
    model: str


def measure_ladder(
    ladder: Mapping[str, Restorer], reader: VideoReader, layout: Any
) -> dict[str, float]:
    """Return the seconds that the source's first frame takes on each rung: medians of a second.

    The fastest rung is measured first. Rungs that a second does not suffice for are left out.
    """
    passes: dict[str, list[float]] = {}
    begin = time.perf_counter()

    def measure(name: str) -> float:
        convert = _conversion(ladder[name], reader, layout, StageTimes())
        started = time.perf_counter()
        prepared = convert.source(reader.first)
        restored = ladder[name](prepared.frame, out=prepared.out)
        convert.result(restored, prepared.target)
        return time.perf_counter() - started

    def left() -> float:
        return _MEASURING - (time.perf_counter() - begin)

    for name in reversed(list(ladder)):
        measure(name)  # it opens buffers
        passes[name] = [measure(name)]
        if left() < 0:
            break
    # There is nothing to choose between where there is one.
    while len(ladder) > 1 and sum(min(times) for times in passes.values()) < left():
        for name, times in passes.items():
            times.append(measure(name))
    return {name: statistics.median(times) for name, times in passes.items()}


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
    behind
        Frames that a source that does not wait may have given since it was opened, before the run.
        They are passed over where late frames are dropped.
    clock
        Of the run. While it is paused, a file is not read on, and the frames of any other source
        are passed over.
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
        behind: int = 0,
        clock: RunClock | None = None,
    ) -> None:
        if late not in ("drop", "show"):
            raise InputError(f"late is {late!r}; allowed are drop and show")
        self._reader, self._ladder, self._sink = reader, dict(ladder), sink
        self._governor, self._pace, self._waits = governor, pace, waits
        self._live = pace or not waits
        self._clock = RunClock() if clock is None else clock
        self._drops = late == "drop" and self._live
        self.stages, self.waits = StageTimes(), StageTimes()
        self.ages, self.waited = FrameAges(), FrameAges()
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._size, self._behind = queue, behind
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
        begin, start = time.perf_counter(), self._clock.now()
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
            changes=[replace(each, time=each.time - start) for each in governor.changes],
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
            asked = time.perf_counter()
            with self.stages.measure("decode"):
                step = next(steps, None)
            if step is None:
                return
            frame = step.frame
            if frame is not None and not self._waits:
                behind = self._is_behind(time.perf_counter() - asked)
                if behind or self._clock.paused:
                    frame, step = None, Step(step.packets)
            self._frames += frame is not None
            now = self._clock.now()
            if frame is not None and self._pace:
                begin = now if begin is None else begin
                due = begin + float(self._reader.seconds(frame.pts) - first)
                if not self._wait_until(due):
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
            frame, now = arrived.step.frame, self._clock.now()
            picture, name = None, ""
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
                    begin = time.perf_counter()
                    prepared = convert[name].source(frame)
                    with self.stages.measure("network"):
                        restored = self._ladder[name](prepared.frame, out=prepared.out)
                    picture = convert[name].result(restored, prepared.target)
                    with self._lock:
                        if name == self._governor.rung:
                            self._governor.restored(time.perf_counter() - begin)
            if not self._ready.put(_Ready(arrived, picture, name)):
                return

    def _is_behind(self, waited: float) -> bool:
        """Whether a frame came before the run began: all of those can be read at once.

        Parameters
        ----------
        waited
            Seconds that it took to read the frame.
        """
        self._behind = 0 if waited > _WAITED / float(self._reader.rate) else self._behind - 1
        return self._drops and self._behind > 0

    def _wait_until(self, due: float) -> bool:
        """Wait for a time of the run's clock; False if the run was stopped."""
        while (left := due - self._clock.now()) > 0:
            if self._stopped.wait(min(left, _LOOK)):
                return False
        return True

    def _deliver(self) -> None:
        while not self._stopped.is_set() and not self._sink.ended:
            with self.waits.measure("deliver"):
                there = self._ready.wait(_LOOK)
                if not there or self._clock.paused:
                    self._sink.idle()
                    self._stopped.wait(_LOOK if there else 0)
                    continue
                ready = self._ready.get()
            if ready is None:
                return
            step = ready.arrived.step
            age = self._clock.now() - ready.arrived.time
            with self.stages.measure("deliver"):
                self._sink.copy(step.packets)
                if step.frame is not None and ready.picture is not None:
                    self._sink.deliver(step.frame, ready.picture, age=age, model=ready.model)
            if ready.picture is not None:
                now = self._clock.now()
                age = now - ready.arrived.time
                self.ages.add(age)
                self._delivered += 1
                self._rungs[ready.model] += 1
                if self._live:
                    with self._lock:
                        self._governor.delivered(now, age)

    def _drop_oldest(self, oldest: _Arrived, following: _Arrived) -> _Arrived:
        """Leave out the oldest frame that waits; its sound goes along with what follows."""
        if oldest.step.frame is not None:
            with self._lock:
                self._governor.drop(self._clock.now(), newest=False)
        step = following.step
        return _Arrived(Step([*oldest.step.packets, *step.packets], step.frame), following.time)


def _conversion(
    restorer: Restorer, reader: VideoReader, layout: Any, stages: StageTimes
) -> Conversion:
    rgb = restorer.manifest.colour == "rgb"
    return Conversion(reader, layout, scale=restorer.scale, rgb=rgb, stages=stages)
