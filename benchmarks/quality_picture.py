"""Quality against time: the points, their table, and the picture ``docs/quality_cost.svg``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from harness import ROOT
from tables import Found, Record, label, machine_words, named, part, render, results

PATH = ROOT / "docs" / "quality_cost.svg"
PHOTOS = ("Set5", "Set14", "BSD100")
# Pictures beside photographs, each with the scale.
OTHER_PICTURES = (
    *((2, "clips, H.264 CRF 28"), (2, "comics, JPEG 70, 50, 60"), (2, "comics")),
    *((1, "comics, JPEG 30 to 60 three times"), (1, "classic5, JPEG 20")),
)
# The comics as they are take too much room.
PANELS = [(2, "Set14"), (3, "Set14"), (4, "Set14"), *(OTHER_PICTURES[at] for at in (0, 1, 3, 4))]
MARKERS = {"restore_rt": "o", "others": "^", "filters": "s"}


class Point(NamedTuple):
    """How good something is on some pictures, and its ms for a megapixel of output.

    ``by`` is ``"restore_rt"``, ``"others"`` or ``"filters"``, which includes the damaged picture
    itself: that has no time.
    """

    name: str
    by: str
    runs_in: str
    ms: float | None
    spread: tuple[float, float] | None
    psnr: float
    ssim: float


def points(record: Record, scale: int, pictures: str) -> list[Point]:
    """Return everything that was measured of a scale on some pictures, the fastest first."""
    found = []
    for one in record["times"]:
        name, own = one["name"], one["by"] == "restore_rt"
        cases = results(f"model_{name}")["cases"] if own else record["cases"].get(f"x{scale}", {})
        totals = cases.get(pictures, {}).get("totals", {})
        if one["scale"] != scale or name not in totals:
            continue
        ms, each = one["milliseconds"], one["ms_per_megapixel"]
        low, high = (ms[key] / ms["median"] * each for key in ("p10", "p90"))
        library = re.split(r",| \d", one["runs_in"])[0].replace("native engine", named("native"))
        good = (totals[name]["psnr_y"], totals[name]["ssim_y"])
        found.append(Point(name, one["by"], library, each, (low, high), *good))
        if scale == 1 and not any(point.name == "input" for point in found):
            damaged = (totals["input"]["psnr_y"], totals["input"]["ssim_y"])
            found.append(Point("input", "filters", "", None, None, *damaged))
    return sorted(found, key=lambda point: point.ms or 0)


def quality_cost(record: Record) -> Found:
    """Return quality and time of our models, of others' networks and of filters."""
    photos = []
    for scale in sorted({one["scale"] for one in record["times"]} - {1}):
        by_name = {name: {p.name: p for p in points(record, scale, name)} for name in PHOTOS}
        for point in by_name["Set14"].values():
            psnr = [by_name[name][point.name].psnr for name in PHOTOS]
            photos.append({**_row(point), "scale": scale, "all": psnr})
    set_names = [label(name, record["cases"]["x2"][name]) for name in PHOTOS]
    columns = {name: f"{{all[{at}]:.2f}}" for at, name in enumerate(set_names)}
    others = [
        {**_row(point), "label": pictures, "scale": scale}
        for scale, pictures in OTHER_PICTURES
        for point in points(record, scale, pictures)
    ]
    absent: dict[str, list[str]] = {}
    for one in record["absent"]:
        why = re.split(r"[:;,(]", one["reason"])[0].strip()
        absent.setdefault(why, []).append(one["name"])
    values = {
        "machine": machine_words(record["machine"]),
        "others": render("quality_cost_others", Found({"": others})),
        "absent": "; ".join(f"{', '.join(who)} ({why})" for why, who in absent.items()),
    }
    return Found({"": photos}, values, {**columns, "SSIM, Set14": "{ssim:.4f}"})


def _row(point: Point) -> Record:
    own = point.by == "restore_rt"
    return {**point._asdict(), "name": f"**`{point.name}`**" if own else point.name}


def draw(path: Path) -> None:
    """Write the picture; the same figures give the same file."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "quality_cost"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, 4, figsize=(14, 6.6), layout="constrained", sharex=True)
    record = part("quality_cost")
    for (scale, pictures), plot in zip(PANELS, axes.flat, strict=False):
        found = points(record, scale, pictures)
        # A name is as near to its marker as the legend's order makes it: the best is on top.
        for point in sorted(found, key=lambda point: -point.psnr):
            if point.ms is None:
                plot.axhline(point.psnr, color="grey", linestyle="--", label=point.name)
            else:
                plot.plot(point.ms, point.psnr, MARKERS[point.by], label=point.name)
        plot.set_xscale("log")
        plot.set_title(f"{pictures}, x{scale}")
        plot.set_xlabel("ms for a megapixel of output")
        plot.set_ylabel("PSNR in dB")
        plot.grid(alpha=0.3)
        plot.legend(fontsize=7)
    axes.flat[-1].axis("off")
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
