"""The drawings of a benchmark's page, as inline SVG."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from restore_rt.bench.report import RATES
from restore_rt.bench.statistics import Histogram, Interval
from restore_rt.bench.svg import LETTER, Axis, Points, element, fitting, path_of, text_at

__all__ = [
    "COLOURS",
    "Dot",
    "Profile",
    "cdf_plot",
    "cdf_points",
    "legend",
    "line_sample",
    "scatter_plot",
    "stage_legend",
    "stage_plot",
]

# Six colours and five patterns make 30 pairs, and neighbours differ in both.
COLOURS = 6
_DASHES = ("", "9 3", "2 3", "9 3 2 3", "16 4")
_WIDTH = 860.0
_LEFT, _RIGHT = 46.0, 14.0
_SHARES = (0.0, 0.25, 0.5, 0.75, 0.95, 1.0)


@dataclass(frozen=True)
class Profile:
    """A case's stages.

    Attributes
    ----------
    label
        The case.
    stages
        Busy ms of a frame.
    p50_ms
        Of a frame as a whole.
    """

    label: str
    stages: Mapping[str, float]
    p50_ms: float


@dataclass(frozen=True)
class Dot:
    """A case's quality and time.

    Attributes
    ----------
    style
        The case's place in the report, of which colour and shape follow.
    label
        The case.
    ms
        Median time of a frame.
    psnr
        In dB.
    """

    style: int
    label: str
    ms: Interval
    psnr: float


def cdf_points(samples: Histogram, low: float, high: float) -> list[tuple[float, float]]:
    """Return the steps of the share of samples that took at most so many ms, from 0 to 1.

    The middles of the bins are brought to between ``low`` and ``high``, the least and the largest
    sample.
    """
    total, seen = len(samples), 0
    points: list[tuple[float, float]] = []
    for at in sorted(samples.counts):
        ms = min(max(float(Histogram.STEP**at), low), high)
        points.append((ms, seen / total))
        seen += samples.counts[at]
        points.append((ms, seen / total))
    return points


def cdf_plot(curves: Sequence[tuple[int, str, Points]]) -> str:
    """Return curves of the share of frames by the time that they took at most.

    Parameters
    ----------
    curves
        Each with its case's place in the report, its label, and what ``cdf_points`` returns.
    """
    top, bottom = 34.0, 324.0
    times = [ms for _, _, points in curves for ms, _ in points]
    x = Axis.around(times, _LEFT, _WIDTH - _RIGHT)
    y = Axis(0, 1, bottom, top)
    parts = [_time_axis(x, top, bottom, "ms of a frame")]
    for share in _SHARES:
        parts.append(_across(x, y(share)))
        parts.append(text_at(_LEFT - 8, y(share) + 4, f"{share:.0%}", class_="end"))
    parts.append(_rate_lines(x, top, bottom))
    for style, label, points in curves:
        parts.append(
            element(
                "polyline",
                element("title", html.escape(label)),
                points=path_of((x(ms), y(share)) for ms, share in points),
                class_=f"curve k{style % COLOURS}",
                **_dash(style),
            )
        )
    return _drawing(bottom + 46, "Share of the frames by the time that they took", parts)


def _rate_lines(x: Axis, top: float, bottom: float) -> str:
    parts, before = [], [-_WIDTH, -_WIDTH]
    for rate in sorted(RATES, reverse=True):
        ms = 1e3 / rate
        if not x.holds(ms):
            continue
        at, text = x(ms), f"{rate} fps"
        half = len(text) * LETTER / 2
        middle = min(max(at, half), _WIDTH - half)
        # Where they would meet, every other one stands higher.
        row = 0 if middle - half > before[0] + 4 else 1
        before[row] = middle + half
        height = top - 8 - 15 * row
        parts.append(element("line", x1=at, x2=at, y1=height + 4, y2=bottom, class_="rate"))
        parts.append(text_at(middle, height, text, class_="mid strong"))
    return "".join(parts)


def stage_plot(profiles: Sequence[Profile], stages: Sequence[str]) -> str:
    """Return a bar for each case, of its stages one after another, with p50 as a mark.

    Parameters
    ----------
    profiles
        The cases.
    stages
        All stages, in the order of their colours.
    """
    block, bar = 44.0, 18.0
    bottom = block * len(profiles) + 6
    most = max(max(sum(each.stages.values()), each.p50_ms) for each in profiles)
    x = Axis(0, 1.02 * most or 1.0, 1.0, _WIDTH - _RIGHT)
    parts = [_time_axis(x, 0, bottom, "ms of a frame")]
    for row, profile in enumerate(profiles):
        top = row * block + 18
        parts.append(text_at(1, top - 5, fitting(profile.label, _WIDTH - 2), class_="halo"))
        done = 0.0
        for at, stage in enumerate(stages):
            ms = profile.stages.get(stage, 0.0)
            begin, width = x(done), x(done + ms) - x(done)
            done += ms
            if width <= 0:
                continue
            named = element("title", html.escape(f"{stage}: {ms:.3f} ms"))
            shape = element(
                "rect", named, x=begin, y=top, width=width, height=bar, class_=_fill(at)
            )
            parts.append(shape)
            text = f"{ms:.3g}"
            if at < COLOURS and width > LETTER * len(text) + 6:
                parts.append(text_at(begin + width / 2, top + 13, text, class_="mid on"))
        middle = x(profile.p50_ms)
        parts.append(
            element("line", x1=middle, x2=middle, y1=top - 3, y2=top + bar + 3, class_="p50")
        )
    return _drawing(bottom + 46, "Busy ms of a frame in each stage", parts)


def scatter_plot(dots: Sequence[Dot]) -> str:
    """Return quality against time; the line through a dot is the interval of its median."""
    top, bottom = 16.0, 306.0
    ends = [end for dot in dots for end in _ends(dot.ms)]
    x = Axis.around(ends, _LEFT + 10, _WIDTH - _RIGHT)
    values = [dot.psnr for dot in dots]
    room = 0.12 * (max(values) - min(values)) or 1.0
    y = Axis(min(values) - room, max(values) + room, bottom, top)
    parts = [_time_axis(x, top, bottom, "p50, ms of a frame")]
    for value in y.ticks():
        parts.append(_across(x, y(value)))
        parts.append(text_at(x.begin - 8, y(value) + 4, f"{value:g}", class_="end"))
    parts.append(text_at(0, top - 5, "dB"))
    taken = [_box(x(dot.ms.value) - 7, y(dot.psnr) + 5, 14) for dot in dots]
    for dot in dots:
        at, height = x(dot.ms.value), y(dot.psnr)
        low, high = (x(end) for end in _ends(dot.ms))
        kind = f"k{dot.style % COLOURS}"
        parts.append(
            element("line", x1=low, x2=high, y1=height, y2=height, class_=f"interval {kind}")
        )
        named = element("title", html.escape(f"{dot.label}: {dot.psnr:.2f} dB"))
        parts.append(_marker(at, height, dot.style, named))
        text = fitting(dot.label, 0.4 * _WIDTH)
        width = LETTER * len(text)
        for anchor, kind, base in (
            *((at + 10, "halo", height + 4), (at - 10, "halo end", height + 4)),
            *((at, "halo mid", height - 10), (at, "halo mid", height + 19)),
        ):
            left = anchor - {"halo": 0, "halo end": width, "halo mid": width / 2}[kind]
            box = _box(left, base, width)
            inside = x.begin < box[0] and box[2] < _WIDTH and top < box[1] and box[3] < bottom
            # A label that finds no room is left to the legend.
            if inside and not any(_meet(box, other) for other in taken):
                taken.append(box)
                parts.append(text_at(anchor, base, text, class_=kind))
                break
    return _drawing(bottom + 46, "Quality against the time of a frame", parts)


def _ends(interval: Interval) -> tuple[float, float]:
    # Of a single round nothing is known.
    if interval.low <= 0:
        return interval.value, interval.value
    return interval.low, interval.high


Box = tuple[float, float, float, float]


def _box(left: float, base: float, width: float) -> Box:
    return left, base - 11, left + width, base + 3


def _meet(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _marker(x: float, y: float, style: int, named: str) -> str:
    kind = f"dot k{style % COLOURS}"
    shape = style % len(_DASHES)
    if shape == 0:
        return element("circle", named, cx=x, cy=y, r=5.0, class_=kind)
    corners = {
        1: ((-5, -5), (5, -5), (5, 5), (-5, 5)),
        2: ((0, -6), (6, 5), (-6, 5)),
        3: ((0, -6.5), (6.5, 0), (0, 6.5), (-6.5, 0)),
        4: ((-6, -5), (6, -5), (0, 6)),
    }[shape]
    points = path_of((x + right, y + down) for right, down in corners)
    return element("polygon", named, points=points, class_=kind)


def line_sample(style: int, *, dot: bool = False) -> str:
    """Return what a case's curve, or its dot, looks like, for legends."""
    if dot:
        drawn = _marker(8, 7, style, "")
    else:
        kind = f"curve k{style % COLOURS}"
        drawn = element("line", x1=0.0, x2=38.0, y1=7.0, y2=7.0, class_=kind, **_dash(style))
    width = 16 if dot else 38
    return _sample(width, drawn)


