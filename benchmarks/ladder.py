"""Draws ``docs/ladder.svg``: how good the luma models for video are, and how long a frame takes.

From what ``models.py`` measured of the one, and ``restore-rt bench --sweep benchmarks/models.toml``
of the other.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from figure_parts import ROOT, results

MODELS = ("video-x2-fast", "video-x2", "video-x2-quality")
QUALITY = ("Set14", "clips, H.264 CRF 28")
BASELINE = "bicubic"


def main() -> None:
    """Draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--picture", type=Path, default=ROOT / "docs" / "ladder.svg")
    options = parser.parse_args()
    draw(options.picture)
    print(f"drawn: {options.picture}")


def rungs() -> dict[str, dict[str, Any]]:
    """Return parameters, PSNR in dB by pictures, and ms of a frame by model."""
    times = {
        made["model"]["name"]: made["derived"]["p50_ms"]
        for made in results("bench")["measurements"]
    }
    found = {}
    for name in MODELS:
        record = results(f"model_{name}")
        psnr = {label: record["cases"][label]["totals"][name]["psnr_y"] for label in QUALITY}
        found[name] = {
            "parameters": record["model"]["parameters"],
            "psnr": psnr,
            "milliseconds": times[name],
        }
    return found


def draw(path: Path) -> None:
    """Write the picture; the same figures give the same file."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "ladder"
    from matplotlib import pyplot

    found = rungs()
    figure, axes = pyplot.subplots(1, len(QUALITY), figsize=(8, 3.6), layout="constrained")
    for label, plot in zip(QUALITY, axes, strict=True):
        cases = results(f"model_{MODELS[0]}")["cases"]
        plot.axhline(
            cases[label]["totals"][BASELINE]["psnr_y"], color="grey", linestyle="--", label=BASELINE
        )
        places = [(rung["milliseconds"], rung["psnr"][label]) for rung in found.values()]
        plot.plot(*zip(*places, strict=True), marker="o")
        for name, place in zip(found, places, strict=True):
            plot.annotate(name, place, xytext=(6, -12), textcoords="offset points", fontsize=9)
        plot.axvline(1000 / 60, color="grey", linestyle=":", label="60 frames/s")
        plot.set_title(label, fontsize=10)
        plot.set_xlim(0, 1.7 * max(place[0] for place in places))
        plot.set_xlabel("ms for a frame of 640x360")
        plot.set_ylabel("PSNR in dB")
        plot.grid(alpha=0.3)
        plot.legend(loc="lower right", fontsize=8)
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main()
