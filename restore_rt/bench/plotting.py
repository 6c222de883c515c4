"""Draws a report with matplotlib."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from restore_rt.bench.report import Report
from restore_rt.errors import InputError

__all__ = ["figure_class", "plot_report"]

_FORMATS = (".png", ".svg", ".pdf")


def figure_class(path: Path) -> Any:
    """Return matplotlib's ``Figure``; raises ``InputError`` if it or a known suffix is missing."""
    if path.suffix.lower() not in _FORMATS:
        raise InputError(f"cannot plot to {path}; the name must end in {', '.join(_FORMATS)}")
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise InputError("plots need matplotlib: pip install 'restore-rt[bench]'") from error
    return Figure


def plot_report(report: Report, path: Path) -> None:
    """Draw the median times with their intervals, and the distribution of all frame times."""
    made = report.measurements
    labels = [str(each.key).replace("$", r"\$") for each in made]
    figure = figure_class(path)(figsize=(9, 5 + 0.4 * len(made)), layout="constrained")
    bars, curves = figure.subplots(2, 1, height_ratios=(1 + 0.4 * len(made), 4))
    for each, label in zip(made, labels, strict=True):
        p50 = each.p50_ms
        # A single round has no interval.
        low, high = p50.ends or (p50.value, p50.value)
        bars.barh(label, p50.value, xerr=[[p50.value - low], [high - p50.value]], capsize=3)
        curves.plot(each.percentiles_ms, range(101), label=label)
    bars.invert_yaxis()
    bars.set_xlabel("median ms per frame, with its 95 % confidence interval")
    curves.set_xscale("log")
    curves.set_xlabel("ms per frame")
    curves.set_ylabel("% of frames at most this slow")
    curves.legend(fontsize="small")
    figure.savefig(path)
