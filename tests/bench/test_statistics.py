"""Intervals against figures that are known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from restore_rt.bench.statistics import mean_interval, ratio_interval


def test_the_interval_of_a_mean_is_students() -> None:
    # Logarithms -1, 0 and 1: their mean is 0, its standard error 1/sqrt(3), t is 4.303.
    found = mean_interval([math.exp(-1), 1.0, math.e])
    assert found.value == pytest.approx(1)
    assert math.log(found.high) == pytest.approx(4.303 / math.sqrt(3))
    assert found.low == pytest.approx(1 / found.high)


def test_one_figure_says_nothing_of_its_interval() -> None:
    for found in (mean_interval([7.0]), ratio_interval([7.0], [7.0, 7.1])):
        assert (found.low, found.high, found.ends) == (0, math.inf, None)


def test_equal_figures_have_no_interval() -> None:
    found = ratio_interval([3.0, 3.0], [2.0, 2.0])
    assert (found.low, found.value, found.high) == pytest.approx((1.5, 1.5, 1.5))


def test_the_ratio_is_by_welch() -> None:
    # The same variance on both sides: twice as many degrees of freedom as one side has.
    side = [math.exp(-0.1), 1.0, math.exp(0.1)]
    found = ratio_interval([2 * value for value in side], side)
    error = math.sqrt(2 * 0.01 / 3)
    assert found.value == pytest.approx(2)
    assert math.log(found.high / found.value) == pytest.approx(2.776 * error)


@pytest.mark.parametrize("rounds", [3, 5, 40])
def test_intervals_hold_the_truth_as_often_as_they_say(rounds: int) -> None:
    random = np.random.default_rng(rounds)
    held = 0
    for _ in range(1000):
        before, after = np.exp(random.normal([[0.0], [0.2]], [[0.01], [0.03]], (2, rounds)))
        found = ratio_interval(after.tolist(), before.tolist())
        held += found.low <= math.exp(0.2) <= found.high
    assert 925 <= held <= 985
