"""Reports as tables and notes, drawn for a terminal or as Markdown."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from restore_rt.bench.comparing import SMALLEST, Comparison
from restore_rt.bench.report import JUDGED_SECONDS, QUIET_SPREAD, RATES, Measurement, Report
from restore_rt.bench.statistics import Interval

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["Page", "comparison_page", "markdown", "report_page", "terminal"]

_NOTHING = "-"


# A title, the names of the columns, and rows; the first column has names, the others figures.
Table = tuple[str, Sequence[str], Sequence[Sequence[str]]]
# A subject, sentences, and whether they warn that figures may be wrong or are missing.
Note = tuple[str, Sequence[str], bool]


@dataclass(frozen=True)
class Page:
    """What is drawn; no text in it contains control characters."""

    title: str
    tables: tuple[Table, ...]
    notes: tuple[Note, ...]

    @classmethod
    def of(cls, title: str, tables: Sequence[Table], notes: Sequence[Note]) -> Page:
        """Return a page without empty tables and notes, and without control characters."""
        return cls(
            _plain(title),
            tuple(
                (
                    name,
                    [_plain(cell) for cell in head],
                    [[_plain(cell) for cell in r] for r in rows],
                )
                for name, head, rows in tables
                if rows
            ),
            tuple(
                (name, [_plain(line) for line in lines], warns)
                for name, lines, warns in notes
                if lines
            ),
        )


def report_page(report: Report) -> Page:
    """Return the tables and notes of a report."""
    made = report.measurements
    single = len(made) + len(report.failures) == 1

    def lines(say: Callable[[Measurement], str]) -> list[str]:
        said = [(str(each.case), say(each)) for each in made]
        if len(said) > 1 and len({text for _, text in said}) == 1:
            said = [("all cases", said[0][1])]
        return [text if single else f"{name}: {text}" for name, text in said if text]

    spread = report.control["spread"]
    control = (
        f"the control loop takes {_figure(report.control['median_ms'])} ms; its slowest round took "
        f"{spread:.2f} times as long as its fastest"
    )
    noise = [control]
    if spread > QUIET_SPREAD:
        noise.append(
            f"more than {QUIET_SPREAD:.2f} times means that other programs kept the machine busy; "
            "measure again when it is quiet"
        )
    software = ", ".join(f"{name} {version}" for name, version in report.software.items())
    failed = [f"{case}: {reason}" for case, reason in report.failures]
    return Page.of(
        f"{_machine(report)}, {report.created}",
        [_times(made), _stages(made)],
        [
            ("Ran", lines(_ran), False),
            ("Software", [software], False),
            ("Noise", noise, spread > QUIET_SPREAD),
            ("Rounds left out", lines(_left_out), False),
            ("Uneven rounds", lines(_uneven), True),
            ("Verified", lines(_verified), False),
            ("Not verified", lines(lambda each: each.not_verified), True),
            ("Warm-up", lines(_unstable), True),
            ("Real time", lines(_real_time), False),
            ("Failed", failed, True),
        ],
    )


def comparison_page(comparison: Comparison) -> Page:
    """Return the table and notes of a comparison."""
    rows = [
        (
            str(each.case),
            f"{each.ratio.value:.3f}",
            _ends(each.ratio, lambda end: f"{end:.3f}"),
            _NOTHING if each.steadied is None else f"{each.steadied.value:.3f}",
            each.verdict,
        )
        for each in comparison.differences
    ]
    head = ("case", "after / before", "95 % interval", "over control loop", "verdict")
    notes = [f"{each.case}: {note}" for each in comparison.differences for note in each.notes]
    worst = comparison.verdict
    said = f"{worst}; changes below {SMALLEST:.0%} count as none"
    warns = worst in ("slower", "undecided")
    changes = ("Changes", [*notes, *comparison.notes], False)
    return Page.of("", [("", head, rows)], [changes, ("Verdict", [said], warns)])


def terminal(page: Page) -> RenderableType:
    """Return a page that Rich can draw; brackets in its texts have no meaning."""
    from rich import box, table
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = [Text(page.title, style="bold")] if page.title else []
    for name, head, rows in page.tables:
        if name:
            parts.append(Text(name, style="bold"))
        drawn = table.Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
        drawn.add_column(Text(head[0]), overflow="fold")
        for column in head[1:]:
            drawn.add_column(Text(column), justify="right", no_wrap=True)
        for row in rows:
            drawn.add_row(*map(Text, row))
        parts.append(drawn)
    notes = table.Table.grid(padding=(0, 2, 0, 0))
    notes.add_column(no_wrap=True)
    notes.add_column(overflow="fold")
    for name, lines, warns in page.notes:
        style = "yellow" if warns else ""
        for at, line in enumerate(lines):
            notes.add_row(Text("" if at else name, style=f"bold {style}"), Text(line, style=style))
    return Group(*parts, notes)


def markdown(page: Page) -> str:
    """Return a page as GitHub Markdown."""
    blocks = [f"### {_escaped(page.title)}"] if page.title else []
    for name, head, rows in page.tables:
        cells = [[_escaped(cell) for cell in row] for row in (head, *rows)]
        cells.insert(1, [":--", *["--:"] * (len(head) - 1)])
        blocks += [f"**{_escaped(name)}**"] if name else []
        blocks.append("\n".join(f"| {' | '.join(row)} |" for row in cells))
    notes = [
        f"- **{'Warning: ' if warns else ''}{name}**: {_escaped(line)}"
        for name, lines, warns in page.notes
        for line in lines
    ]
    return "\n\n".join([*blocks, "\n".join(notes)]) + "\n"


def _times(made: Sequence[Measurement]) -> Table:
    columns: dict[str, Callable[[Measurement], str]] = {
        "case": lambda each: str(each.case),
        "p50 ms": lambda each: _figure(each.p50_ms.value),
        "95 % interval": lambda each: _ends(
            each.p50_ms, lambda end: _figure(end, each.p50_ms.value)
        ),
        "p95": lambda each: _figure(each.percentile(95)),
        "p99": lambda each: _figure(each.percentile(99)),
        "max": lambda each: _figure(each.max_ms),
        "frames/s": lambda each: _figure(each.frames_per_second),
        "peak MB": lambda each: _megabytes(each.host_peak_mb),
    }
    if any(each.device_peak_mb is not None for each in made):
        columns["GPU MB"] = lambda each: _megabytes(each.device_peak_mb)
    rows = (tuple(cell(each) for cell in columns.values()) for each in made)
    return "", tuple(columns), tuple(rows)


def _stages(made: Sequence[Measurement]) -> Table:
    stages = list(dict.fromkeys(stage for each in made for stage in each.stages))
    rows = tuple(
        (str(each.case), *(_figure(each.stages.get(stage)) for stage in stages))
        for each in made
        if each.stages
    )
    return "Busy ms per frame of each stage", ("case", *stages), rows


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


def _unstable(each: Measurement) -> str:
    return "" if each.stable else "frame times were not steady after it; all figures may be off"


def _real_time(each: Measurement) -> str:
    found = each.sustained
    if found is None or found.seconds < JUDGED_SECONDS:
        return f"no verdict; it needs {JUDGED_SECONDS:.0f} s without a pause (--sustain)"
    rates = [str(rate) for rate in RATES]
    held = [rate for rate in rates if found.holds.get(rate)]
    missed = [rate for rate in rates if rate not in held]
    p99 = f"p99 {_figure(found.p99_ms)} ms"
    if not missed:
        return f"holds {', '.join(held)} frames/s ({p99})"
    # More decimals where the rounded figures would look equal.
    limit = 1e3 / float(missed[0])
    texts = _figure(found.p99_ms), _figure(limit)
    if texts[0] == texts[1]:
        texts = f"{found.p99_ms:.4f}", f"{limit:.4f}"
    reason = f"(p99 {texts[0]} ms > {texts[1]})"
    if not held:
        return f"holds none of {', '.join(missed)} frames/s {reason}"
    return f"holds {', '.join(held)} frames/s; not {', '.join(missed)} {reason}"


def _machine(report: Report) -> str:
    machine = report.machine
    gpus = [str(gpu.get("name")) for gpu in machine.get("gpus") or [] if isinstance(gpu, dict)]
    parts = [str(machine.get("processor", "unknown processor")), *gpus]
    return ", ".join([*parts, f"{machine.get('threads', '?')} threads"])


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


def _plain(text: object) -> str:
    """Return text on one line; control characters become question marks."""
    joined = " ".join(str(text).split())
    return "".join(letter if letter.isprintable() else "?" for letter in joined)


def _escaped(text: str) -> str:
    return re.sub(r"[\\`*_\[\]<>|~$&#]", r"\\\g<0>", text)
