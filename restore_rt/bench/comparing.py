"""Compares two reports: which cases became slower or faster."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

from restore_rt.bench.machine import same_machine
from restore_rt.bench.report import Case, Measurement, Report, Round
from restore_rt.bench.statistics import Interval, ratio_interval
from restore_rt.errors import InputError

__all__ = ["SMALLEST", "Comparison", "Difference", "Verdict", "compare"]

# From the worst to the best.
Verdict = Literal["slower", "undecided", "no difference", "faster"]

# Smaller differences come from memory layout, other programs and temperature.
SMALLEST = 0.03


@dataclass(frozen=True)
class Difference:
    """The change of one case.

    Attributes
    ----------
    ratio, steadied
        The later median time over the earlier one; and the same after each round's time is divided
        by that of its control loop, which removes changes of the machine as a whole.
    verdict
        See ``docs/bench.md``.
    """

    case: Case
    ratio: Interval
    steadied: Interval
    verdict: Verdict
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """The differences of two reports; notes are on their other cases, machines and software."""

    differences: tuple[Difference, ...]
    notes: tuple[str, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst verdict: slower, undecided, no difference, faster."""
        return min((each.verdict for each in self.differences), key=get_args(Verdict).index)

    def as_dict(self) -> dict[str, Any]:
        """Return the comparison for JSON."""
        data = dataclasses.asdict(self)
        for each, found in zip(data["differences"], self.differences, strict=True):
            for name, interval in (("ratio", found.ratio), ("steadied", found.steadied)):
                each[name]["low"], each[name]["high"] = interval.ends or (None, None)
        return {"verdict": self.verdict, **data}


def compare(before: Report, after: Report) -> Comparison:
    """Compare two reports case by case.

    Raises
    ------
    InputError
        The reports come from different machines, or have no case in common.
    """
    machines = same_machine(before.machine, after.machine)
    if machines:
        raise InputError(
            f"the reports come from different machines ({'; '.join(machines)}); measure both on one"
        )
    earlier = {each.key: each for each in before.measurements}
    later = {each.key: each for each in after.measurements}
    common = [case for case in earlier if case in later]
    if not common:
        raise InputError(
            "the reports have no case in common: "
            f"{'; '.join(map(str, earlier)) or 'none'}, and {'; '.join(map(str, later)) or 'none'}"
        )
    notes = [
        *(f"only before: {case}" for case in earlier if case not in later),
        *(f"only after: {case}" for case in later if case not in earlier),
    ]
    for name in sorted(before.software.keys() | after.software.keys()):
        versions = [each.software.get(name, "missing") for each in (before, after)]
        if versions[0] != versions[1]:
            notes.append(f"{name} {versions[0]} became {versions[1]}")
    return Comparison(
        tuple(_difference(earlier[case], later[case]) for case in common), tuple(notes)
    )


def _difference(before: Measurement, after: Measurement) -> Difference:
    def ratio_of(time: Callable[[Round], float]) -> Interval:
        sides = ([time(each) for each in one.quiet_rounds] for one in (after, before))
        return ratio_interval(*sides)

    ratio = ratio_of(lambda each: each.median_ms)
    steadied = ratio_of(lambda each: each.median_ms / each.control_ms)
    notes = []
    if before.model.get("sha256") != after.model.get("sha256"):
        old, new = (each.model.get("version") or "?" for each in (before, after))
        notes.append(f"other weights: version {old} and {new}")
    if before.description != after.description:
        notes.append(f"{before.description} became {after.description}")
    return Difference(before.key, ratio, steadied, _verdict(ratio, steadied), tuple(notes))


def _verdict(ratio: Interval, steadied: Interval) -> Verdict:
    slower, faster = steadied.low > 1 + SMALLEST, steadied.high < 1 / (1 + SMALLEST)
    if slower and ratio.low > 1 + SMALLEST:
        return "slower"
    if faster and ratio.high < 1 / (1 + SMALLEST):
        return "faster"
    if _is_same(steadied) or (_is_same(ratio) and not slower and not faster):
        return "no difference"
    return "undecided"


def _is_same(ratio: Interval) -> bool:
    # A wider interval cannot rule out a real difference.
    near, widest = 1 + SMALLEST, 1 + 2 * SMALLEST
    return 1 / near <= ratio.value <= near and 1 / widest < ratio.low <= ratio.high < widest
