"""Two reports beside each other: what became slower, what faster, and what cannot be told."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from restore_rt.bench.machine import same_machine
from restore_rt.bench.report import Case, Measurement, Report
from restore_rt.bench.statistics import Interval, ratio_interval
from restore_rt.errors import InputError

__all__ = ["SMALLEST", "Comparison", "Difference", "Verdict", "compare"]

Verdict = Literal["slower", "faster", "no difference", "undecided"]

# Differences below this share are the place in memory, the neighbours, the temperature.
SMALLEST = 0.03
# An interval that goes beyond says too little to rule a real difference out.
_WIDEST = 2 * SMALLEST


@dataclass(frozen=True)
class Difference:
    """A case of both reports.

    Attributes
    ----------
    case
        What was measured.
    ratio
        The later report's median time over the earlier one's.
    steadied
        The same with each round's time taken by that of its control loop: what changed for the
        whole machine is not in it. None where the machines are not the same.
    verdict
        ``"slower"`` or ``"faster"`` if both ratios, with their whole intervals, say so by more than
        ``SMALLEST``; ``"no difference"`` if one is nearer to 1 than that, with an interval that
        ends within twice as much, and the other does not say otherwise; else ``"undecided"``.
        What slows the whole machine down counts as no difference.
    notes
        What else differs: the model, what ran it.
    """

    case: Case
    ratio: Interval
    steadied: Interval | None
    verdict: Verdict
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """Two reports beside each other.

    Attributes
    ----------
    differences
        For each case of both.
    only_before, only_after
        Cases of one report alone.
    machines
        What tells the two machines from each other.
    software
        Versions that differ: name, before, after; None where there was none.
    """

    differences: tuple[Difference, ...]
    only_before: tuple[Case, ...]
    only_after: tuple[Case, ...]
    machines: tuple[str, ...]
    software: tuple[tuple[str, str | None, str | None], ...]

    @property
    def verdict(self) -> Verdict:
        """The worst of all: slower, undecided, no difference, faster."""
        found = {each.verdict for each in self.differences}
        order: tuple[Verdict, ...] = ("slower", "undecided", "no difference", "faster")
        return next(verdict for verdict in order if verdict in found)

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        data = dataclasses.asdict(self)
        for each in data["differences"]:
            for interval in (each["ratio"], each["steadied"]):
                # A single round says nothing of its interval, and infinity is no JSON.
                if interval is not None and math.isinf(interval["high"]):
                    interval["low"] = interval["high"] = None
        return {"verdict": self.verdict, **data}


def compare(before: Report, after: Report, *, across_machines: bool = False) -> Comparison:
    """Compare two reports, case by case.

    Parameters
    ----------
    before, after
        What ``read_report`` or ``measure`` gave.
    across_machines
        Compare although the machines differ.

    Raises
    ------
    InputError
        They are of different machines, or have no case in common.
    """
    machines = same_machine(before.machine, after.machine)
    if machines and not across_machines:
        raise InputError(
            f"the reports are of different machines ({'; '.join(machines)}): measure both on one, "
            "or give --across-machines, to compare the machines"
        )
    earlier = {_key(each): each for each in before.measurements}
    later = {_key(each): each for each in after.measurements}
    common = [case for case in earlier if case in later]
    if not common:
        raise InputError(
            "the reports have no case in common: "
            f"{'; '.join(map(str, earlier)) or 'none'}, and {'; '.join(map(str, later)) or 'none'}"
        )
    names = sorted(before.software.keys() | after.software.keys())
    versions = [(name, before.software.get(name), after.software.get(name)) for name in names]
    return Comparison(
        differences=tuple(
            _difference(earlier[case], later[case], steady=not machines) for case in common
        ),
        only_before=tuple(case for case in earlier if case not in later),
        only_after=tuple(case for case in later if case not in earlier),
        machines=tuple(machines),
        software=tuple(each for each in versions if each[1] != each[2]),
    )


def _difference(before: Measurement, after: Measurement, *, steady: bool) -> Difference:
    ratio = ratio_interval(
        [each.median_ms for each in after.quiet_rounds],
        [each.median_ms for each in before.quiet_rounds],
    )
    steadied = None
    if steady:
        steadied = ratio_interval(
            [each.median_ms / each.control_ms for each in after.quiet_rounds],
            [each.median_ms / each.control_ms for each in before.quiet_rounds],
        )
    notes = []
    if before.model.get("sha256") != after.model.get("sha256"):
        versions = (each.model.get("version") or "?" for each in (before, after))
        notes.append(f"other weights: version {' and '.join(versions)}")
    if before.description != after.description:
        notes.append(f"{before.description} became {after.description}")
    return Difference(_key(before), ratio, steadied, _verdict(ratio, steadied), tuple(notes))


def _verdict(ratio: Interval, steadied: Interval | None) -> Verdict:
    told = [ratio] if steadied is None else [ratio, steadied]
    if all(_is_slower(each) for each in told):
        return "slower"
    if all(_is_faster(each) for each in told):
        return "faster"
    # What the machine as a whole did is not in it.
    surest = told[-1]
    if _is_same(surest):
        return "no difference"
    if _is_same(ratio) and not (_is_slower(surest) or _is_faster(surest)):
        return "no difference"
    return "undecided"


def _is_slower(ratio: Interval) -> bool:
    return ratio.low > 1 + SMALLEST


def _is_faster(ratio: Interval) -> bool:
    return ratio.high < 1 / (1 + SMALLEST)


def _is_same(ratio: Interval) -> bool:
    near = 1 / (1 + SMALLEST) <= ratio.value <= 1 + SMALLEST
    return near and ratio.low > 1 / (1 + _WIDEST) and ratio.high < 1 + _WIDEST


def _key(measurement: Measurement) -> Case:
    """Return the case without where its files lie."""
    case = measurement.case
    clip = None if case.clip is None else Path(case.clip).name
    return dataclasses.replace(case, model=str(measurement.model["name"]), clip=clip)
