"""Reports as text and as a plot: they show what was measured, and no text can do harm."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from rich.console import Console
from rich.markdown import Markdown

from restore_rt.bench.plotting import plot_report
from restore_rt.bench.report import Case, Failure, Report, Sustained
from restore_rt.bench.tables import report_markdown
from restore_rt.errors import InputError
from tests.bench.made import measured, other_case, reported

NASTY = "<b>|[red]x`$*_"
MEDIANS = [15.0, 15.2, 15.1]


def texts(report: Report) -> list[str]:
    """Return the texts of a report's Markdown: cells, titles and notes, as they are shown."""
    tokens = MarkdownIt("commonmark").enable("table").parse(report_markdown(report))
    return [
        "".join(child.content for child in each.children or []) for each in tokens if each.children
    ]


def lines_of(report: Report, subject: str) -> list[str]:
    """Return the sentences on a subject."""
    notes = (text.partition(": ") for text in texts(report) if not text.startswith("Warning"))
    return [line for name, _, line in notes if name == subject]


def warned(report: Report) -> set[str]:
    """Return the subjects of warnings."""
    return set(re.findall(r"\*\*Warning: (.*?)\*\*", report_markdown(report)))


def drawn(report: Report, width: int = 120) -> str:
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(Markdown(report_markdown(report)))
    return capture.get()


def test_the_figures_are_the_reports() -> None:
    one, other = measured(MEDIANS), measured([40.0], case=other_case(threads=1), host_peak_mb=None)
    report = reported(one, other)
    table, stages = (
        [[cell.strip() for cell in line.split("|")[1:-1]] for line in block.splitlines()]
        for block in report_markdown(report).split("\n\n")
        if block.startswith("|")
    )
    columns = dict(zip(table[0], zip(*table[2:], strict=True), strict=True))
    assert columns["case"] == ("video-x2, 640x360", "video-x2, 640x360, threads 1")
    assert float(columns["p50 ms"][0]) == pytest.approx(one.p50_ms.value, rel=0.005)
    assert columns["95 % interval"] == ("14.9 to 15.4", "one round")
    assert float(columns["p99"][0]) == pytest.approx(one.percentiles_ms[99], rel=0.005)
    assert float(columns["frames/s"][0]) == pytest.approx(one.frames_per_second, rel=0.005)
    assert columns["peak MB"] == ("181", "-")
    assert (stages[0], stages[2][1]) == (["busy ms per frame", "network"], "9.00")
    # What is the same for all cases is said once, what is said of a single case is not named.
    assert lines_of(report, "Verified")[0].startswith("all cases: at most 1 of 255 apart")
    assert lines_of(reported(one), "Verified")[0].startswith("at most 1 of 255 apart")


def test_what_makes_figures_doubtful_is_a_warning() -> None:
    made = measured(
        [9.0, 9.1, 9.0, 12.0],
        [5.0, 5.0, 5.0, 7.0],
        stable=False,
        verified=None,
        not_verified="no file",
    )
    report = reported(made, failures=(Failure(other_case(device="cuda"), "no GPU"),))
    assert warned(report) == {"Noise", "Not verified", "Warm-up", "Failed"}
    assert "Warning: Failed: video-x2, 640x360, device cuda: no GPU" in texts(report)
    left_out = lines_of(report, "Rounds left out")[0]
    assert "1 of 4 rounds, because the control loop was slow" in left_out
    assert warned(reported(measured(MEDIANS))) == set()


@pytest.mark.parametrize(
    ("sustained", "expected"),
    [
        (None, "no verdict; it needs 60 s without a pause (--sustain)"),
        (Sustained(59.9, 9, 1.0, 2.0, {}), "no verdict; it needs 60 s without a pause (--sustain)"),
        (
            Sustained(60.0, 9, 21.34, 44.0, {60: False, 24: True, 30: True}),
            "holds 24, 30 frames/s; not 60 (p99 21.34 ms)",
        ),
        (
            Sustained(61.0, 9, 8.25, 9.0, dict.fromkeys((24, 30, 60), True)),
            "holds 24, 30, 60 frames/s (p99 8.25 ms)",
        ),
        (
            Sustained(61.0, 9, 50.0, 60.0, dict.fromkeys((24, 30, 60), False)),
            "holds none of 24, 30, 60 frames/s (p99 50.00 ms)",
        ),
        (
            Sustained(61.0, 9, 33.34, 60.0, {24: True, 30: False, 60: False}),
            "holds 24 frames/s; not 30, 60 (p99 33.34 ms)",
        ),
    ],
)
def test_the_verdict_on_real_time(sustained: Sustained | None, expected: str) -> None:
    report = reported(measured(MEDIANS, sustained=sustained))
    assert lines_of(report, "Real time") == [expected]


def test_texts_are_shown_as_they_are_and_steer_nothing() -> None:
    made = measured(MEDIANS, case=Case(model=NASTY), description="\x1b[31mred\r\n\u202eend")
    report = reported(made)
    assert lines_of(report, "Ran")[0].startswith("?[31mred ?end")
    assert NASTY in drawn(report, 200)
    assert "\x1b" not in drawn(report)
    assert f"{NASTY}, 640x360" in texts(report)


@pytest.mark.parametrize("width", [80, 160])
def test_no_figure_is_cut(width: int) -> None:
    report = reported(measured(MEDIANS), measured([4e4] * 3, case=other_case(threads=1)))
    text = drawn(report, width)
    assert max(map(len, text.splitlines())) <= width
    rows = re.findall(r"^\| video-x2.*?\| (.*) \|$", report_markdown(report), re.MULTILINE)
    assert len(rows) == 4
    for row in rows:
        assert re.search(" +".join(map(re.escape, row.split(" | "))), text)


@pytest.mark.parametrize(("suffix", "begins"), [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_a_plot(tmp_path: Path, suffix: str, begins: bytes) -> None:
    path = tmp_path / f"a.{suffix}"
    # A path that is long leaves the plot its room.
    far = other_case(model="/folder" * 30 + "/$a$.onnx", threads=1)
    one = measured([3.0], case=far, model={"name": "$a$"})
    plot_report(reported(measured(MEDIANS), one), path)
    assert path.read_bytes().startswith(begins)
    with pytest.raises(InputError, match=r"must end in \.png, \.svg, \.pdf"):
        plot_report(reported(one), tmp_path / "a.txt")


def test_a_plot_without_matplotlib_names_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(InputError, match=r"pip install 'restore-rt\[bench\]'"):
        plot_report(reported(measured(MEDIANS)), tmp_path / "a.png")
