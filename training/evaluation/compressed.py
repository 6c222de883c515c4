"""Models on compressed clips: measured clip by clip, and compared with one of them in pairs."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from restore_rt.errors import InputError
from restore_rt.training.degradations.video import Coding, coded, luma_of
from restore_rt.training.evaluation.candidates import ORIGINAL, Candidate
from restore_rt.training.evaluation.sent import luma_restorer, sizes_of
from restore_rt.training.evaluation.sheet import Sheet
from restore_rt.training.metrics.clips import flicker, vmaf
from restore_rt.training.metrics.fidelity import psnr
from restore_rt.training.metrics.niqe import niqe

__all__ = ["CRFS", "METRICS", "RESAMPLES", "SHEET_CRF", "difference", "measure", "summary"]

U8 = NDArray[np.uint8]

CRFS = (24, 32, 38)
METRICS = ("psnr_y", "vmaf", "vmaf_neg", "niqe", "flicker")
# The CRF whose frames a contact sheet shows.
SHEET_CRF = 32
RESAMPLES = 10_000


def measure(
    name: str,
    frames: Sequence[U8],
    candidates: Sequence[Candidate],
    *,
    sheet: Sheet | None = None,
) -> Iterator[dict[str, Any]]:
    """Reduce a clip to half, encode it by x264 (preset medium) at each CRF, restore and measure.

    Everything is measured on luma: PSNR, NIQE (of its full range) as means over the frames, and
    VMAF, VMAF-NEG and flicker of the clip.

    Parameters
    ----------
    name
        What the clip is called.
    frames
        RGB (H, W, 3), at least two.
    candidates
        What restores it; all enlarge twice.
    sheet
        Gets the luma at CRF `SHEET_CRF`.

    Yields
    ------
    dict
        ``clip``, ``crf``, ``model`` and figures by the names in `METRICS`, without those that
        cannot be measured; at each CRF the original comes last, with its own NIQE and flicker.

    Raises
    ------
    InputError
        A candidate does not enlarge twice, the clip has one frame, or there is no ffmpeg with
        libvmaf.
    """
    for candidate in candidates:
        if candidate.scale != 2:
            raise InputError(
                f"{candidate.name} enlarges {candidate.scale} times; give models that enlarge twice"
            )
    if len(frames) < 2:
        raise InputError(f"{name} has {len(frames)} frames; a clip needs at least 2")
    clip = sizes_of(frames)
    own = _figures(clip.truth, clip.truth)
    for crf in CRFS:
        decoded, _ = coded(clip.half, Coding(crf=crf, preset="medium"))
        shown: dict[str, list[U8]] = {}
        for candidate in candidates:
            restore = luma_restorer(candidate)
            restored = shown[candidate.name] = [restore(frame) for frame in decoded]
            pairs = zip(restored, clip.truth, strict=True)
            yield {
                "clip": name,
                "crf": crf,
                "model": candidate.name,
                "psnr_y": statistics.fmean(psnr(a, b) for a, b in pairs),
                **vmaf(restored, clip.truth),
                **_figures(restored, clip.truth),
            }
        yield {"clip": name, "crf": crf, "model": ORIGINAL, **own}
        if sheet is not None and crf == SHEET_CRF:
            moments = sheet.moments(len(frames))
            kept = {key: [values[at] for at in moments] for key, values in shown.items()}
            inputs = [luma_of(decoded[at]) for at in moments]
            originals = [clip.truth[at] for at in moments]
            sheet.add(name, inputs, kept, originals, scale=2, moments=moments)


def _figures(restored: Sequence[U8], truth: Sequence[U8]) -> dict[str, float]:
    """Return NIQE and flicker, where they can be measured."""
    natural = [found for frame in restored if (found := niqe(_full_range(frame))) is not None]
    figures = {"niqe": statistics.fmean(natural)} if natural else {}
    changes = flicker(restored, truth)
    return figures if changes is None else {**figures, "flicker": changes}


def _full_range(luma: U8) -> U8:
    values = (luma.astype(np.float32) - 16) * np.float32(255 / 219)
    scaled: U8 = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return scaled


def summary(
    rows: Sequence[dict[str, Any]], names: Sequence[str], base: str
) -> Iterator[dict[str, Any]]:
    """Average over the clips of a kind, with paired differences to `base`.

    Parameters
    ----------
    rows
        What `measure` yields, each with a ``kind``.
    names
        The models, in order.
    base
        The one that the others are compared with.

    Yields
    ------
    dict
        ``kind``, ``crf``, ``model``, ``base``, ``clips``, and for each metric that was measured its
        ``mean``, the number of ``clips`` that have it, and what `difference` returns.
    """
    kinds = list(dict.fromkeys(row["kind"] for row in rows))
    for kind, crf, name in itertools.product(kinds, CRFS, names):
        these, those = (
            {
                row["clip"]: row
                for row in rows
                if (row["kind"], row["crf"], row["model"]) == (kind, crf, model)
            }
            for model in (name, base)
        )
        entry: dict[str, Any] = {"kind": kind, "crf": crf, "model": name, "base": base}
        entry["clips"] = len(these)
        for metric in METRICS:
            values = [row[metric] for row in these.values() if metric in row]
            if not values:
                continue
            entry[metric] = {"mean": statistics.fmean(values), "clips": len(values)}
            pairs = [
                row[metric] - those[clip][metric]
                for clip, row in these.items()
                if metric in row and metric in those.get(clip, {})
            ]
            if name != base and pairs:
                entry[metric] |= difference(np.array(pairs))
        yield entry


def difference(values: NDArray[np.float64]) -> dict[str, float]:
    """Return the mean ``difference``, and ``low`` and ``high``, its 95 % bootstrap interval.

    Clips are what is resampled; one clip has no interval.
    """
    mean = {"difference": float(values.mean())}
    if len(values) < 2:
        return mean
    rng = np.random.default_rng(1)
    means = values[rng.integers(len(values), size=(RESAMPLES, len(values)))].mean(1)
    low, high = np.quantile(means, (0.025, 0.975))
    return {**mean, "low": float(low), "high": float(high)}
