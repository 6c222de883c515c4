"""Measures how long a frame takes, with confidence intervals, and how much memory it needs.

>>> import restore_rt, restore_rt.bench
>>> with restore_rt.load("video-x2") as restorer:
...     report = restore_rt.bench.measure(restorer, size=(360, 640))
"""

from restore_rt.bench.comparing import Comparison, compare
from restore_rt.bench.measuring import measure
from restore_rt.bench.report import Case, Measurement, Report, read_report
from restore_rt.bench.running import Effort, run
from restore_rt.bench.verification import VerificationError

__all__ = [
    "Case",
    "Comparison",
    "Effort",
    "Measurement",
    "Report",
    "VerificationError",
    "compare",
    "measure",
    "read_report",
    "run",
]
