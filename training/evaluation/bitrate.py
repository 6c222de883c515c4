"""What half size plus restoring saves: BD-rate against full size, over a ladder of rates."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from restore_rt.errors import InputError
from restore_rt.training.degradations.video import Coding, coded, luma_of
from restore_rt.training.evaluation.candidates import Candidate
from restore_rt.training.evaluation.sent import luma_restorer, sizes_of
from restore_rt.training.metrics.clips import find_ffmpeg, vmaf
from restore_rt.training.metrics.fidelity import psnr, ssim
from restore_rt.training.needed import needed

__all__ = [
    "CRFS",
    "FULL",
    "METRICS",
    "ClipLadder",
    "Point",
    "bd_rate",
    "check_libraries",
    "crossover",
    "mean_rates",
    "measure_clip",
    "plotted",
]

U8 = NDArray[np.uint8]

FULL = "full size"
METRICS = ("psnr_y", "ssim_y", "vmaf", "vmaf_neg")
# On x264's scale; from good to bad.
CRFS = (20, 24, 28, 32, 36, 40, 44, 48)
# BD-rates use this many of the lowest rates, where half size may pay off.
_LOWEST = 5
# Points of a curve between which a crossover is looked for.
_STEPS = 1000


@dataclass(frozen=True)
class Point:
    """A clip at one rate: kilobits a second, and its figures by the names in `METRICS`."""

    crf: float
    kbits: float
    figures: dict[str, float]


@dataclass
class ClipLadder:
    """A clip at all rates: `ways` has the points of full size, and of each candidate at half size.

    `milliseconds` is each candidate's median time for a frame.
    """

    name: str
    width: int
    height: int
    frames: int
    fps: float
    ways: dict[str, list[Point]] = field(default_factory=dict)
    milliseconds: dict[str, float] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return everything as JSON can hold it, BD-rates and crossover rates included."""
        others = [name for name in self.ways if name != FULL]
        metrics = self.ways[FULL][0].figures
        return {
            "name": self.name,
            "width": self.width,
            "height": self.height,
            "frames": self.frames,
            "fps": self.fps,
            "ms_per_frame": self.milliseconds,
            "bd_rate": {name: {m: bd_rate(self, name, m) for m in metrics} for name in others},
            "crossover_kbits": {
                name: {m: crossover(self, name, m) for m in metrics} for name in others
            },
            "points": {
                name: [{"crf": p.crf, "kbits": p.kbits, **p.figures} for p in points]
                for name, points in self.ways.items()
            },
        }


