"""Which model restores the next frame, by a clock and loads that are made up."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import pairwise

import pytest

from restore_rt.live.governor import Governor

INTERVAL, BUDGET = 0.04, 0.1
RUNGS = ("quality", "usual", "fast", "tiny")
WORK = {"quality": 0.1, "usual": 0.03, "fast": 0.01, "tiny": 0.004, "slow": 0.25}


def governed(**options: float) -> Governor:
    return Governor(RUNGS, interval=INTERVAL, budget=BUDGET, work={**WORK, **options})


def simulate(
    governor: Governor, load: Callable[[float], float], seconds: float, *, drop: bool = True
) -> list[tuple[float, str]]:
    """Send frames through one worker; return the time and the rung of each that was restored."""
    free, restored = 0.0, []
    for number in range(round(seconds / INTERVAL)):
        arrival = number * INTERVAL
        begin = max(free, arrival)
        newest = begin < arrival + INTERVAL
        if drop and governor.is_late(begin - arrival, newest=newest):
            governor.drop(begin, newest=newest)
            continue
        rung = governor.rung
        work = WORK[rung] * load(begin)
        free = begin + work
        governor.restored(work)
        governor.delivered(free, free - arrival)
        restored.append((begin, rung))
    return restored


def test_the_best_rung_that_keeps_pace_is_chosen() -> None:
    assert governed().rung == "usual"
    assert governed(quality=0.03).rung == "quality"
    assert governed(usual=0.039).rung == "fast"
    assert governed(usual=1, fast=1, tiny=1).rung == "tiny"
    assert Governor(RUNGS, interval=INTERVAL, budget=0.0115, work=WORK).rung == "tiny"
    assert Governor(RUNGS, interval=INTERVAL, budget=BUDGET, work={"fast": 0.01}).rung == "fast"
    assert Governor(["one"], interval=INTERVAL, budget=BUDGET, work={}).rung == "one"


def test_nothing_changes_under_an_even_load() -> None:
    governor = governed()
    restored = simulate(governor, lambda time: 1.0, 60)
    assert {rung for _, rung in restored} == {"usual"}
    assert len(restored) == 1500
    assert (governor.late, governor.dropped, list(governor.changes)) == (0, 0, [])


def test_load_that_comes_and_goes() -> None:
    governor = governed()
    restored = simulate(governor, lambda time: 3.0 if 10 <= time < 20 else 1.0, 40)
    rungs = dict(restored)
    assert {rung for time, rung in rungs.items() if time < 10} == {"usual"}
    assert {rung for time, rung in rungs.items() if 11 <= time < 20} == {"fast"}
    assert {rung for time, rung in rungs.items() if time >= 21} == {"usual"}
    assert [(change.before, change.after) for change in governor.changes] == [
        ("usual", "fast"),
        ("fast", "usual"),
    ]
    assert governor.dropped + len(restored) == 1000
    assert governor.dropped < 20


def test_after_a_load_the_best_rung_comes_back_at_once() -> None:
    """Also by several rungs, and though one between them was tried in vain."""
    work = {"quality": 0.032, "usual": 0.02, "fast": 0.009}
    governor = Governor([*work], interval=INTERVAL, budget=BUDGET, work=work)
    loads = {"quality": 3.0, "usual": 2.5, "fast": 1.2}
    free = 0.0
    for number in range(1000):
        arrival = number * INTERVAL
        begin = max(free, arrival)
        if governor.is_late(begin - arrival, newest=True):
            governor.drop(begin, newest=True)
            continue
        load = loads[governor.rung] if 10 <= begin < 20 else 1.0
        free = begin + work[governor.rung] * load
        governor.restored(free - begin)
        governor.delivered(free, free - arrival)
    changes = [(change.time, change.after) for change in governor.changes]
    assert changes[0][1] == "usual"
    assert changes[1][1] == "fast"
    assert changes[1][0] < 12
    assert {after for time, after in changes if time < 20} == {"usual", "fast"}
    assert changes[-1][1] == "quality"
    assert 20 < changes[-1][0] < 21


def test_a_rung_that_looks_fast_enough_and_is_not_is_tried_less_and_less() -> None:
    """The better rung's work grows with the load more than the present one's."""
    governor = governed()
    slow = {"usual": 2.0}
    restored = simulate(governor, lambda time: slow.get(governor.rung, 1.0), 200)
    climbs = [change.time for change in governor.changes if change.after == "usual"]
    pauses = [later - earlier for earlier, later in pairwise(climbs)]
    assert pauses == sorted(pauses)
    assert len(climbs) <= 9
    assert sum(rung == "fast" for _, rung in restored) > 0.9 * 5000


def test_rungs_that_are_left_one_after_the_other_are_tried_less_and_less() -> None:
    governor = governed()
    loads = {"usual": 3.0, "fast": 5.0, "tiny": 1.0}
    restored = simulate(governor, lambda time: loads[governor.rung], 200)
    assert len(governor.changes) <= 30
    assert sum(rung == "tiny" for _, rung in restored) > 0.8 * 5000


def test_a_rung_that_failed_under_a_load_is_tried_at_once_when_the_load_is_gone() -> None:
    """The better rung suffers more from the load than the present one tells."""
    governor = governed(usual=0.021, fast=0.007)
    loads = {"usual": 3.0, "fast": 1.05}
    simulate(governor, lambda time: loads[governor.rung] if 10 <= time < 20 else 0.7, 40)
    changes = [(change.time, change.after) for change in governor.changes]
    assert changes[0][1] == "fast"
    assert 10 < changes[0][0] < 11
    assert len(changes) >= 6  # tried in vain
    assert changes[-1][1] == "usual"
    assert 20 < changes[-1][0] < 21


def test_few_late_frames_change_nothing() -> None:
    governor = governed()
    for second in range(60):
        assert governor.delivered(second, 0.2)
        assert not governor.delivered(second + 0.5, 0.05)
    assert governor.rung == "usual"
    assert governor.late == 60


def test_a_single_rung_drops_and_shows() -> None:
    for drop in (True, False):
        governor = Governor(["quality"], interval=INTERVAL, budget=0.15, work=WORK)
        restored = simulate(governor, lambda time: 1.0, 20, drop=drop)
        assert governor.dropped == 500 - len(restored)
        assert (governor.dropped > 200) == drop
        assert (governor.late > 200) == (not drop)
        assert not governor.changes


def test_an_estimate_that_leaves_no_time_is_tried_again() -> None:
    governor = Governor(["usual"], interval=INTERVAL, budget=BUDGET, work={"usual": 0.099})
    drops = 0
    while governor.is_late(0.01, newest=True):
        governor.drop(drops * INTERVAL, newest=True)
        drops += 1
    assert 0 < drops < 5


def test_where_no_frame_can_be_in_time_the_newest_are_restored() -> None:
    """With work of 0.25 s, a frame comes each quarter of a second."""
    governor = Governor(["slow"], interval=INTERVAL, budget=BUDGET, work={"slow": 0.25})
    assert governor.is_late(0.0, newest=False)
    assert not governor.is_late(0.03, newest=True)
    restored = simulate(governor, lambda time: 1.0, 20)
    assert 75 <= len(restored) <= 80
    assert governor.dropped == 500 - len(restored)


@pytest.mark.parametrize("seed", range(20))
def test_any_load_is_followed_within_bounds(seed: int) -> None:
    chance = random.Random(seed)
    loads = [chance.choice([0.5, 1, 2, 4, 10]) for _ in range(20)]
    governor = governed()
    restored = simulate(governor, lambda time: loads[min(int(time / 5), 19)], 100)
    assert governor.dropped + len(restored) == 2500
    for earlier, later in pairwise(governor.changes):
        assert later.before == earlier.after
        assert later.time > earlier.time
    # Every load has a rung that keeps pace, so that most frames are delivered.
    assert len(restored) > 0.85 * 2500
