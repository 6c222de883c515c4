"""Streams as queues: what is queued runs late, in any order that streams and events allow."""

from __future__ import annotations

import random
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

__all__ = ["Captured", "Mark", "MisuseError", "Queue", "Queues", "Span"]

# Bytes that work touches: where they begin, and how many.
Span = tuple[int, int]


class MisuseError(Exception):
    """What CUDA would refuse, or what it would take and then do wrong."""


@dataclass
class Mark:
    """An event: the places in queues where it was recorded."""

    queued: int = 0
    reached: int = 0
    queue: Queue | None = None
    # When it was last reached, on the host's clock.
    when: float = 0.0


@dataclass
class _Work:
    run: Callable[[], None]
    spans: Sequence[Span] = ()

    def ready(self) -> bool:
        return True


@dataclass
class _Record:
    mark: Mark
    number: int
    spans: Sequence[Span] = ()

    def ready(self) -> bool:
        return True

    def run(self) -> None:
        self.mark.reached = max(self.mark.reached, self.number)
        self.mark.when = time.perf_counter()


@dataclass
class _Wait:
    mark: Mark
    number: int
    # Where it was recorded; it may be recorded elsewhere later.
    source: Queue | None
    spans: Sequence[Span] = ()

    def ready(self) -> bool:
        return self.mark.reached >= self.number

    def run(self) -> None:
        pass


@dataclass
class Captured:
    """Work that was recorded instead of being queued."""

    works: list[_Work] = field(default_factory=list)
    thread: int = field(default_factory=threading.get_ident)


@dataclass(eq=False)
class Queue:
    """A stream."""

    handle: int
    device: int
    works: deque[_Work | _Record | _Wait] = field(default_factory=deque)
    alive: bool = True
    captured: Captured | None = None
    weight: float = 1.0


