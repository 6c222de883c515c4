"""Draws ``docs/quality_cost.svg``: how good networks and filters are, and what they cost."""

from __future__ import annotations

from pathlib import Path

from benchmark_tables import points
from harness import ROOT
from tables import SCANS, part

# Title, scale and pictures.
PANELS = (
    ("Set14, x2", 2, "Set14"),
    ("Set14, x3", 3, "Set14"),
    ("Set14, x4", 4, "Set14"),
    ("clips after H.264, x2", 2, "clips, H.264 CRF 28"),
    ("comics after JPEG three times, x2", 2, "comics, JPEG 70, 50, 60"),
    ("comics after JPEG three times, x1", 1, SCANS),
    ("classic5 after JPEG 20, x1", 1, "classic5, JPEG 20"),
)
MARKERS = {"restore_rt": "o", "others": "^", "filters": "s"}


def draw(path: Path) -> None:
    """Write the picture; the same figures give the same file."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "quality_cost"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, 4, figsize=(14, 6.6), layout="constrained", sharex=True)
    record = part("quality_cost")
    for (title, scale, label), plot in zip(PANELS, axes.flat, strict=False):
        found = points(record, scale, label)
        # A name is as near to its marker as the legend's order makes it: the best is on top.
        for point in sorted(found, key=lambda point: -point.psnr):
            if point.ms is None:
                plot.axhline(point.psnr, color="grey", linestyle="--", label=point.name)
            else:
                plot.plot(point.ms, point.psnr, MARKERS[point.by], label=point.name)
        plot.set_xscale("log")
        plot.set_title(title)
        plot.set_xlabel("ms for a megapixel of output")
        plot.set_ylabel("PSNR in dB")
        plot.grid(alpha=0.3)
        plot.legend(fontsize=7)
    axes.flat[-1].axis("off")
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


if __name__ == "__main__":
    draw(ROOT / "docs" / "quality_cost.svg")