def measure_clip(
    path: Path,
    candidates: Sequence[Candidate],
    *,
    codec: str = "h264",
    frames: int,
    name: str | None = None,
    advance: Callable[[int], None] = lambda count: None,
) -> ClipLadder:
    """Encode a clip at full and at half size at all rates, restore the latter, and measure luma.

    Half size is made by bicubic; the preset is medium, or the nearest that the codec has. VMAF and
    VMAF-NEG are measured where `find_ffmpeg` finds one.

    Parameters
    ----------
    path
        A video.
    candidates
        What restores it; all enlarge twice.
    codec
        One of `restore_rt.training.degradations.video.CODECS`.
    frames
        The most frames that are read, from the start.
    name
        What the clip is called; by default the name of its file.
    advance
        Called with 1 after each rate.

    Raises
    ------
    InputError
        A library is missing, or the clip is too small or has one frame.
    MediaError
        The clip cannot be read.
    """
    originals, fps = _read(path, frames)
    height, width = (side // 4 * 4 for side in originals[0].shape[:2])
    if len(originals) < 2 or min(height, width) < 32:
        raise InputError(
            f"{path} has {len(originals)} frames of {width}x{height}; a ladder of rates needs at "
            "least 2 of 32x32"
        )
    clip = sizes_of(originals)
    ladder = ClipLadder(name or path.name, width, height, len(clip.full), fps)
    seconds: dict[str, list[float]] = {candidate.name: [] for candidate in candidates}
    for crf in CRFS:
        coding = Coding(codec=codec, crf=crf)
        decoded, size = coded(clip.full, coding)
        _add(ladder, FULL, crf, size, [luma_of(frame) for frame in decoded], clip.truth)
        decoded, size = coded(clip.half, coding)
        for candidate in candidates:
            restore, restored = luma_restorer(candidate), []
            for frame in decoded:
                begin = time.perf_counter()
                restored.append(restore(frame))
                seconds[candidate.name].append(time.perf_counter() - begin)
            _add(ladder, candidate.name, crf, size, restored, clip.truth)
        advance(1)
    ladder.milliseconds = {key: 1e3 * statistics.median(all_) for key, all_ in seconds.items()}
    return ladder


def _read(path: Path, frames: int) -> tuple[list[U8], float]:
    """Return RGB frames, and frames a second."""
    from restore_rt.training.data.clips import read_clip

    originals = [*read_clip(path, frames)]
    from restore_rt.video.opening import choose_stream, open_video

    with open_video(path) as container:
        rate = choose_stream(container, path).average_rate
    return originals, float(rate or 25)


def _add(
    ladder: ClipLadder, way: str, crf: float, size: int, restored: list[U8], truth: list[U8]
) -> None:
    pairs = list(zip(restored, truth, strict=True))
    figures = {
        "psnr_y": statistics.fmean(psnr(a, b) for a, b in pairs),
        "ssim_y": statistics.fmean(ssim(a, b) or 0.0 for a, b in pairs),
    }
    if find_ffmpeg() is not None:
        figures |= vmaf(restored, truth)
    kbits = size * 8 * ladder.fps / len(truth) / 1000
    ladder.ways.setdefault(way, []).append(Point(crf, kbits, figures))


def check_libraries(*, plots: bool) -> None:
    """Raise `InputError` where a library is missing that BD-rate, or `plots`, need."""
    needed("bjontegaard", "bjontegaard", "BD-rate")
    if plots:
        needed("matplotlib", "matplotlib", "a plot", extra="bench")


def bd_rate(ladder: ClipLadder, way: str, metric: str, *, anchor: str = FULL) -> float | None:
    """Return the rate that a way takes over the anchor's at equal quality, less 1, in percent.

    Below 0 the way saves. The lowest five rates of each count. The result is None where the
    qualities do not overlap. After Bjontegaard, VCEG-M33, 2001, with Akima interpolation.
    """
    import bjontegaard

    (rates, first), (others, second) = (_lowest(ladder.ways[w], metric) for w in (anchor, way))
    few = min(len(rates), len(others)) < 2
    if few or max(min(first), min(second)) >= min(max(first), max(second)):
        return None
    value = bjontegaard.bd_rate(
        rates,
        first,
        others,
        second,
        method="akima",
        require_matching_points=False,
        min_overlap=0,
    )
    return float(value) if math.isfinite(value) else None


def _lowest(points: list[Point], metric: str) -> tuple[list[float], list[float]]:
    """Return the lowest rates and their figures, rising; points that fall are left out."""
    rates: list[float] = []
    figures: list[float] = []
    for point in sorted(points, key=lambda each: each.kbits)[:_LOWEST]:
        if not figures or (point.figures[metric] > figures[-1] and point.kbits > rates[-1]):
            rates.append(point.kbits)
            figures.append(point.figures[metric])
    return rates, figures


def crossover(ladder: ClipLadder, way: str, metric: str) -> float | None:
    """Return the highest rate in kbit/s at which half size is no worse than full size.

    Only rates that both have count. The result is None if full size is better at all of them.
    """
    curves = [sorted((p.kbits, p.figures[metric]) for p in ladder.ways[w]) for w in (FULL, way)]
    low, high = max(curve[0][0] for curve in curves), min(curve[-1][0] for curve in curves)
    if low >= high:
        return None
    grid = np.geomspace(low, high, _STEPS)
    full, half = (np.interp(np.log(grid), *_log(curve)) for curve in curves)
    better = np.flatnonzero(half >= full)
    return float(grid[better[-1]]) if len(better) else None


def _log(curve: list[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [math.log(rate) for rate, _ in curve], [figure for _, figure in curve]


def plotted(ladders: Sequence[ClipLadder], path: Path, metric: str, *, format_name: str) -> None:
    """Draw the curves of each clip, rate against a metric, in a format of matplotlib's."""
    from matplotlib.figure import Figure

    columns = math.ceil(math.sqrt(len(ladders)))
    rows = math.ceil(len(ladders) / columns)
    figure = Figure(figsize=(5 * columns, 4 * rows), layout="constrained")
    for index, ladder in enumerate(ladders):
        axes = figure.add_subplot(rows, columns, index + 1)
        for way, points in ladder.ways.items():
            ordered = sorted(points, key=lambda each: each.kbits)
            values = [point.figures[metric] for point in ordered]
            axes.plot([point.kbits for point in ordered], values, marker=".", label=way)
        axes.set(title=ladder.name, xscale="log", xlabel="kbit/s", ylabel=metric)
        axes.grid(visible=True, alpha=0.3)
        axes.legend()
    figure.savefig(path, format=format_name)


def mean_rates(ladders: Sequence[ClipLadder], names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Average the BD-rates of each candidate; None where a clip has none, as it would flatter."""
    for name in names:
        row: dict[str, Any] = {"model": name}
        for metric in METRICS:
            found = [
                bd_rate(ladder, name, metric) if metric in ladder.ways[FULL][0].figures else None
                for ladder in ladders
            ]
            rates = [rate for rate in found if rate is not None]
            row[metric] = statistics.fmean(rates) if len(rates) == len(found) else None
        row["ms_per_frame"] = statistics.fmean(each.milliseconds[name] for each in ladders)
        yield row
