"""Reports of benchmarks as text: tables for a terminal, and Markdown to paste into issues."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from restore_rt.bench.comparing import SMALLEST, Comparison, Difference
from restore_rt.bench.report import Report
from restore_rt.bench.statistics import Interval
from restore_rt.bench.summary import Grid, Note, summarise
from restore_rt.bench.texts import plain

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
    from rich.table import Table

__all__ = ["comparison_table", "report_markdown", "report_table"]


def report_table(report: Report) -> RenderableType:
    """Return a report for people at a terminal, as something that Rich can draw."""
    from rich.console import Group
    from rich.text import Text

    summary = summarise(report)
    parts: list[RenderableType] = [
        Text(f"{summary.machine}, {summary.created}", style="bold", overflow="fold")
    ]
    for grid in summary.grids:
        if grid.title:
            parts.append(Text(grid.title, style="bold"))
        parts.append(_Fitting(grid, summary.labels))
    parts.append(_rich_notes(summary.notes))
    return Group(*parts)


def comparison_table(comparison: Comparison) -> RenderableType:
    """Return two reports beside each other, for people at a terminal."""
    from rich.console import Group

    grid = Grid(
        "",
        1,
        ("case", "time, after over before", "95 % interval", "over the control loop's", "verdict"),
        tuple(_compared(each) for each in comparison.differences),
    )
    notes = [
        Note(plain(str(each.case)), tuple(plain(line) for line in each.notes))
        for each in comparison.differences
        if each.notes
    ]
    for title, cases in (
        ("Only before", comparison.only_before),
        ("Only after", comparison.only_after),
    ):
        if cases:
            notes.append(Note(title, tuple(plain(str(case)) for case in cases)))
    if comparison.machines:
        lines = tuple(plain(line) for line in comparison.machines)
        notes.append(Note("Different machines", lines, warning=True))
    if comparison.software:
        lines = tuple(
            plain(f"{name} {before or 'missing'}, then {after or 'missing'}")
            for name, before, after in comparison.software
        )
        notes.append(Note("Software", lines))
    said = f"{comparison.verdict}; less than {SMALLEST:.0%} counts as none"
    notes.append(Note("Verdict", (said,), warning=comparison.verdict in ("slower", "undecided")))
    return Group(_rich_grid(grid), _rich_notes(tuple(notes)))


def _compared(each: Difference) -> tuple[str, ...]:
    steadied = "-" if each.steadied is None else f"{each.steadied.value:.3f}"
    return (
        plain(str(each.case)),
        f"{each.ratio.value:.3f}",
        _interval(each.ratio),
        steadied,
        each.verdict,
    )


def _interval(found: Interval) -> str:
    return "one round" if math.isinf(found.high) else f"{found.low:.3f} to {found.high:.3f}"


class _Fitting:
    """A table that takes less room where there is little, as figures must not be cut."""

    def __init__(self, grid: Grid, labels: Sequence[str]) -> None:
        self._grid, self._labels = grid, labels

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the table."""
        from rich.measure import Measurement

        table = _rich_grid(self._grid)
        anyhow = options.update(max_width=10_000)
        if Measurement.get(console, anyhow, table).maximum > options.max_width:
            table = _rich_grid(self._grid.narrow(self._labels))
        yield table


def _rich_grid(grid: Grid) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    # Texts are given as `Text`, in which brackets have no meaning.
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for at, title in enumerate(grid.head):
        if at < grid.names:
            table.add_column(Text(title), overflow="fold")
        else:
            table.add_column(Text(title), justify="right", no_wrap=True)
    for row in grid.rows:
        table.add_row(*(Text(cell) for cell in row))
    return table


def _rich_notes(notes: tuple[Note, ...]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for note in notes:
        style = "yellow" if note.warning else ""
        for at, line in enumerate(note.lines):
            title = Text("" if at else note.title, style=f"bold {style}")
            table.add_row(title, Text(line, style=style))
    return table


def report_markdown(report: Report) -> str:
    """Return a report as GitHub Markdown."""
    summary = summarise(report)
    blocks = [f"### {_markdown(summary.machine)}, {_markdown(summary.created)}"]
    for grid in summary.grids:
        if grid.title:
            blocks.append(f"**{_markdown(grid.title)}**")
        blocks.append(_markdown_grid(grid))
    blocks.append("\n".join(_markdown_note(note) for note in summary.notes))
    return "\n\n".join(blocks) + "\n"


def _markdown_grid(grid: Grid) -> str:
    rule = [":--" if at < grid.names else "--:" for at in range(len(grid.head))]
    rows = [[_markdown(cell) for cell in row] for row in (grid.head, *grid.rows)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (rows[0], rule, *rows[1:]))


def _markdown_note(note: Note) -> str:
    title = f"- **{'Warning: ' if note.warning else ''}{note.title}**"
    if len(note.lines) == 1:
        return f"{title}: {_markdown(note.lines[0])}"
    return "\n".join([f"{title}:", *(f"  - {_markdown_item(line)}" for line in note.lines)])


def _markdown(text: str) -> str:
    """Return Markdown that shows a text as it is."""
    escaped = re.sub(r"[\\`*_\[\]<>|~$]", r"\\\g<0>", text.replace("&", "&amp;"))
    # An address is no link, "@name" calls nobody and "#1" is not an issue.
    return re.sub(r"://|(?<=www)\.|@|#", _broken, escaped)


def _markdown_item(text: str) -> str:
    """Return the same for a line of its own, which begins no list, heading or rule."""
    return re.sub(r"^([-+]|\d+(?=[.)]( |$)))", _kept, _markdown(text))


def _kept(match: re.Match[str]) -> str:
    return f"{match[0]}<!-- -->" if match[0].isdigit() else f"\\{match[0]}"


def _broken(match: re.Match[str]) -> str:
    # A comment between two letters is never seen, and takes them apart.
    return f"{match[0][0]}<!-- -->{match[0][1:]}"