class Queues:
    """All streams, and who runs next.

    Parameters
    ----------
    seed
        Decides the order. Besides the orders that draw lots there are those that run nothing but
        what somebody waits for, and those in which some streams are far quicker than others.
    """

    def __init__(self, seed: int) -> None:
        self.lock = threading.RLock()
        self.queues: dict[int, Queue] = {}
        self.ran = 0
        self._random = random.Random(seed)
        self._needed_alone = self._random.random() < 0.25
        self._eager = self._random.choice([0.0, 0.0, 0.1, 0.5, 0.9])
        self._uneven = self._random.random() < 0.6
        self._running = False

    def add(self, handle: int, device: int) -> Queue:
        """Add a stream."""
        queue = self.queues[handle] = Queue(handle, device)
        queue.weight = self._weight()
        return queue

    def find(self, handle: int) -> Queue:
        """Return the stream of a handle."""
        queue = self.queues.get(handle)
        if queue is None or not queue.alive:
            raise MisuseError(f"{handle:#x} is no stream, or none any more")
        return queue

    def put(self, queue: Queue, run: Callable[[], None], spans: Sequence[Span] = ()) -> None:
        """Queue work, or record it where the stream is captured."""
        work = _Work(run, spans)
        if queue.captured is not None:
            queue.captured.works.append(work)
            return
        queue.works.append(work)
        self._maybe_run()

    def record(self, mark: Mark, queue: Queue) -> None:
        """Queue the recording of an event."""
        self._refuse_captured(queue)
        mark.queued += 1
        mark.queue = queue
        queue.works.append(_Record(mark, mark.queued))
        self._maybe_run()

    def wait(self, mark: Mark, queue: Queue) -> None:
        """Let a stream wait for an event as it was last recorded."""
        self._refuse_captured(queue)
        queue.works.append(_Wait(mark, mark.queued, mark.queue))
        self._maybe_run()

    def is_reached(self, mark: Mark) -> bool:
        """Tell whether an event has come; time passes with each question."""
        if mark.queue is not None:
            self._refuse_captured(mark.queue)
        for _ in range(self._random.randrange(4)):
            self._step(None)
        return mark.reached >= mark.queued

    def milliseconds(self, begin: Mark, end: Mark) -> float:
        """Return the time between two events that have come."""
        return (end.when - begin.when) * 1e3

    def finish_mark(self, mark: Mark) -> None:
        """Run until an event has come."""
        if mark.queue is not None:
            self._refuse_captured(mark.queue)
        number, queue = mark.queued, mark.queue
        while mark.reached < number:
            self._must_step(queue)
        self._maybe_run()

    def finish(self, queue: Queue) -> None:
        """Run until a stream is empty."""
        self._refuse_captured(queue)
        while queue.works:
            self._must_step(queue)
        self._maybe_run()

    def finish_all(self) -> None:
        """Run everything."""
        for queue in self.queues.values():
            self._refuse_captured(queue)
        while any(queue.works for queue in self.queues.values()):
            self._must_step(None)

    def begin(self, queue: Queue) -> None:
        """Begin to capture a stream."""
        self._refuse_captured(queue)
        queue.captured = Captured()

    def end(self, queue: Queue) -> Captured:
        """End it."""
        captured, queue.captured = queue.captured, None
        if captured is None:
            raise MisuseError("the stream is not being captured")
        return captured

    def launch(self, queue: Queue, captured: Captured) -> None:
        """Queue what was captured; it must live until then."""
        self._refuse_captured(queue)
        alive = weakref.ref(captured)
        for place in range(len(captured.works)):
            queue.works.append(_Work(_Replay(alive, place).run, captured.works[place].spans))
        self._maybe_run()

    def is_capturing(self, *, thread: int | None = None) -> bool:
        """Tell whether any stream is captured, by a thread or by any."""
        return any(
            queue.captured is not None and thread in (None, queue.captured.thread)
            for queue in self.queues.values()
        )

    def pending_on(self, start: int, size: int) -> bool:
        """Tell whether work that has not run is known to touch a piece of memory."""
        return any(
            at < start + size and start < at + count
            for queue in self.queues.values()
            for work in queue.works
            for at, count in work.spans
        )

    def _refuse_captured(self, queue: Queue) -> None:
        if queue.captured is not None:
            raise MisuseError("operation not permitted when stream is capturing")

    def _maybe_run(self) -> None:
        while self._random.random() < self._eager and self._step(None):
            pass

    def _must_step(self, queue: Queue | None) -> None:
        wanted = queue if self._needed_alone else None
        if not self._step(wanted):
            raise MisuseError("what is waited for can never come")

    def _step(self, wanted: Queue | None) -> bool:
        """Run one piece of work; only what a stream needs, if one is given."""
        if self._running:
            # Work that queues work.
            return False
        queue = self._choose() if wanted is None else self._first_needed(wanted)
        if queue is None:
            return False
        work = queue.works.popleft()
        self.ran += 1
        self._running = True
        try:
            work.run()
        finally:
            self._running = False
        return True

    def _choose(self) -> Queue | None:
        able = [q for q in self.queues.values() if q.works and q.works[0].ready()]
        if not able:
            return None
        if self._random.random() < 0.05:
            for queue in able:
                queue.weight = self._weight()
        return self._random.choices(able, [queue.weight for queue in able])[0]

    def _first_needed(self, queue: Queue) -> Queue | None:
        for _ in range(len(self.queues) + 1):
            if not queue.works:
                return None
            first = queue.works[0]
            if first.ready():
                return queue
            if not isinstance(first, _Wait) or first.source is None:
                return None
            queue = first.source
        return None

    def _weight(self) -> float:
        return 10.0 ** self._random.uniform(-2.5, 2.5) if self._uneven else 1.0


@dataclass
class _Replay:
    """One piece of captured work; the graph that holds it must not be dropped."""

    captured: weakref.ref[Captured]
    place: int

    def run(self) -> None:
        captured = self.captured()
        if captured is None:
            raise MisuseError("a graph was destroyed before it had run")
        captured.works[self.place].run()
