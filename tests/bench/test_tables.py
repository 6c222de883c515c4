"""Reports as text: what stands in them is what was measured, and can do no harm."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import pytest
from markdown_it import MarkdownIt
from rich.console import Console

from restore_rt.bench.report import Case, Report, Sustained
from restore_rt.bench.summary import Summary, summarise
from restore_rt.bench.tables import report_markdown, report_table
from restore_rt.bench.texts import figure, plain, words
from tests.bench import samples
from tests.bench.made import measured


def drawn(report: Report, width: int = 200) -> str:
    console = Console(width=width, color_system="truecolor", force_terminal=True)
    with console.capture() as capture:
        console.print(report_table(report))
    return capture.get()


def without_styles(text: str) -> str:
    return re.sub(r"\x1b\[[\d;]*m", "", text)


def lines_of(summary: Summary, title: str) -> tuple[str, ...]:
    return next((note.lines for note in summary.notes if note.title == title), ())


def warned(summary: Summary) -> set[str]:
    return {note.title for note in summary.notes if note.warning}


def markdown_tables(text: str) -> list[list[list[str]]]:
    """Return the cells that a reader of Markdown sees, by table and row."""
    tables: list[list[list[str]]] = []
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    for at, token in enumerate(tokens):
        if token.type == "table_open":
            tables.append([])
        elif token.type == "tr_open":
            tables[-1].append([])
        elif token.type in ("th_open", "td_open"):
            children = tokens[at + 1].children or []
            assert {child.type for child in children} <= {"text", "text_special", "html_inline"}
            tables[-1][-1].append("".join(each.content for each in children if "text" in each.type))
    return tables


def markdown_shown(text: str) -> str:
    """Return the text that a reader of Markdown sees, after what of it is markup of HTML."""
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    children = [child for token in tokens for child in token.children or []]
    raw = {child.content for child in children if child.type == "html_inline"}
    assert raw <= {"<!-- -->"}
    assert not any(token.type == "html_block" for token in tokens)
    assert not any(child.type in ("link_open", "code_inline", "em_open") for child in children)
    return "".join(child.content for child in children if "text" in child.type)


def test_the_figures_are_the_reports() -> None:
    report = samples.varied()
    grid = summarise(report).grids[0]
    assert grid.head[:3] == ("model", "provider", "threads")[: grid.names]
    columns = dict(zip(grid.head, zip(*grid.rows, strict=True), strict=True))
    for at, each in enumerate(report.measurements):
        p50 = each.p50_ms
        for column, value in (
            ("p50 ms", p50.value),
            ("p95", each.percentile(95)),
            ("p99", each.percentile(99)),
            ("max", each.max_ms),
            ("jitter", each.jitter_ms),
            ("frames/s", each.frames_per_second),
        ):
            assert float(columns[column][at]) == pytest.approx(value, rel=0.005), column
        if len(each.rounds) > 1:
            low, high = (float(end) for end in columns["95 % interval"][at].split(" to "))
            assert low == pytest.approx(p50.low, rel=0.005)
            assert high == pytest.approx(p50.high, rel=0.005)
    assert columns["95 % interval"][4] == "one round"
    assert columns["peak MB"] == ("181", "181", "181", "181", "-")
    assert columns["threads"] == ("default", "2", "default", "default", "default")


def test_only_what_differs_names_the_cases() -> None:
    cases = [Case(), Case(precision="fp16"), Case(batch=4, tile=(96, 128)), Case()]
    summary = summarise(samples.report([samples.measurement(case, 9.0) for case in cases]))
    assert summary.grids[0].head[: summary.grids[0].names] == ("precision", "batch", "tile")
    assert summary.labels == (
        "batch 1 (1)",
        "precision fp16, batch 1",
        "batch 4, tile 128x96",
        "batch 1 (2)",
    )
    (shared,) = lines_of(summary, "In all cases")
    assert shared.startswith("video-x2, 640x360")
    assert not set(summary.labels) & {"", "default"}


def test_a_single_case_is_not_named_again() -> None:
    made = samples.measurement(Case(model="photo-x2", height=1, width=7), 9.0)
    summary = summarise(samples.report([made]))
    assert summary.grids[0].rows[0][:2] == ("photo-x2", "7x1")
    assert lines_of(summary, "In all cases") == ()
    (ran,) = lines_of(summary, "Ran")
    assert ran == f"{made.description}; ready in 0.214 s"


def test_stages_are_in_a_table_of_their_own() -> None:
    report = samples.varied()
    grid = summarise(report).grids[1]
    stages = ("split", "network", "merge", "chroma", "<i>|")
    assert grid.head[grid.names :] == stages
    for row, each in zip(grid.rows, report.measurements, strict=True):
        for stage, cell in zip(stages, row[grid.names :], strict=True):
            assert cell == figure(each.stages.get(stage))
    assert grid.rows[2][grid.names :] == ("-",) * 5
    alone = samples.report([samples.measurement(samples.FAST, 9.0)])
    assert len(summarise(alone).grids) == 1


def test_what_makes_figures_worth_less_is_a_warning() -> None:
    summary = summarise(samples.varied())
    assert warned(summary) == {"Noise", "Not verified", "Warm-up", "Failed"}
    assert "1.23 times" in lines_of(summary, "Noise")[0]
    assert "measure again" in lines_of(summary, "Noise")[1]
    (unstable,) = lines_of(summary, "Warm-up")
    assert unstable.startswith(f"{samples.NASTY}: ")
    assert "60 runs" in unstable
    (failed,) = lines_of(summary, "Failed")
    assert failed.startswith("photo-x4, cuda: provider 'cuda' cannot be used")
    assert warned(summarise(samples.many())) == set()


@pytest.mark.parametrize(("spread", "expected"), [(1.10, 1), (1.101, 2)])
def test_the_control_loop_may_vary_a_little(spread: float, expected: int) -> None:
    made = [samples.measurement(samples.FAST, 9.0)]
    summary = summarise(samples.report(made, control={"median_ms": 2.0, "spread": spread}))
    assert len(lines_of(summary, "Noise")) == expected
    assert ("Noise" in warned(summary)) == (expected == 2)


def test_rounds_that_are_left_out_are_told() -> None:
    controls = [5.0, 5.0, 5.0, 7.0]
    made = measured([9.0, 9.1, 9.0, 12.0], controls)
    (line,) = lines_of(summarise(samples.report([made])), "Left out")
    assert line.startswith("1 of 4 rounds, in which the machine was busy with something else")
    assert not lines_of(summarise(samples.report([measured([9.0] * 4)])), "Left out")


def test_verification_tells_against_what_and_how_far() -> None:
    lines = lines_of(summarise(samples.varied()), "Verified")
    against = "against ONNX Runtime 1.32.0, fp32, without tiles (36,864 pixels)"
    assert lines[0] == f"video-x2: at most 1 of 255 apart, PSNR 71.2 dB, {against}"
    assert lines[1] == f"photo-x2, threads 2: no difference, {against}"
    assert len(lines) == 4
    same = lines_of(summarise(samples.many()), "Verified")
    assert same == (f"all cases: at most 1 of 255 apart, PSNR 71.2 dB, {against}",)


def test_energy_is_told_where_it_is_known() -> None:
    assert lines_of(summarise(samples.varied()), "Energy") == ("video-x2: 0.520 J a frame (cpu 0)",)
    assert lines_of(summarise(samples.many()), "Energy") == ()


@pytest.mark.parametrize(
    ("sustained", "expected"),
    [
        (None, "not judged: no frames were run without a break"),
        (
            Sustained(59.9, 9, 1.0, 2.0, samples.ALL),
            "not judged: 59.9 s without a break are too few, 60 are needed",
        ),
        (
            Sustained(60.0, 9, 21.34, 44.0, {"60": False, "24": True, "30": True}),
            "holds 24, 30; not 60 (p99 21.3 ms > 16.7)",
        ),
        (Sustained(61.0, 9, 8.25, 9.0, samples.ALL), "holds 24, 30, 60 (p99 8.25 ms)"),
        (
            Sustained(61.0, 9, 50.0, 60.0, dict.fromkeys(samples.ALL, False)),
            "holds none of 24, 30, 60 (p99 50.0 ms > 41.7)",
        ),
        (
            # Three digits would say that it is in time.
            Sustained(61.0, 9, 33.34, 60.0, {"24": True, "30": False, "60": False}),
            "holds 24; not 30, 60 (p99 33.3400 ms > 33.3333)",
        ),
    ],
)
def test_the_verdict_on_real_time(sustained: Sustained | None, expected: str) -> None:
    made = samples.measurement(samples.FAST, 9.0, sustained=sustained)
    assert lines_of(summarise(samples.report([made])), "Real time") == (expected,)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *((None, "-"), (0.0, "0"), (0.00049, "0.000"), (0.0123, "0.012"), (0.25, "0.250")),
        *((9.876, "9.88"), (12.34, "12.3"), (1234.5, "1234"), (float("inf"), "inf")),
    ],
)
def test_figures_have_three_digits_that_count(value: float | None, expected: str) -> None:
    assert figure(value) == expected


def test_data_in_words() -> None:
    data = {"gpus": [{"name": "A", "memory_mb": 8}, {"name": "B"}], "boost": True, "mhz": 2400.0}
    assert words({**data, "none": None, "empty": []}) == (
        "GPUs (name A, memory MB 8; name B), boost yes, MHz 2400"
    )
    assert plain("a\r\n\tb\x1b[2J\u202e") == "a b?[2J?"


def test_the_terminal_shows_texts_as_they_are() -> None:
    text = drawn(samples.varied())
    # All that is left are Rich's own styles.
    assert "\x1b[31mred" not in text
    assert not set(re.findall(r"[\x00-\x1f\x7f-\x9f]", without_styles(text))) - {"\n"}
    assert samples.NASTY in text
    assert "?[31mred?[0m | `a` | </table>" in without_styles(text)


@pytest.mark.parametrize("width", [80, 100, 200])
@pytest.mark.parametrize("make", [samples.varied, samples.many])
def test_no_figure_is_cut(width: int, make: Callable[[], Report]) -> None:
    report = make()
    text = without_styles(drawn(report, width))
    assert max(len(line) for line in text.splitlines()) <= width
    for grid in summarise(report).grids:
        for row in grid.rows:
            wanted = [cell for cell in row[grid.names :] if cell[0].isdigit()]
            assert any(all(f" {c} " in f"{line} " for c in wanted) for line in text.splitlines())


@pytest.mark.parametrize(("width", "named"), [(80, ["case"]), (200, ["model", "provider"])])
def test_names_take_one_column_where_there_is_little_room(width: int, named: list[str]) -> None:
    text = without_styles(drawn(samples.varied(), width))
    head = next(line.split() for line in text.splitlines() if "p50" in line)
    assert head[: len(named)] == named
    assert head[-2:] == ["peak", "MB"]


def test_markdown_has_the_same_cells() -> None:
    report = samples.varied()
    text = report_markdown(report)
    grids: Sequence[list[list[str]]] = [
        [list(row) for row in (grid.head, *grid.rows)] for grid in summarise(report).grids
    ]
    assert markdown_tables(text) == grids
    shown = markdown_shown(text)
    for note in summarise(report).notes:
        assert all(line in shown for line in note.lines)
    assert "<script" not in text.replace("\\<", "")


@pytest.mark.parametrize(
    "text",
    [
        *("- a", "1. a", "12) a", "# a", "+ a", "---", "***", "> a", "a\\|b", "\\", "`a|b`"),
        *("&lt;", "<!--", "@someone", "#12", "~~a~~", "| a | b |", "_a_", "[a](b)"),
        *("![a](http://b/c.png)", "<http://b>", "a\\"),
    ],
)
def test_markdown_shows_texts_as_they_are(text: str) -> None:
    case = Case(model=text)
    made = [samples.measurement(case, 9.0), samples.measurement(samples.SLOW, 9.0)]
    written = report_markdown(samples.report(made, failures=((case, text), (samples.SLOW, text))))
    assert markdown_tables(written)[0][1][0] == text
    assert f"{text} (1): {made[0].description}" in markdown_shown(written)
    # Nobody is called, nothing is linked.
    assert not re.search(r"[@#]\w|http:/", written)


def test_a_report_of_failures_alone() -> None:
    report = samples.report([], failures=((samples.BROKEN, "no GPU"),))
    text = without_styles(drawn(report))
    assert re.search(r"Failed +no GPU", text)
    assert "**Warning: Failed**: no GPU" in report_markdown(report)
