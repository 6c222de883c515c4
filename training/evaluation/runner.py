"""Runs every candidate on every picture and measures the results."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from restore_rt.errors import InputError, RestoreError
from restore_rt.training.degradations import Step
from restore_rt.training.evaluation.candidates import BASELINES, ORIGINAL, Candidate
from restore_rt.training.evaluation.crops import Crops, cut
from restore_rt.training.evaluation.ocr import ReferenceText, Tesseract
from restore_rt.training.evaluation.results import PictureResult, Score
from restore_rt.training.evaluation.samples import Sample, load_sample
from restore_rt.training.evaluation.sheet import Sheet
from restore_rt.training.metrics.clips import flicker, measure_clip
from restore_rt.training.metrics.fidelity import Metric, y_of

__all__ = ["FRAMES", "evaluate", "evaluate_sample"]

U8 = NDArray[np.uint8]

# The most frames of a video.
FRAMES = 32
# A candidate's time is the median of so many runs, after one that does not count.
_RUNS = 3
_MEGA = 1e6


def evaluate(
    files: Sequence[Path],
    candidates: Sequence[Candidate],
    steps: Sequence[Step],
    metrics: Mapping[str, Metric],
    *,
    frames: int = FRAMES,
    reader: Tesseract | None = None,
    root: Path | None = None,
    clips: bool = False,
    sheet: Sheet | None = None,
) -> Iterator[tuple[Path, tuple[PictureResult, Crops] | Exception]]:
    """Evaluate pictures and videos (of which `frames` at the most), one after the other.

    Parameters
    ----------
    files, candidates
        What to evaluate, and what is compared on it; all of one scale.
    steps, metrics
        What happens to the pictures; what is measured, by name.
    reader
        Measures whether lettering can be read.
    root
        The folder that the files lie in or below, for their names; see `load_sample`.
    clips
        Also measure what concerns a clip as a whole, on its luma; see
        `restore_rt.training.metrics.clips.measure_clip`.
    sheet
        Gets the crops of each picture and clip.

    Yields
    ------
    tuple
        Each file with what was found and crops to look at, or with the error, whatever it is, that
        concerns this file alone.

    Raises
    ------
    InputError
        If there is no candidate, or their scales differ.
    """
    scales = {candidate.scale for candidate in candidates}
    if len(scales) != 1:
        raise InputError(f"the candidates' scales are {sorted(scales)}; they must be one")
    (scale,) = scales
    for path in files:
        try:
            sample = load_sample(path, steps, scale=scale, frames=frames, root=root)
            found = evaluate_sample(
                sample, candidates, metrics, scale=scale, reader=reader, clips=clips, sheet=sheet
            )
            yield path, found
        except Exception as error:
            yield path, error


def evaluate_sample(
    sample: Sample,
    candidates: Sequence[Candidate],
    metrics: Mapping[str, Metric],
    *,
    scale: int,
    reader: Tesseract | None = None,
    clips: bool = False,
    sheet: Sheet | None = None,
) -> tuple[PictureResult, Crops]:
    """Evaluate one picture or clip; see `evaluate`."""
    middle = sample.originals[sample.middle]
    lettering = reader.reference(middle) if reader else None
    truth = _luma(sample.originals, scale) if clips and len(sample.originals) > 1 else None
    moments = sheet.moments(len(sample.originals)) if sheet else []
    scores, shown, kept = {}, {}, {}
    for candidate in candidates:
        score, restored = _score(candidate, sample, metrics, reader, lettering)
        if truth is not None:
            score.metrics.update(measure_clip(_luma(restored, scale), truth))
        scores[candidate.name] = score
        # Of the baselines the first is enough to look at, and the input is shown anyway.
        if candidate.name not in (*BASELINES[0], *BASELINES[1][1:]):
            shown[candidate.name] = restored[sample.middle]
            kept[candidate.name] = [restored[moment] for moment in moments]
    own = {name: metric for name, metric in metrics.items() if not metric.compares}
    scores[ORIGINAL] = Score(metrics=_means(own, sample.originals, sample.originals))
    if truth is not None and (changes := flicker(truth, truth)) is not None:
        scores[ORIGINAL].metrics["flicker"] = changes
    if sheet is not None:
        inputs, originals = ([of[m] for m in moments] for of in (sample.inputs, sample.originals))
        sheet.add(sample.name, inputs, kept, originals, scale=scale, moments=moments)
    height, width = middle.shape[:2]
    result = PictureResult(
        name=sample.name,
        height=height,
        width=width,
        frames=len(sample.originals),
        grey=middle.ndim == 2,
        scores=scores,
        lettering=lettering,
    )
    return result, cut(sample.inputs[sample.middle], shown, middle, scale=scale)


def _score(
    candidate: Candidate,
    sample: Sample,
    metrics: Mapping[str, Metric],
    reader: Tesseract | None,
    lettering: ReferenceText | None,
) -> tuple[Score, list[U8]]:
    """Return the score and the restored frames."""
    restored, seconds = [], []
    for frame, original in zip(sample.inputs, sample.originals, strict=True):
        begin = time.perf_counter()
        out = candidate.restore(frame)
        seconds.append(time.perf_counter() - begin)
        if out.shape != original.shape:
            raise RestoreError(
                f"{candidate.name} made {out.shape} of {frame.shape}, not {original.shape}; "
                "the scale in its manifest is wrong: export it again"
            )
        restored.append(out)
    # The first run prepares for the size and does not count.
    while candidate.timed and len(seconds) <= _RUNS:
        begin = time.perf_counter()
        candidate.restore(sample.inputs[0])
        seconds.append(time.perf_counter() - begin)
    middle = restored[sample.middle]
    size = middle.shape[0] * middle.shape[1] / _MEGA
    score = Score(
        metrics=_means(metrics, restored, sample.originals),
        milliseconds=1e3 * statistics.median(seconds[1:]) / size if candidate.timed else None,
        misread=reader.misread(middle, lettering) if reader and lettering else None,
    )
    return score, restored


def _luma(frames: Sequence[U8], scale: int) -> list[U8]:
    return [np.rint(y_of(frame, scale)).astype(np.uint8) for frame in frames]


def _means(
    metrics: Mapping[str, Callable[[U8, U8], float | None]],
    restored: Sequence[U8],
    originals: Sequence[U8],
) -> dict[str, float]:
    means = {}
    for name, metric in metrics.items():
        figures = [metric(a, b) for a, b in zip(restored, originals, strict=True)]
        measured = [figure for figure in figures if figure is not None]
        if measured:
            means[name] = statistics.fmean(measured)
    return means
