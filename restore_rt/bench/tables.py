"""Reports as Markdown, which Rich draws in a terminal."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from restore_rt.bench.comparing import SMALLEST, Comparison
from restore_rt.bench.report import JUDGED_SECONDS, QUIET_SPREAD, RATES, Measurement, Report
from restore_rt.bench.statistics import Interval

__all__ = ["comparison_markdown", "report_markdown"]

_WARNING = "Warning: "
_UNSTABLE = "frame times were not steady after it; all figures may be off"


def report_markdown(report: Report) -> str:
    """Return the tables and notes of a report."""
    made = report.measurements
    single = len(made) + len(report.failures) == 1

    def lines(say: Callable[[Measurement], str]) -> list[str]:
        said = [(str(each.case), say(each)) for each in made]
        if len(said) > 1 and len({text for _, text in said}) == 1:
            said = [("all cases", said[0][1])]
        return [text if single else f"{name}: {text}" for name, text in said if text]

    noisy = report.control["spread"] > QUIET_SPREAD
    noise = (
        f"the control loop takes {_figure(report.control['median_ms'])} ms; its slowest round "
        f"took {report.control['spread']:.2f} times as long as its fastest"
    )
    if noisy:
        noise += (
            f"; more than {QUIET_SPREAD:.2f} times means that other programs kept the machine "
            "busy; measure again when it is quiet"
        )
    machine = report.machine
    where = [machine["processor"], *(gpu["name"] for gpu in machine["gpus"])]
    where += [f"{machine['threads']} threads", report.created]
    stages = list(dict.fromkeys(stage for each in made for stage in each.stages))
    busy = [
        [str(each.case), *(_figure(each.stages.get(stage)) for stage in stages)]
        for each in made
        if each.stages
    ]
    return _page(
        f"**{_escaped(', '.join(where))}**",
        _times(made),
        _table(["busy ms per frame", *stages], busy),
        _notes(
            {
                "Ran": lines(_ran),
                "Software": [", ".join(f"{name} {v}" for name, v in report.software.items())],
                f"{_WARNING if noisy else ''}Noise": [noise],
                "Rounds left out": lines(_left_out),
                f"{_WARNING}Uneven rounds": lines(_uneven),
                "Verified": lines(_verified),
                f"{_WARNING}Not verified": lines(lambda each: each.not_verified),
                f"{_WARNING}Warm-up": lines(lambda each: "" if each.stable else _UNSTABLE),
                "Real time": lines(_real_time),
                f"{_WARNING}Failed": [f"{each.case}: {each.reason}" for each in report.failures],
            }
        ),
    )


def comparison_markdown(comparison: Comparison) -> str:
    """Return the table and notes of a comparison."""
    rows = [
        [
            str(each.case),
            f"{each.ratio.value:.3f}",
            _ends(each.ratio, "{:.3f}".format),
            f"{each.steadied.value:.3f}",
            each.verdict,
        ]
        for each in comparison.differences
    ]
    head = ["case", "after / before", "95 % interval", "over control loop", "verdict"]
    changes = [f"{each.case}: {note}" for each in comparison.differences for note in each.notes]
    worst = comparison.verdict
    verdict = f"{_WARNING if worst in ('slower', 'undecided') else ''}Verdict"
    said = f"{worst}; changes below {SMALLEST:.0%} count as none"
    notes = {"Changes": [*changes, *comparison.notes], verdict: [said]}
    return _page(_table(head, rows), _notes(notes))


def _page(*blocks: str) -> str:
    return "\n\n".join(block for block in blocks if block) + "\n"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table, empty without rows; the first column has names, the others figures."""
    lines = [[_escaped(cell) for cell in row] for row in (head, *rows)]
    lines.insert(1, [":--", *["--:"] * (len(head) - 1)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) if rows else ""


def _notes(notes: Mapping[str, Sequence[str]]) -> str:
    """Return a list of sentences, each after its subject."""
    return "\n".join(
        f"- **{subject}**: {_escaped(line)}" for subject, lines in notes.items() for line in lines
    )


def _times(made: Sequence[Measurement]) -> str:
    head = ["case", "p50 ms", "95 % interval", "p95", "p99", "max", "frames/s", "peak MB"]
    rows = []
    for each in made:
        slow = [each.percentiles_ms[at] for at in (95, 99, 100)]
        others = [*slow, each.frames_per_second, each.host_peak_mb, each.device_peak_mb]
        p50 = [_figure(each.p50_ms.value), _ends(each.p50_ms, _figure)]
        rows.append([str(each.case), *p50, *map(_figure, others)])
    if all(each.device_peak_mb is None for each in made):
        return _table(head, [row[:-1] for row in rows])
    return _table([*head, "GPU MB"], rows)


def _ran(each: Measurement) -> str:
    pixels = f"; frames of {each.pixels}" if each.pixels else ""
    return f"{each.description}{pixels}; loaded in {_figure(each.rounds[0].load_seconds)} s"


def _left_out(each: Measurement) -> str:
    rounds, quiet = len(each.rounds), len(each.quiet_rounds)
    if quiet == rounds:
        return ""
    return (
        f"{rounds - quiet} of {rounds} rounds, because the control loop was slow in them; p50 and "
        "frames/s are without them, p95, p99 and max with them"
    )


def _uneven(each: Measurement) -> str:
    medians = sorted(one.median_ms for one in each.quiet_rounds)
    controls = [one.control_ms for one in each.quiet_rounds]
    even = medians[-1] <= QUIET_SPREAD * medians[0]
    if even or max(controls) > QUIET_SPREAD * min(controls):
        return ""
    return (
        f"medians of {len(medians)} rounds range from {_figure(medians[0])} to "
        f"{_figure(medians[-1])} ms, although the control loop was steady; frames are slower in "
        "some processes than in others"
    )


def _verified(each: Measurement) -> str:
    found = each.verified
    if found is None:
        return ""
    apart = "no difference"
    if found.psnr is not None:
        apart = f"at most {found.worst} of 255 apart, PSNR {found.psnr:.1f} dB"
    return f"{apart}, against {found.against} ({found.pixels:,} pixels)"


def _real_time(each: Measurement) -> str:
    found = each.sustained
    if found is None or not found.holds:
        return f"no verdict; it needs {JUDGED_SECONDS:.0f} s without a pause (--sustain)"
    held, missed = (
        ", ".join(str(rate) for rate in RATES if found.holds[rate] is wanted)
        for wanted in (True, False)
    )
    late = f"; not {missed}" if held and missed else ""
    # Three digits could hide by how little a frame is late.
    return f"holds {held or f'none of {missed}'} frames/s{late} (p99 {found.p99_ms:.2f} ms)"


def _ends(found: Interval, text: Callable[[float], str]) -> str:
    return " to ".join(map(text, found.ends)) if found.ends else "one round"


def _figure(value: float | None) -> str:
    """Return three significant digits, with at most three decimals."""
    if value is None:
        return "-"
    decimals = next((few for few, least in enumerate((100, 10, 1)) if value >= least), 3)
    return f"{value:.{decimals}f}"


def _escaped(text: str) -> str:
    """Return text on one line that is shown as it is, without control characters."""
    printable = "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))
    return re.sub(r"[\\`*_\[\]<>|~$&#]", r"\\\g<0>", printable)
