"""The page: whole, harmless, and drawn where it can be seen."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import numpy as np
import pytest

from restore_rt.bench.page import report_page
from restore_rt.bench.plots import Dot, Profile, cdf_plot, cdf_points, scatter_plot, stage_plot
from restore_rt.bench.reading import read_report
from restore_rt.bench.report import Quality, Report
from restore_rt.bench.statistics import Histogram, Interval
from restore_rt.bench.summary import summarise
from restore_rt.bench.svg import Axis, element, fitting
from tests.bench import samples
from tests.bench.markup import Element, every, read

QUALITY = {
    name: Quality(psnr, 0.9, 14, "reduce")
    for name, psnr in (("video-x2", 33.12), ("photo-x2", 30.9), (samples.NASTY, 31.5))
}


def points_of(curve: Element) -> list[tuple[float, float]]:
    pairs = (pair.split(",") for pair in curve.attributes["points"].split())
    return [(float(x), float(y)) for x, y in pairs]


def sections(root: Element) -> dict[str, Element]:
    return {section.all("h2")[0].text: section for section in root.all("section")}


REPORTS = {
    "varied": samples.varied(),
    "many": samples.many(),
    "single": samples.report([samples.measurement(samples.FAST, 9.0)]),
    "failures": samples.report([], failures=((samples.BROKEN, "no GPU"),)),
}


@pytest.fixture(params=REPORTS)
def report(request: pytest.FixtureRequest) -> Report:
    return REPORTS[request.param]


def test_the_page_needs_nothing_and_runs_nothing(report: Report) -> None:
    text = report_page(report.judged(QUALITY))
    root = read(text)
    names = {each.name for each in every(root)}
    assert not names & {"script", "link", "img", "iframe", "object", "image", "use", "a", "base"}
    for each in every(root):
        assert not any(name.startswith("on") for name in each.attributes)
        assert not each.attributes.keys() & {"src", "href", "srcset", "data", "action", "style"}
    assert not re.search(r"https?:|//\w|url\(|@import", text)
    assert text.startswith("<!DOCTYPE html>\n")
    (policy,) = (m for m in root.all("meta") if "http-equiv" in m.attributes)
    assert policy.attributes["content"].startswith("default-src 'none'")
    assert "prefers-color-scheme: dark" in root.all("style")[0].text


def test_texts_are_shown_as_they_are() -> None:
    root = read(report_page(samples.varied().judged(QUALITY)))
    first = root.all("table")[0]
    assert first.all("tr")[4].all("td", "name")[0].text == samples.NASTY
    assert not {"b", "i", "script"} & {each.name for each in every(root)}
    assert "?[31mred?[0m | `a` | </table><script>alert(1)</script>" in root.whole_text
    assert "\x1b" not in root.whole_text
    assert element("p", a_b="\"'<&") == '<p a-b="&quot;&#x27;&lt;&amp;"></p>'


def test_the_figures_are_the_reports(report: Report) -> None:
    root, summary = read(report_page(report)), summarise(report)
    assert root.all("h1")[0].text == summary.machine
    assert summary.created == "2026-11-28 14:51 UTC"
    assert summary.created in root.all("header")[0].whole_text
    if report.measurements:
        rows = [
            [cell.text for cell in row.children if "sample" not in cell.kinds]
            for row in root.all("table")[0].all("tr")
        ]
        grid = summary.grids[0]
        assert rows == [list(row) for row in (grid.head, *grid.rows)]
    said = [each.text for each in (*root.all("dd"), *root.all("li"))]
    for note in summary.notes:
        for line in note.lines:
            assert said.count(line) >= 1


def test_warnings_come_first() -> None:
    root = read(report_page(samples.varied()))
    warnings = root.all("dl", "warnings")[0]
    assert [each.text for each in warnings.all("dt")] == [
        *("Noise", "Not verified", "Warm-up", "Failed")
    ]
    assert root.all("main")[0].children[1] is warnings
    assert not read(report_page(samples.many())).all("dl", "warnings")


def test_the_verdicts_are_told() -> None:
    root = read(report_page(samples.varied()))
    verdicts = [each.text for each in sections(root)["Real time"].all("li")]
    assert verdicts[0] == "video-x2: holds 24, 30; not 60 (p99 21.3 ms > 16.7)"
    assert verdicts[2] == "video-x2-fast: holds 24, 30, 60 (p99 8.25 ms)"
    assert len(verdicts) == 5


def test_options_and_versions_are_in_the_details() -> None:
    report = samples.varied()
    (details,) = read(report_page(report)).all("details")
    options = details.all("table")[0].all("tr")
    assert len(options) == 1 + len(report.measurements) + len(report.failures)
    assert [cell.text for cell in options[2].children][:2] == ["photo-x2", "640x360"]
    assert "provider" in [cell.text for cell in options[0].children]
    pairs = {
        name.text: value.text
        for each in details.all("dl")
        for name, value in zip(each.all("dt"), each.all("dd"), strict=True)
    }
    assert pairs.items() >= report.software.items()
    assert pairs["memory MB"] == "8190"


def test_curves_rise_to_one_at_the_samples() -> None:
    report = samples.many()
    root = read(report_page(report))
    (drawing,) = sections(root)["How long frames take"].all("div", "drawing")
    curves = drawing.all("polyline", "curve")
    assert len(curves) == len(report.measurements)
    shares = {each.text: float(each.attributes["y"]) - 4 for each in drawing.all("text", "end")}
    for curve, label in zip(curves, summarise(report).labels, strict=True):
        points = points_of(curve)
        assert points == sorted(points, key=lambda point: (point[0], -point[1]))
        assert points[0][1] == pytest.approx(shares["0%"])
        assert points[-1][1] == pytest.approx(shares["100%"])
        assert curve.all("title")[0].text == label


def test_the_share_at_a_percentile_is_that_percentile() -> None:
    made = samples.measurement(samples.FAST, 20.0)
    points = cdf_points(made.samples, made.min_ms, made.max_ms)
    assert points[0] == pytest.approx((made.min_ms, 0.0), rel=0.006)
    assert points[-1] == pytest.approx((made.max_ms, 1.0), rel=0.006)
    assert all(made.min_ms <= ms <= made.max_ms for ms, _ in points)
    for percent in (50, 90, 99):
        reached = next(ms for ms, share in points if share >= percent / 100)
        assert reached == made.percentile(percent)
    # Between two bins the share stays, at a bin it rises.
    assert points[1][0] == points[0][0]
    assert points[2][1] == points[1][1]


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ((10.0, 12.0), []),
        ((15.0, 20.0), ["60 fps"]),
        ((30.0, 45.0), ["30 fps", "24 fps"]),
        ((1.0, 900.0), ["60 fps", "30 fps", "24 fps"]),
    ],
)
def test_frame_rates_are_marked_where_they_lie(
    times: tuple[float, float], expected: list[str]
) -> None:
    points = cdf_points(Histogram.of(np.array(times)), *times)
    drawing = read(cdf_plot([(0, "a", points)]))
    labels = drawing.all("text", "strong")
    assert [each.text for each in labels] == expected
    lines = [float(each.attributes["x1"]) for each in drawing.all("line", "rate")]
    (curve,) = drawing.all("polyline", "curve")
    left, right = points_of(curve)[0][0], points_of(curve)[-1][0]
    for rate, x in zip(expected, lines, strict=True):
        low, high, ms = (np.array([*times, 1e3 / float(rate.split()[0])])).tolist()
        share = (ms - low) / (high - low)
        if high > 5 * low:
            share = np.log(ms / low) / np.log(high / low)
        # The histogram rounds to half a percent.
        assert (x - left) / (right - left) == pytest.approx(share, abs=0.02)
    boxes = [text_box(each) for each in labels]
    assert not any(meet(one, two) for at, one in enumerate(boxes) for two in boxes[:at])
    assert ("logarithmic" in drawing.whole_text) == (times[1] > 5 * times[0])


def test_bars_are_as_long_as_the_stages() -> None:
    report = samples.varied()
    root = read(report_page(report))
    part = sections(root)["Where the time goes"]
    (drawing,) = part.all("div", "drawing")
    ticks = {each.text: float(each.attributes["x"]) for each in drawing.all("text", "mid")}
    pixels = (ticks["80"] - ticks["20"]) / 60
    rects = iter(drawing.all("rect"))
    kinds: dict[str, str] = {}
    for each in report.measurements:
        end = 1.0
        for stage, ms in sorted(each.stages.items(), key=lambda s: ORDER.index(s[0])):
            rect = next(rects)
            assert float(rect.attributes["x"]) == pytest.approx(end, abs=0.02)
            assert float(rect.attributes["width"]) == pytest.approx(ms * pixels, abs=0.02)
            assert rect.all("title")[0].text == f"{stage}: {ms:.3f} ms"
            end += ms * pixels
            # A stage has one colour in all bars.
            assert kinds.setdefault(stage, rect.attributes["class"]) == rect.attributes["class"]
    assert next(rects, None) is None
    assert len(set(kinds.values())) == len(ORDER)
    marks = [float(each.attributes["x1"]) for each in drawing.all("line", "p50")]
    wanted = [1 + each.p50_ms.value * pixels for each in report.measurements if each.stages]
    assert marks == pytest.approx(wanted, abs=0.02)
    assert [each.text for each in part.all("ul")[0].all("span")] == [*ORDER, "p50 of a frame"]


ORDER = ["split", "network", "merge", "chroma", "<i>|"]


def test_quality_is_drawn_only_where_it_is_known() -> None:
    report = samples.varied()
    assert "Quality against time" not in sections(read(report_page(report)))
    part = sections(read(report_page(report.judged(QUALITY))))["Quality against time"]
    (drawing,) = part.all("div", "drawing")
    dots = [each for each in every(drawing) if "dot" in each.kinds]
    assert [each.all("title")[0].text for each in dots] == [
        "video-x2: 33.12 dB",
        "photo-x2, threads 2: 30.90 dB",
        f"{samples.NASTY}: 31.50 dB",
    ]
    assert len(part.all("li")) == 3


def test_better_is_higher_and_faster_is_left() -> None:
    dots = [
        Dot(0, "a", Interval(10.0, 9.0, 11.0), 30.0),
        Dot(5, "b", Interval(20.0, 0.0, np.inf), 33.0),
    ]
    drawing = read(scatter_plot(dots))
    one, other = (each for each in drawing.all("circle"))
    assert float(one.attributes["cx"]) < float(other.attributes["cx"])
    assert float(one.attributes["cy"]) > float(other.attributes["cy"])
    first, second = drawing.all("line", "interval")
    assert float(first.attributes["x1"]) < float(first.attributes["x2"])
    assert second.attributes["x1"] == second.attributes["x2"]


def test_cases_can_be_told_apart() -> None:
    report = samples.many(24)
    root = read(report_page(report.judged(QUALITY)))
    part = sections(root)["How long frames take"]
    looks = [look(each) for each in part.all("polyline", "curve")]
    assert len(set(looks)) == 24
    for one, next_one in itertools.pairwise(looks):
        assert one[0] != next_one[0]
        assert one[1] != next_one[1]
    # The legend and the table show what the curves look like.
    assert [look(each) for each in part.all("ul", "legend")[0].all("line")] == looks
    assert [look(each) for each in root.all("table")[0].all("line")] == looks


def look(each: Element) -> tuple[str, str]:
    return each.attributes["class"], each.attributes.get("stroke-dasharray", "")


Box = tuple[float, float, float, float]


def text_box(each: Element) -> Box:
    """Return where a text lies, of letters as wide as in DejaVu Sans."""
    x, y = float(each.attributes["x"]), float(each.attributes["y"])
    width = 6.6 * len(each.text)
    left = x - (width if "end" in each.kinds else width / 2 if "mid" in each.kinds else 0)
    return left, y - 10, left + width, y + 3


def meet(one: Box, two: Box) -> bool:
    return one[0] < two[2] and two[0] < one[2] and one[1] < two[3] and two[1] < one[3]


def test_all_lies_within_the_drawings(report: Report) -> None:
    root = read(report_page(report.judged(QUALITY)))
    assert_inside(root)


def test_extremes_are_drawn_within_the_drawings() -> None:
    long = "a model with a long name " * 20
    one = Histogram.of(np.array([7.0]))
    wide = Histogram.of(np.array([1e-3, 1e5]))
    stages = {f"stage {at}": 0.1 + at for at in range(9)}
    dots = [Dot(at, long, Interval(10.0, 9.0, 11.0), 30.0) for at in range(8)]
    for text in (
        cdf_plot([(0, long, cdf_points(one, 7.0, 7.0))]),
        cdf_plot([(0, long, cdf_points(wide, 1e-3, 1e5))]),
        stage_plot([Profile(long, stages, 100.0)], list(stages)),
        stage_plot([Profile(long, {"a": 0.0}, 0.001)], ["a"]),
        scatter_plot(dots),
    ):
        assert_inside(read(text))
    assert fitting(long, 66) == "a model w…"


def assert_inside(root: Element) -> None:
    for svg in root.all("svg"):
        _, _, width, height = (float(each) for each in svg.attributes["viewbox"].split())
        found = 0
        for each in every(svg):
            for name, value in each.attributes.items():
                if name in ("x", "x1", "x2", "cx", "width"):
                    assert 0 <= float(value) <= width, each
                if name in ("y", "y1", "y2", "cy", "height"):
                    assert 0 <= float(value) <= height, each
            if each.name in ("polyline", "polygon"):
                assert all(0 <= x <= width and 0 <= y <= height for x, y in points_of(each))
            if each.name == "rect":
                end = float(each.attributes["x"]) + float(each.attributes["width"])
                assert end <= width
            if each.name == "text":
                left, top, right, bottom = text_box(each)
                assert left >= -1, each
                assert right <= width + 1, each
                assert top >= -1, each
                assert bottom <= height, each
            found += 1
        assert found


def test_labels_of_dots_do_not_meet() -> None:
    names = [f"model number {at}" for at in range(12)]
    dots = [
        Dot(at, name, Interval(10 + at / 4, 9, 14), 30 + at / 9) for at, name in enumerate(names)
    ]
    boxes = [text_box(each) for each in read(scatter_plot(dots)).all("text", "halo")]
    assert len(boxes) >= 6
    assert not any(meet(one, two) for at, one in enumerate(boxes) for two in boxes[:at])


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.0, 10.0, [0, 2, 4, 6, 8, 10]),
        (14.6, 19.3, [15, 16, 17, 18, 19]),
        (33.0, 33.4, [33.0, 33.1, 33.2, 33.3, 33.4]),
    ],
)
def test_ticks_are_round(low: float, high: float, expected: list[float]) -> None:
    assert Axis(low, high, 0, 100).ticks() == pytest.approx(expected)


@pytest.mark.parametrize("span", [5.01, 10, 30, 100, 1e4, 1e7])
@pytest.mark.parametrize("low", [0.013, 1.0, 2.9, 60.0])
def test_a_logarithmic_axis_has_some_ticks(low: float, span: float) -> None:
    axis = Axis.around([low, low * span], 0, 100)
    assert axis.log
    ticks = axis.ticks()
    assert 2 <= len(ticks) <= 9
    assert ticks == sorted(set(ticks))
    assert all(0 <= axis(tick) <= 100 for tick in ticks)


def test_a_report_that_was_read_gives_the_same_page(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    report = samples.varied()
    report.write(path)
    assert report_page(read_report(path)) == report_page(report)
