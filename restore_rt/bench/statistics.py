"""Means and ratios of times, with confidence intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Interval", "mean_interval", "ratio_interval"]

# Student's t, two-sided at 95 %, by degrees of freedom from 1 on; then the normal distribution.
_T = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228),
    *(2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086),
    *(2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042),
    1.960,
)


@dataclass(frozen=True)
class Interval:
    """A value and its 95 % confidence interval, which a single measurement leaves unbounded."""

    value: float
    low: float
    high: float

    @property
    def ends(self) -> tuple[float, float] | None:
        """Both ends; None if they are unbounded, which JSON cannot express."""
        return None if math.isinf(self.high) else (self.low, self.high)


def mean_interval(values: Sequence[float]) -> Interval:
    """Return the geometric mean of independent positive values."""
    return _interval(np.log(values))


def ratio_interval(numerators: Sequence[float], denominators: Sequence[float]) -> Interval:
    """Return the ratio of two geometric means, by Welch's t-test (1947) for unequal variances."""
    return _interval(np.log(numerators), -np.log(denominators))


def _interval(*sides: NDArray[np.float64]) -> Interval:
    """Return the exponential of the sum of the sides' means."""
    centre = sum(float(side.mean()) for side in sides)
    if min(map(len, sides)) < 2:
        return Interval(math.exp(centre), 0.0, math.inf)
    # Squared standard errors of the means.
    errors = np.array([side.var(ddof=1) / len(side) for side in sides])
    freedoms = np.array([len(side) - 1 for side in sides])
    total = float(errors.sum())
    freedom = total**2 / float((errors**2 / freedoms).sum()) if total > 0 else math.inf
    # Rounding errors must not cost a degree of freedom.
    reach = _T[math.floor(min(freedom, len(_T)) + 1e-9) - 1] * math.sqrt(total)
    return Interval(math.exp(centre), math.exp(centre - reach), math.exp(centre + reach))
