"""Warm-up and sampling by a clock that the test moves."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from functools import partial
from itertools import chain, cycle, repeat

import pytest

from restore_rt.bench.sampling import sample, warm_up


class Clock:
    """Time that passes when a step runs: as long as the next of ``durations``."""

    def __init__(self, durations: Iterator[float]) -> None:
        self.now = 100.0
        self.durations = durations
        self.runs = 0

    def __call__(self) -> float:
        return self.now

    def step(self) -> None:
        self.runs += 1
        self.now += next(self.durations)


def test_warm_up_ends_when_times_no_longer_change() -> None:
    clock = Clock(chain([0.9, 0.5, 0.3, 0.2], repeat(0.1)))
    assert warm_up(clock.step, most=1000, clock=clock)
    # The first three differ from the rest; the fourth cannot move the median of its three.
    assert clock.runs == 3 + 9


def test_short_runs_are_judged_by_many() -> None:
    # A clock that ticks in steps of half a run.
    clock = Clock(cycle([1e-6, 2e-6, 1.5e-6]))
    assert warm_up(clock.step, most=1000, clock=clock)
    assert clock.now - 100 == pytest.approx(0.09, rel=0.01)


def test_warm_up_gives_up_in_time() -> None:
    clock = Clock(cycle([0.1, 0.1, 0.1, 0.2, 0.2, 0.2]))
    assert not warm_up(clock.step, most=5, clock=clock)
    assert 5 <= clock.now - 100 < 5.2


def test_long_runs_are_judged_by_few() -> None:
    clock = Clock(repeat(2.0))
    assert warm_up(clock.step, most=1000, clock=clock)
    assert clock.runs == 3


def test_samples_are_taken_for_as_long_as_asked() -> None:
    clock = Clock(repeat(0.25))
    times, wall = sample([clock.step], seconds=2, clock=clock)
    assert times.tolist() == [0.25] * 8
    assert wall == 2


def test_slow_steps_run_at_least_some_times() -> None:
    clock = Clock(repeat(60.0))
    assert len(sample([clock.step], seconds=1, clock=clock)[0]) == 3


def test_a_step_may_say_what_counts_of_its_time() -> None:
    clock = Clock(repeat(1.0))

    def step() -> float:
        clock.step()
        return 0.125

    times, wall = sample([step], seconds=4, clock=clock)
    assert times.tolist() == [0.125] * 4
    assert wall == 4


def test_what_runs_between_takes_no_time_from_the_samples() -> None:
    clock = Clock(repeat(0.25))
    called: list[int] = []

    def between() -> None:
        called.append(clock.runs)
        clock.now += 10

    times, wall = sample([clock.step], seconds=2, between=between, every=0.5, clock=clock)
    assert times.tolist() == [0.25] * 8
    assert wall == 2
    # First, and after every half second.
    assert called == [0, 2, 4, 6, 8]


def test_streams_run_at_once() -> None:
    meeting = threading.Barrier(3, timeout=60)

    def steps() -> Iterator[None]:
        # None begins its second run before all have begun their first.
        meeting.wait()
        yield from repeat(None)

    streams = [steps() for _ in range(3)]
    times, _ = sample([partial(next, stream) for stream in streams], seconds=0.0)
    assert len(times) >= 9


def test_a_stream_that_fails_ends_all() -> None:
    def fails() -> None:
        raise RuntimeError("no more")

    begin = time.monotonic()
    with pytest.raises(RuntimeError, match="no more"):
        sample([lambda: None, fails], seconds=60)
    assert time.monotonic() - begin < 30
