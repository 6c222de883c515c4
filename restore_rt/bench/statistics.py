"""Means, ratios and percentiles of times, with confidence intervals."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = ["Histogram", "Interval", "mean_interval", "ratio_interval"]

# Student's t, two-sided at 95 %, by degrees of freedom from 1 on; then the normal distribution.
_T = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228),
    *(2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086),
    *(2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042),
)
_NORMAL = 1.960


@dataclass(frozen=True)
class Interval:
    """A value and its 95 % confidence interval, which a single measurement leaves unbounded."""

    value: float
    low: float
    high: float

    @property
    def spread(self) -> float:
        """Half the interval's width over the figure."""
        return (self.high - self.low) / 2 / self.value


def mean_interval(values: Sequence[float]) -> Interval:
    """Return the geometric mean of independent positive values."""
    logs = np.log(np.asarray(values, np.float64))
    return _interval(float(logs.mean()), _squared_error(logs), len(logs) - 1)


def ratio_interval(numerators: Sequence[float], denominators: Sequence[float]) -> Interval:
    """Return the ratio of two geometric means, by Welch's t-test (1947) for unequal variances."""
    above, below = (np.log(np.asarray(side, np.float64)) for side in (numerators, denominators))
    errors = [_squared_error(above), _squared_error(below)]
    freedom = math.inf
    if sum(errors) > 0:
        each = (
            error**2 / (len(side) - 1)
            for error, side in zip(errors, (above, below), strict=True)
            if len(side) > 1
        )
        total = sum(each)
        freedom = sum(errors) ** 2 / total if total > 0 else 0
    if min(len(above), len(below)) < 2:
        freedom = 0
    return _interval(float(above.mean() - below.mean()), sum(errors), freedom)


def _squared_error(logs: NDArray[np.float64]) -> float:
    """Return the squared standard error of the mean; 0 for a single value."""
    return float(logs.var(ddof=1)) / len(logs) if len(logs) > 1 else 0.0


def _interval(centre: float, squared_error: float, freedom: float) -> Interval:
    if freedom < 1:
        return Interval(math.exp(centre), 0.0, math.inf)
    # Rounding errors must not cost a degree of freedom.
    whole = math.floor(min(freedom, len(_T) + 1) + 1e-9)
    factor = _T[whole - 1] if whole <= len(_T) else _NORMAL
    reach = factor * math.sqrt(squared_error)
    return Interval(math.exp(centre), math.exp(centre - reach), math.exp(centre + reach))


@dataclass(frozen=True)
class Histogram:
    """Counts of samples in bins that are one percent wide.

    Attributes
    ----------
    counts
        Number of samples by bin. Bin ``i`` holds the positive samples from ``STEP ** (i - 1/2)`` to
        ``STEP ** (i + 1/2)``.
    """

    STEP = 1.01

    counts: Mapping[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> Histogram:
        """Return the histogram of some samples."""
        bins = np.rint(np.log(values) / math.log(cls.STEP)).astype(int)
        found, counts = np.unique(bins, return_counts=True)
        return cls({int(at): int(count) for at, count in zip(found, counts, strict=True)})

    def __add__(self, other: Histogram) -> Histogram:
        """Return the histogram of both sets of samples."""
        return Histogram(dict(sorted((Counter(self.counts) + Counter(other.counts)).items())))

    def __len__(self) -> int:
        """Return the number of samples."""
        return sum(self.counts.values())

    def percentile(self, percent: float) -> float:
        """Return the middle of the bin that holds a percentile."""
        wanted, seen = percent / 100 * len(self), 0
        for at in sorted(self.counts):
            seen += self.counts[at]
            if seen >= wanted:
                return float(self.STEP**at)
        raise ValueError("a histogram without samples has no percentiles")
