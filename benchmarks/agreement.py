"""Whether `restore-rt bench` agrees with itself, finds a slow-down, and costs nothing itself.

Runs of the same thing are compared with each other, in turn with runs of frames that are a tenth
higher, which take a tenth longer: they are given out as the same case, and must be found slower.
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import itertools
import time
from typing import Any

from results_file import write

from restore_rt.bench import Case, Comparison, Effort, Report, compare, run
from restore_rt.bench.sampling import sample

USUAL = Case()
HIGHER = dataclasses.replace(USUAL, height=USUAL.height * 11 // 10)
STEP_SECONDS = 1e-3


def main() -> None:
    """Measure, print, write ``agreement.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=20)
    options = parser.parse_args()
    effort = Effort(sustain=0)
    usual, higher = [measured(USUAL, effort)], []
    for number in range(options.repeats):
        higher.append(measured(HIGHER, effort))
        usual.append(measured(USUAL, effort))
        print(f"{number + 1} of {options.repeats}", flush=True)
    same = [compare(one, other) for one, other in itertools.pairwise(usual)]
    slower = [compare(one, other) for one, other in zip(usual[:-1], higher, strict=True)]
    found: dict[str, Any] = {
        "what": (
            "runs of `restore-rt bench --sustain 0`, one after another: of the same case, and of "
            "one with frames a tenth higher; overhead: of timing a step, in microseconds"
        ),
        "same": described(same),
        "a_tenth_more": described(slower),
        "overhead_us": round(overhead() * 1e6, 3),
        "control_spread": [round(report.control["spread"], 3) for report in usual],
        "rounds": {"usual": rounds_of(usual), "a_tenth_more": rounds_of(higher)},
    }
    print(f"same: {found['same']['verdicts']}")
    print(f"a tenth more: {found['a_tenth_more']['verdicts']}")
    print(f"overhead: {found['overhead_us']} us a frame")
    print(f"written: {write('agreement', found)}")


def measured(case: Case, effort: Effort) -> Report:
    """Return a report of one case, given out as the usual one."""
    report = run([case], effort)
    if report.failures:
        raise SystemExit(report.failures[0][1])
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


def overhead() -> float:
    """Return the seconds that a frame takes longer because it is timed."""

    def step() -> None:
        end = time.perf_counter() + STEP_SECONDS
        while time.perf_counter() < end:
            pass

    begin = time.perf_counter()
    samples = sample(step, seconds=1.0)
    taken = time.perf_counter() - begin
    return (taken - STEP_SECONDS * len(samples.seconds)) / len(samples.seconds)


if __name__ == "__main__":
    main()
