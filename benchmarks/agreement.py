"""Whether `restore-rt bench` agrees with itself, finds a slow-down, and costs nothing itself.

Reports of the same case are compared with each other, in turn with reports of frames that are a
tenth higher and take a tenth longer: these pass for the same case, and must be called slower.
"""

from __future__ import annotations

import collections
import dataclasses
import itertools
import time
from typing import Any

import benchmark_tables as page
from harness import options, write

from restore_rt.bench import Case, Comparison, Effort, Report, compare, run
from restore_rt.bench.sampling import sample

USUAL = Case()
HIGHER = dataclasses.replace(USUAL, height=USUAL.height * 11 // 10)


def main() -> None:
    """Measure and write the part ``agreement``."""
    parser = options(__doc__, runs=20)
    parser.add_argument("--rounds", type=int, help="of each report; default: as the command does")
    chosen = parser.parse_args()
    effort = Effort(sustain=0)
    if chosen.rounds:
        effort = dataclasses.replace(effort, rounds=chosen.rounds, most_rounds=chosen.rounds)
    usual, higher = [measured(USUAL, effort)], []
    for number in range(chosen.runs):
        higher.append(measured(HIGHER, effort))
        usual.append(measured(USUAL, effort))
        print(f"{number + 1} of {chosen.runs}", flush=True)
    same = [compare(one, other) for one, other in itertools.pairwise(usual)]
    slower = [compare(one, other) for one, other in zip(usual[:-1], higher, strict=True)]
    record: dict[str, Any] = {
        "what": (
            "reports of `restore-rt bench --sustain 0`, in turn: of the same case, and of one with "
            "frames a tenth higher; overhead: of timing a step, in microseconds"
        ),
        "same": described(same),
        "a_tenth_more": described(slower),
        "overhead_us": round(overhead() * 1e6, 3),
        "control_spread": [round(report.control["spread"], 3) for report in usual],
        "rounds": {"usual": rounds_of(usual), "a_tenth_more": rounds_of(higher)},
    }
    page.show("agreement", page.agreement(write("agreement", record)))


def measured(case: Case, effort: Effort) -> Report:
    """Return a report of one case, passed off as the usual one."""
    report = run([case], effort)
    if report.failures:
        raise SystemExit(report.failures[0].reason)
    (made,) = report.measurements
    return dataclasses.replace(report, measurements=(dataclasses.replace(made, case=USUAL),))


def described(comparisons: list[Comparison]) -> dict[str, Any]:
    """Return how often each verdict was given, and the ratios."""
    return {
        "verdicts": dict(collections.Counter(each.verdict for each in comparisons)),
        "ratios": [round(each.differences[0].ratio.value, 4) for each in comparisons],
    }


def rounds_of(reports: list[Report]) -> list[list[tuple[float, float]]]:
    """Return the rounds' medians, each with that of its control loop, in ms."""
    return [
        [(round(each.median_ms, 3), round(each.control_ms, 3)) for each in made.rounds]
        for report in reports
        for made in report.measurements
    ]


def overhead(step_seconds: float = 1e-3) -> float:
    """Return the seconds that a frame takes longer because it is timed."""

    def step() -> None:
        end = time.perf_counter() + step_seconds
        while time.perf_counter() < end:
            pass

    begin = time.perf_counter()
    count = len(sample([step], seconds=1.0).seconds)
    return (time.perf_counter() - begin - step_seconds * count) / count


if __name__ == "__main__":
    main()
