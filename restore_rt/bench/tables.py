"""Reports as Markdown, which Rich draws in a terminal."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from restore_rt.bench.comparing import SMALLEST, Comparison
from restore_rt.bench.report import JUDGED_SECONDS, QUIET_SPREAD, RATES, Measurement, Report
from restore_rt.bench.statistics import Interval

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["comparison_markdown", "report_markdown", "terminal"]

_NOTHING = "-"
_UNSTABLE = "frame times were not steady after it; all figures may be off"

# A subject, sentences, and whether they warn that figures may be wrong or are missing.
Note = tuple[str, Sequence[str], bool]


def report_markdown(report: Report) -> str:
    """Return the tables and notes of a report."""
    made = report.measurements
    single = len(made) + len(report.failures) == 1

    def lines(say: Callable[[Measurement], str]) -> list[str]:
        said = [(str(each.case), say(each)) for each in made]
        if len(said) > 1 and len({text for _, text in said}) == 1:
            said = [("all cases", said[0][1])]
        return [text if single else f"{name}: {text}" for name, text in said if text]

    loop, spread = _figure(report.control["median_ms"]), report.control["spread"]
    slowest = f"its slowest round took {spread:.2f} times as long as its fastest"
    noise = [f"the control loop takes {loop} ms; {slowest}"]
    if spread > QUIET_SPREAD:
        noise.append(
            f"more than {QUIET_SPREAD:.2f} times means that other programs kept the machine busy; "
            "measure again when it is quiet"
        )
    machine = report.machine
    gpus = [gpu.get("name") for gpu in machine.get("gpus") or [] if isinstance(gpu, dict)]
    where = [machine.get("processor", "unknown processor"), *gpus]
    where += [f"{machine.get('threads', '?')} threads", report.created]
    stages = list(dict.fromkeys(stage for each in made for stage in each.stages))
    busy = [
        [str(each.case), *(_figure(each.stages.get(stage)) for stage in stages)]
        for each in made
        if each.stages
    ]
    return _page(
        f"**{_escaped(', '.join(map(str, where)))}**",
        _times(made),
        "**Busy ms per frame of each stage**" if busy else "",
        _table(["case", *stages], busy),
        _notes(
            ("Ran", lines(_ran), False),
            ("Software", [", ".join(f"{name} {v}" for name, v in report.software.items())], False),
            ("Noise", noise, spread > QUIET_SPREAD),
            ("Rounds left out", lines(_left_out), False),
            ("Uneven rounds", lines(_uneven), True),
            ("Verified", lines(_verified), False),
            ("Not verified", lines(lambda each: each.not_verified), True),
            ("Warm-up", lines(lambda each: "" if each.stable else _UNSTABLE), True),
            ("Real time", lines(_real_time), False),
            ("Failed", [f"{each.case}: {each.reason}" for each in report.failures], True),
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
    said = f"{worst}; changes below {SMALLEST:.0%} count as none"
    return _page(
        _table(head, rows),
        _notes(
            ("Changes", [*changes, *comparison.notes], False),
            ("Verdict", [said], worst in ("slower", "undecided")),
        ),
    )


def terminal(markdown: str) -> RenderableType:
    """Return Markdown as Rich draws it."""
    from rich.markdown import Markdown

    return Markdown(markdown)


def _page(*blocks: str) -> str:
    return "\n\n".join(block for block in blocks if block) + "\n"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table, empty without rows; the first column has names, the others figures."""
    lines = [[_escaped(cell) for cell in row] for row in (head, *rows)]
    lines.insert(1, [":--", *["--:"] * (len(head) - 1)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) if rows else ""


def _notes(*notes: Note) -> str:
    return "\n".join(
        f"- **{'Warning: ' if warns else ''}{subject}**: {_escaped(line)}"
        for subject, lines, warns in notes
        for line in lines
    )


def _times(made: Sequence[Measurement]) -> str:
    columns: dict[str, Callable[[Measurement], str]] = {
        "case": lambda each: str(each.case),
        "p50 ms": lambda each: _figure(each.p50_ms.value),
        "95 % interval": lambda each: _ends(
            each.p50_ms, functools.partial(_figure, like=each.p50_ms.value)
        ),
        "p95": lambda each: _figure(each.percentile(95)),
        "p99": lambda each: _figure(each.percentile(99)),
        "max": lambda each: _figure(each.max_ms),
        "frames/s": lambda each: _figure(each.frames_per_second),
        "peak MB": lambda each: _megabytes(each.host_peak_mb),
    }
    if any(each.device_peak_mb is not None for each in made):
        columns["GPU MB"] = lambda each: _megabytes(each.device_peak_mb)
    return _table(list(columns), [[cell(each) for cell in columns.values()] for each in made])


def _ran(each: Measurement) -> str:
    return f"{each.description}; loaded in {_figure(each.rounds[0].load_seconds)} s"


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
    if found is None or found.seconds < JUDGED_SECONDS:
        return f"no verdict; it needs {JUDGED_SECONDS:.0f} s without a pause (--sustain)"
    rates = [str(rate) for rate in RATES]
    held = ", ".join(rate for rate in rates if found.holds.get(rate))
    missed = ", ".join(rate for rate in rates if not found.holds.get(rate))
    # Three digits could hide by how little a frame is late.
    return (
        f"holds {held or 'none of ' + missed} frames/s"
        f"{f'; not {missed}' if held and missed else ''} (p99 {found.p99_ms:.2f} ms)"
    )


def _ends(found: Interval, text: Callable[[float], str]) -> str:
    return "one round" if math.isinf(found.high) else f"{text(found.low)} to {text(found.high)}"


def _megabytes(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:.0f}"


def _figure(value: float | None, like: float | None = None) -> str:
    """Return three significant digits, or as many decimals as ``like`` would have."""
    if value is None:
        return _NOTHING
    size = abs(value if like is None else like)
    decimals = 0 if size == 0 else min(max(2 - math.floor(math.log10(size)), 0), 3)
    return f"{value:.{decimals}f}"


def _escaped(text: str) -> str:
    """Return text on one line that is shown as it is, without control characters."""
    printable = "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))
    return re.sub(r"[\\`*_\[\]<>|~$&#]", r"\\\g<0>", printable)
