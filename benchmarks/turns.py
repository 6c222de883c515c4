"""Timing in turn, also where libraries leave their threads spinning for a while after each call."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping

__all__ = ["Step", "interleaved", "interleaved_at_rest"]

Step = Callable[[], object]

_TURN, _WORK, _MOST_TURNS = 0.01, 0.001, 100


def interleaved(steps: dict[str, Step], runs: int) -> dict[str, list[float]]:
    """Return the seconds of all runs, taken in turn after one that does not count.

    The order differs from run to run, so that none always meets the caches of the same other.
    """
    return _interleaved(steps, runs, lambda: None)


def interleaved_at_rest(
    steps: dict[str, Step], runs: int | Mapping[str, int], *, threads: int
) -> dict[str, list[float]]:
    """Return the seconds of all runs, taken in turn, each begun when the process does nothing.

    One thread alone leaves none behind, and nothing is waited for. Where ``runs`` differ from step
    to step, those of which there are fewer are spread over all rounds.
    """
    return _interleaved(steps, runs, rest if threads > 1 else lambda: None)


def _interleaved(
    steps: dict[str, Step], runs: int | Mapping[str, int], between: Step
) -> dict[str, list[float]]:
    wanted = dict.fromkeys(steps, runs) if isinstance(runs, int) else runs
    rounds = max(wanted.values(), default=0)
    timings: dict[str, list[float]] = {name: [] for name in steps}
    for step in steps.values():
        step()
    shuffled, order = random.Random(0), list(steps)
    for turn in range(rounds):
        shuffled.shuffle(order)
        due = [
            name
            for name in order
            if (turn + 1) * wanted[name] // rounds > turn * wanted[name] // rounds
        ]
        for name in due:
            between()
            begin = time.perf_counter()
            steps[name]()
            timings[name].append(time.perf_counter() - begin)
    return timings


def rest() -> None:
    """Wait until no thread of this process works, a second at most."""
    for _ in range(_MOST_TURNS):
        worked = time.process_time()
        time.sleep(_TURN)
        if time.process_time() - worked < _WORK:
            return
