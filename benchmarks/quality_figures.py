"""What ``quality_cost.py`` and ``models.py`` measured, put together, and tables of it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from figure_parts import machine_words, part, results, table

__all__ = ["PHOTOS", "Point", "points", "quality_cost"]

KEYS = ("psnr_y", "ssim_y")
PHOTOS = ("Set5", "Set14", "BSD100")
# Besides photographs, each with the scale.
OTHER_PICTURES = (
    (2, "clips, H.264 CRF 28"),
    (2, "comics, JPEG 70, 50, 60"),
    (2, "comics"),
    (1, "comics, JPEG 30 to 60 three times"),
    (1, "classic5, JPEG 20"),
)


@dataclass(frozen=True)
class Point:
    """What something costs, and how good it is on some pictures.

    Attributes
    ----------
    name
        What it is.
    by
        ``"restore_rt"``, ``"others"``, or ``"filters"``, which is also the damaged picture itself.
    runs_in
        The library, without its version.
    milliseconds
        For a megapixel of output; None for the damaged picture.
    psnr, ssim
        On luma.
    """

    name: str
    by: str
    runs_in: str
    milliseconds: float | None
    psnr: float
    ssim: float


def points(scale: int, label: str) -> list[Point]:
    """Return all that was measured of a scale on some pictures, the quickest first."""
    record = part("quality_cost")
    found = [
        Point(one["name"], one["by"], _library(one["runs_in"]), one["ms_per_megapixel"], *figures)
        for one in record["times"]
        if one["scale"] == scale
        for figures in _figures(record, one, label)
    ]
    found += _damaged(record, scale, label)
    return sorted(found, key=lambda point: point.milliseconds or 0)


def _figures(
    record: dict[str, Any], one: dict[str, Any], label: str
) -> Iterable[tuple[float, float]]:
    """Yield PSNR and SSIM of what was timed, if they were measured."""
    name = one["name"]
    if one["by"] == "restore_rt":
        cases = results(f"model_{name}")["cases"]
    else:
        cases = record["cases"].get(f"x{one['scale']}", {})
    if label in cases and name in cases[label]["totals"]:
        totals = cases[label]["totals"][name]
        psnr, ssim = (totals[key] for key in KEYS)
        yield psnr, ssim


def _damaged(record: dict[str, Any], scale: int, label: str) -> list[Point]:
    """Return the pictures themselves where they keep their size: what repair begins with."""
    names = [one["name"] for one in record["times"] if one["scale"] == scale == 1]
    cases = (results(f"model_{name}")["cases"].get(label) for name in names)
    return [
        Point("input", "filters", "", None, *(case["totals"]["input"][key] for key in KEYS))
        for case in cases
        if case is not None
    ][:1]


def quality_cost() -> str:
    """Return quality and time of our models, of others' networks and of filters."""
    record = part("quality_cost")
    scales = sorted({one["scale"] for one in record["times"]} - {1})
    photos = [row for scale in scales for row in _photo_rows(scale)]
    head = ("scale", "", "runs in", "ms per megapixel", "p10 to p90", *PHOTOS, "SSIM, Set14")
    others = [
        (
            f"{label}, x{scale}",
            _name(point),
            _milliseconds(point),
            f"{point.psnr:.2f}",
            f"{point.ssim:.4f}",
        )
        for scale, label in OTHER_PICTURES
        for point in points(scale, label)
    ]
    return (
        "PSNR in dB on luma, and the time for a megapixel of output, of an RGB picture on "
        f"{machine_words(record['machine'])}; ours in bold. realesr-animevideov3 is for anime, and "
        "was trained with an adversary, for sharpness more than for PSNR.\n\n"
        f"{table(head, photos)}\n\n"
        f"{table(('pictures', '', 'ms per megapixel', 'PSNR', 'SSIM'), others)}\n\n"
        f"Not measured: {_absent(record['absent'])}."
    )


def _absent(absent: Iterable[dict[str, str]]) -> str:
    """Return what could not be run, by the reason, of which the beginning is enough here."""
    names: dict[str, list[str]] = {}
    for one in absent:
        names.setdefault(re.split(r"[:;,(]", one["reason"])[0].strip(), []).append(one["name"])
    return "; ".join(f"{', '.join(each)} ({reason})" for reason, each in names.items())


def _photo_rows(scale: int) -> Iterable[tuple[str, ...]]:
    by_label = {label: {p.name: p for p in points(scale, label)} for label in PHOTOS}
    for name, point in by_label["Set14"].items():
        psnr = (f"{by_label[label][name].psnr:.2f}" for label in PHOTOS)
        yield (
            f"x{scale}",
            _name(point),
            point.runs_in,
            _milliseconds(point),
            _span(name, scale),
            *psnr,
            f"{point.ssim:.4f}",
        )


def _span(name: str, scale: int) -> str:
    """Return between which times most runs lay, for a megapixel of output."""
    times = part("quality_cost")["times"]
    (one,) = (each for each in times if (each["name"], each["scale"]) == (name, scale))
    found = one["milliseconds"]
    ends = (found[key] / found["median"] * one["ms_per_megapixel"] for key in ("p10", "p90"))
    return " to ".join(f"{end:.1f}" for end in ends)


def _name(point: Point) -> str:
    return f"**`{point.name}`**" if point.by == "restore_rt" else point.name


def _milliseconds(point: Point) -> str:
    return "" if point.milliseconds is None else f"{point.milliseconds:.1f}"


def _library(runs_in: str) -> str:
    """Return a library's name out of what says how it runs, like ``ncnn 1.0, 2 threads``."""
    return re.split(r",| \d", runs_in)[0]