def legend(entries: Sequence[tuple[str, str]]) -> str:
    """Return a list of samples, as markup, and their labels."""
    rows = "".join(
        element("li", sample + element("span", html.escape(label))) for sample, label in entries
    )
    return element("ul", rows, class_="legend")


def stage_legend(stages: Sequence[str]) -> str:
    """Return the legend of ``stage_plot``."""
    entries = [
        (
            _sample(16, element("rect", x=1, y=1, width=14, height=12, class_=_fill(at))),
            stage,
        )
        for at, stage in enumerate(stages)
    ]
    mark = _sample(16, element("line", x1=8, x2=8, y1=0, y2=14, class_="p50"))
    return legend([*entries, (mark, "p50 of a frame")])


def _sample(width: int, drawn: str) -> str:
    return element(
        "svg", drawn, viewBox=f"0 0 {width} 14", width=width, height=14, aria_hidden="true"
    )


def _fill(at: int) -> str:
    return f"fill k{at % COLOURS}" if at < COLOURS else f"fill faint k{at % COLOURS}"


def _dash(style: int) -> dict[str, str]:
    dash = _DASHES[style % len(_DASHES)]
    return {"stroke_dasharray": dash} if dash else {}


def _drawing(height: float, label: str, parts: Sequence[str]) -> str:
    view = f"0 0 {_WIDTH:.0f} {height:.0f}"
    drawn = element("svg", "".join(parts), viewBox=view, role="img", aria_label=label)
    return element("div", drawn, class_="drawing")


def _across(x: Axis, y: float) -> str:
    return element("line", x1=x.begin, x2=x.end, y1=y, y2=y, class_="grid")


def _time_axis(x: Axis, top: float, bottom: float, title: str) -> str:
    parts = [element("line", x1=x.begin, x2=x.end, y1=bottom, y2=bottom, class_="axis")]
    for value in x.ticks():
        at, text = x(value), f"{value:g}"
        half = len(text) * LETTER / 2
        parts.append(element("line", x1=at, x2=at, y1=top, y2=bottom + 4, class_="grid"))
        middle = min(max(at, half), _WIDTH - half)
        parts.append(text_at(middle, bottom + 18, text, class_="mid"))
    note = f"{title}, logarithmic" if x.log else title
    parts.append(text_at(x.end, bottom + 38, note, class_="end"))
    return "".join(parts)
