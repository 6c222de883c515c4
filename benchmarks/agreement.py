"""Whether `restore-rt bench` agrees with itself, finds a slow-down, and costs nothing itself.

Reports of the same case are compared with each other, in turn with reports of frames that are a
tenth higher and take a tenth longer: these pass for the same case, and must be called slower.
"""

from __future__ import annotations

import collections
import dataclasses
import itertools
import time
from collections.abc import Iterable
from typing import Any

import figures
from harness import options, write

from restore_rt.bench import Case, Effort, Report, compare, run
from restore_rt.bench.sampling import sample

USUAL = Case()
HIGHER = dataclasses.replace(USUAL, height=USUAL.height * 11 // 10)


def main() -> None:
    """Measure and write the part ``agreement``."""
    chosen = options(__doc__, runs=20).parse_args()
    usual, higher = [measured(USUAL)], []
    for number in range(chosen.runs):
        higher.append(measured(HIGHER))
        usual.append(measured(USUAL))
        print(f"{number + 1} of {chosen.runs}", flush=True)
    record: dict[str, Any] = {
        "what": (
            "reports of `restore-rt bench --sustain 0`, in turn: of the same case, and of one with "
            "frames a tenth higher; overhead: of timing a step, in microseconds"
        ),
        "same": described(itertools.pairwise(usual)),
        "a_tenth_more": described(zip(usual[:-1], higher, strict=True)),
        "overhead_us": round(overhead() * 1e6, 3),
        "control_spread": [round(report.control["spread"], 3) for report in usual],
        "rounds": {"usual": rounds_of(usual), "a_tenth_more": rounds_of(higher)},
    }
    figures.show("agreement", write("agreement", record))


def measured(case: Case) -> Report:
    """Return a report of one case, passed off as the usual one."""
    report = run([case], Effort(sustain=0))
    if report.failures:
        raise SystemExit(report.failures[0].reason)
    (made,) = report.measurements
    return dataclasses.replace(report, measurements=(dataclasses.replace(made, case=USUAL),))


def described(pairs: Iterable[tuple[Report, Report]]) -> dict[str, Any]:
    """Return how often each verdict was given, and the ratios."""
    compared = [compare(*pair).differences[0] for pair in pairs]
    return {
        "verdicts": dict(collections.Counter(each.verdict for each in compared)),
        "ratios": [round(each.ratio.value, 4) for each in compared],
    }


def rounds_of(reports: list[Report]) -> list[list[tuple[float, float]]]:
    """Return the rounds' medians, each with that of its control loop, in ms."""
    rounds = (report.measurements[0].rounds for report in reports)
    return [[(round(r.median_ms, 3), round(r.control_ms, 3)) for r in each] for each in rounds]


def overhead(step_seconds: float = 1e-3) -> float:
    """Return the seconds that a frame takes longer because it is timed."""

    def step() -> None:
        end = time.perf_counter() + step_seconds
        while time.perf_counter() < end:
            pass

    begin = time.perf_counter()
    count = len(sample([step], seconds=1.0)[0])
    return (time.perf_counter() - begin - step_seconds * count) / count


if __name__ == "__main__":
    main()
