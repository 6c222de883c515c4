"""Two reports beside each other: what became slower, what faster, and what cannot be told."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

from restore_rt.bench.machine import same_machine
from restore_rt.bench.report import Case, Measurement, Report
from restore_rt.bench.statistics import Interval, ratio_interval
from restore_rt.errors import InputError

__all__ = ["SMALLEST", "Comparison", "Difference", "Verdict", "compare"]

Verdict = Literal["slower", "faster", "no difference", "undecided"]

# Differences below this share are the place in memory, the neighbours, the temperature.
SMALLEST = 0.03
# An interval wider than this to either side says too little to rule a real difference out.
_WIDEST = 0.06


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
        ``SMALLEST``; ``"undecided"`` if the intervals are too wide to tell.
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
        return {"verdict": self.verdict, **dataclasses.asdict(self)}


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
    earlier = {each.case: each for each in before.measurements}
    later = {each.case: each for each in after.measurements}
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
        [each.median_ms for each in after.rounds], [each.median_ms for each in before.rounds]
    )
    steadied = None
    if steady:
        steadied = ratio_interval(
            [each.median_ms / each.control_ms for each in after.rounds],
            [each.median_ms / each.control_ms for each in before.rounds],
        )
    notes = []
    if before.model.get("sha256") != after.model.get("sha256"):
        versions = (each.model.get("version") or "?" for each in (before, after))
        notes.append(f"other weights: version {' and '.join(versions)}")
    if before.description != after.description:
        notes.append(f"{before.description} became {after.description}")
    told = [ratio] if steadied is None else [ratio, steadied]
    return Difference(before.case, ratio, steadied, _verdict(told), tuple(notes))


def _verdict(ratios: list[Interval]) -> Verdict:
    if all(ratio.low > 1 + SMALLEST for ratio in ratios):
        return "slower"
    if all(ratio.high < 1 / (1 + SMALLEST) for ratio in ratios):
        return "faster"
    if any(ratio.low > 1 - _WIDEST and ratio.high < 1 + _WIDEST for ratio in ratios):
        return "no difference"
    return "undecided"
