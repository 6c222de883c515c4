"""A benchmark's report as one page of HTML that needs nothing else."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Mapping, Sequence

from restore_rt.bench import plots
from restore_rt.bench.page_style import STYLE
from restore_rt.bench.report import Measurement, Report
from restore_rt.bench.summary import Grid, Note, Summary, options_of, summarise
from restore_rt.bench.svg import element
from restore_rt.bench.texts import plain, title_of, words

__all__ = ["report_page"]

# Whatever a report holds, a browser loads and runs nothing for it.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def report_page(report: Report) -> str:
    """Return a page that shows a report: tables, and drawings of how the times lie."""
    summary = summarise(report)
    made = report.measurements
    parts = [_head(summary), _notes(summary.notes, warnings=True)]
    if made:
        samples = [plots.line_sample(at) for at in range(len(made))]
        parts.append(_table(summary.grids[0], samples))
        parts.append(_real_time(summary))
        parts.append(_distribution(made, summary.labels))
        parts.append(_stages(made, summary))
        parts.append(_scatter(made, summary.labels))
    parts.append(_section("Notes", _notes(summary.notes, warnings=False)))
    parts.append(_details(report, summary))
    title = html.escape(f"Benchmark of {summary.created}, {summary.machine}")
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(part for part in parts if part)
        + "\n</main>\n</body>\n</html>\n"
    )


def _head(summary: Summary) -> str:
    when = element("p", html.escape(f"restore_rt benchmark, {summary.created}"), class_="when")
    return element("header", when + element("h1", html.escape(summary.machine)))


def _section(title: str, *content: str) -> str:
    if not any(content):
        return ""
    return element("section", element("h2", html.escape(title)) + "".join(content))


def _caption(text: str) -> str:
    return element("p", html.escape(text), class_="caption")


def _table(grid: Grid, samples: Sequence[str] = ()) -> str:
    def row(kind: str, cells: Iterable[str], first: str = "") -> str:
        drawn = [
            element(kind, html.escape(cell), class_="name" if at < grid.names else "figure")
            for at, cell in enumerate(cells)
        ]
        return element("tr", first + "".join(drawn))

    blank = element("th", class_="sample") if samples else ""
    firsts = [element("td", sample, class_="sample") for sample in samples] or [""] * len(grid.rows)
    body = "".join(row("td", cells, first) for cells, first in zip(grid.rows, firsts, strict=True))
    table = element("thead", row("th", grid.head, blank)) + element("tbody", body)
    return element("div", element("table", table), class_="wide")


def _notes(notes: Iterable[Note], *, warnings: bool) -> str:
    rows = "".join(
        element("dt", html.escape(note.title))
        + "".join(element("dd", html.escape(line)) for line in note.lines)
        for note in notes
        # Real time has a section of its own.
        if note.warning == warnings and note.title != "Real time"
    )
    return element("dl", rows, class_="warnings" if warnings else "notes") if rows else ""


def _real_time(summary: Summary) -> str:
    lines = [line for note in summary.notes if note.title == "Real time" for line in note.lines]
    verdicts = "".join(element("li", html.escape(line)) for line in lines)
    caption = "Frames per second at which 99 of 100 frames were in time, for a minute or longer."
    return _section("Real time", _caption(caption), element("ul", verdicts, class_="verdicts"))


def _distribution(made: Sequence[Measurement], labels: Sequence[str]) -> str:
    curves = [
        (at, label, plots.cdf_points(each.samples, each.min_ms, each.max_ms))
        for at, (each, label) in enumerate(zip(made, labels, strict=True))
        if len(each.samples)
    ]
    if not curves:
        return ""
    caption = (
        "The share of the frames that took at most so long. The steeper a curve, the steadier the "
        "frames; the further left, the faster."
    )
    entries = [(plots.line_sample(at), label) for at, label, _ in curves]
    return _section(
        "How long frames take", _caption(caption), plots.cdf_plot(curves), plots.legend(entries)
    )


def _stages(made: Sequence[Measurement], summary: Summary) -> str:
    profiles = [
        plots.Profile(
            label, {plain(name): ms for name, ms in each.stages.items()}, each.p50_ms.value
        )
        for each, label in zip(made, summary.labels, strict=True)
        if each.stages
    ]
    if not profiles:
        return ""
    stages = list(dict.fromkeys(stage for each in profiles for stage in each.stages))
    caption = "Where stages work at the same time, their sum is more than a frame takes."
    return _section(
        "Where the time goes",
        _caption(caption),
        plots.stage_plot(profiles, stages),
        plots.stage_legend(stages),
        _table(summary.grids[1]),
    )


def _scatter(made: Sequence[Measurement], labels: Sequence[str]) -> str:
    dots = [
        plots.Dot(at, label, each.p50_ms, each.quality.psnr_y)
        for at, (each, label) in enumerate(zip(made, labels, strict=True))
        if each.quality is not None
    ]
    if not dots:
        return ""
    caption = (
        "PSNR in dB against the median time of a frame: better is higher, faster is further left."
    )
    entries = [(plots.line_sample(dot.style, dot=True), dot.label) for dot in dots]
    return _section(
        "Quality against time", _caption(caption), plots.scatter_plot(dots), plots.legend(entries)
    )


def _details(report: Report, summary: Summary) -> str:
    options = [options_of(each.case) for each in report.measurements]
    options += [options_of(case) for case, _ in report.failures]
    content = []
    if options:
        rows = tuple(tuple(each.values()) for each in options)
        grid = Grid("", len(options[0]), tuple(options[0]), rows)
        content += [element("h3", "Options"), _table(grid)]
    if report.measurements:
        grid = Grid(
            "",
            2,
            ("case", "model", "rounds", "frames", "mean ms", "min ms"),
            tuple(
                (
                    label,
                    words(each.model),
                    str(len(each.rounds)),
                    f"{sum(part.frames for part in each.rounds):,}",
                    f"{each.mean_ms:.3f}",
                    f"{each.min_ms:.3f}",
                )
                for each, label in zip(report.measurements, summary.labels, strict=True)
            ),
        )
        content += [element("h3", "Models and samples"), _table(grid)]
    content += [element("h3", "Software"), _pairs(report.software, plain)]
    content += [element("h3", "Machine"), _pairs(report.machine, title_of)]
    return element("details", element("summary", "Options and versions") + "".join(content))


def _pairs(data: Mapping[str, object], titled: Callable[[str], str]) -> str:
    rows = "".join(
        element("dt", html.escape(titled(name))) + element("dd", html.escape(words(value)))
        for name, value in data.items()
        if words(value)
    )
    return element("dl", rows, class_="notes")
