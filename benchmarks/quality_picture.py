"""Draws ``docs/quality_cost.svg``: how good networks and filters are, and what a megapixel costs.

From what ``quality_cost.py`` and ``models.py`` measured.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from figure_parts import ROOT
from quality_figures import Point, points

# Title, scale and pictures.
PANELS = (
    ("Set14, x2", 2, "Set14"),
    ("Set14, x3", 3, "Set14"),
    ("Set14, x4", 4, "Set14"),
    ("clips after H.264, x2", 2, "clips, H.264 CRF 28"),
    ("comics after JPEG three times, x2", 2, "comics, JPEG 70, 50, 60"),
    ("comics after JPEG three times, x1", 1, "comics, JPEG 30 to 60 three times"),
    ("classic5 after JPEG 20, x1", 1, "classic5, JPEG 20"),
)
ROWS, COLUMNS = 2, 4
# Label, marker and colour.
KINDS = {
    "restore_rt": ("ours", "o", "tab:blue"),
    "others": ("of others", "^", "tab:orange"),
    "filters": ("filters", "s", "grey"),
}
FONT = 7
# Points between a marker and its name, and what a letter takes.
GAP, LETTER, LINE = 4, 0.62 * FONT, 1.25 * FONT


class Label(NamedTuple):
    """A name beside a marker, in points: where the marker is, and how long the name is."""

    x: float
    y: float
    width: float


def main() -> None:
    """Draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--picture", type=Path, default=ROOT / "docs" / "quality_cost.svg")
    options = parser.parse_args()
    draw(options.picture)
    print(f"drawn: {options.picture}")


def draw(path: Path) -> None:
    """Write the picture; the same figures give the same file."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "quality_cost"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(ROWS, COLUMNS, figsize=(14, 6.6), layout="constrained")
    found = [points(scale, label) for _, scale, label in PANELS]
    times = [point.milliseconds for panel in found for point in panel if point.milliseconds]
    *plots, last = axes.flat
    for (title, *_), panel, plot in zip(PANELS, found, plots, strict=True):
        _panel(plot, title, panel)
        # Alike in all, so that costs can be compared across.
        plot.set_xlim(min(times) / 1.5, max(times) * 1.5)
    for name, marker, colour in KINDS.values():
        last.plot([], [], marker, color=colour, label=name)
    last.axis("off")
    last.legend(loc="center", frameon=False)
    figure.draw_without_rendering()
    for panel, plot in zip(found, plots, strict=True):
        _write_names(plot, [point for point in panel if point.milliseconds])
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def _panel(plot: Any, title: str, panel: Sequence[Point]) -> None:
    for point in panel:
        _, marker, colour = KINDS[point.by]
        if point.milliseconds is None:
            plot.axhline(point.psnr, color=colour, linestyle="--")
            plot.annotate(
                point.name,
                (0.02, point.psnr),
                xycoords=("axes fraction", "data"),
                xytext=(0, 3),
                textcoords="offset points",
                fontsize=FONT,
            )
        else:
            plot.plot(point.milliseconds, point.psnr, marker, color=colour, markersize=5)
    plot.set_xscale("log")
    plot.margins(y=0.12)
    plot.set_title(title, fontsize=10)
    plot.set_xlabel("ms for a megapixel of output", fontsize=8)
    plot.set_ylabel("PSNR in dB", fontsize=8)
    plot.tick_params(labelsize=8)
    plot.grid(alpha=0.3)


def _write_names(plot: Any, panel: Sequence[Point]) -> None:
    scale = 72 / plot.figure.dpi
    left, right = (scale * edge for edge in plot.get_window_extent().intervalx)
    labels = []
    for point in panel:
        x, y = (scale * at for at in plot.transData.transform((point.milliseconds, point.psnr)))
        labels.append(Label(x, y, LETTER * len(point.name)))
    for point, (x, y) in zip(panel, places(labels, left, right), strict=True):
        plot.annotate(
            point.name,
            (point.milliseconds, point.psnr),
            xytext=(x, y),
            textcoords="offset points",
            fontsize=FONT,
            va="center",
        )


def places(labels: Sequence[Label], left: float, right: float) -> list[tuple[float, float]]:
    """Return where names begin, from their markers, so that none lies on another or on a marker.

    Beside its marker, right before left, moved up or down as little as that takes.
    """
    taken = [(one.x - GAP, one.y, one.x + GAP) for one in labels]
    moves = sorted((step * LINE / 4 for step in range(-24, 25)), key=abs)
    found = []
    for one in labels:
        sides = [
            offset
            for offset in (GAP + 2.0, -GAP - 2.0 - one.width)
            if left <= one.x + offset and one.x + offset + one.width <= right
        ]
        offset, move = next(
            (
                (offset, move)
                for move in moves
                for offset in sides
                if _is_free(taken, one.x + offset, one.width, one.y + move)
            ),
            (GAP + 2.0, 0.0),
        )
        taken.append((one.x + offset, one.y + move, one.x + offset + one.width))
        found.append((offset, move))
    return found


def _is_free(
    taken: Sequence[tuple[float, float, float]], begin: float, width: float, middle: float
) -> bool:
    return not any(
        begin < end and begin + width > start and abs(middle - y) < 0.9 * LINE
        for start, y, end in taken
    )


if __name__ == "__main__":
    main()
