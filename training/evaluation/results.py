"""Results of an evaluation, by picture and in total, and their storage."""

from __future__ import annotations

import importlib.metadata
import platform
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from restore_rt import __version__, _ext
from restore_rt.bench.machine import processor
from restore_rt.threads import available_threads
from restore_rt.training.evaluation.candidates import BASELINES, ORIGINAL, Candidate
from restore_rt.training.evaluation.ocr import Misread, ReferenceText
from restore_rt.training.metrics.fidelity import MOST_DB, WITHOUT_ORIGINAL

__all__ = ["SCHEMA", "Evaluation", "PictureResult", "Score", "machine"]

SCHEMA = 1
_LIBRARIES = ("numpy", "pillow", "onnx", "onnxruntime", "scikit-image", "scipy", "rapidfuzz", "av")


@dataclass(frozen=True, kw_only=True)
class Score:
    """Score of one candidate on one picture.

    `metrics` are figures by the metric's name, means over the frames of a clip, and those of a clip
    as a whole; what could not be measured is missing. `milliseconds` is for a megapixel of output,
    None where time means nothing; `misread` is None where there was nothing to read.
    """

    metrics: dict[str, float]
    milliseconds: float | None = None
    misread: Misread | None = None


@dataclass(frozen=True, kw_only=True)
class PictureResult:
    """Scores of all candidates on one picture or clip, by their names and `ORIGINAL`.

    The size is that of the original, in pixels. `lettering` is what could be read on it.
    """

    name: str
    height: int
    width: int
    frames: int
    grey: bool
    scores: dict[str, Score]
    lettering: ReferenceText | None = None

    def figures(self, name: str) -> dict[str, float]:
        """Return a candidate's figures on this picture, named as in `Evaluation.totals`."""
        score = self.scores[name]
        figures = {**score.metrics, **_error_rates([(self.lettering, score.misread)])}
        if score.milliseconds is not None:
            figures["ms_per_megapixel"] = score.milliseconds
        return figures


@dataclass(kw_only=True)
class Evaluation:
    """Everything that was measured, of candidates that enlarge by `scale`, baselines first.

    `degradation` is what happened to the pictures, as the command line writes it. `pictures` are in
    the order of their names; `failed` has name and reason of each that could not be evaluated.
    `ocr` is the version of the program that read lettering, None where none did.
    """

    scale: int
    degradation: str
    candidates: Sequence[Candidate]
    ocr: str | None = None
    pictures: list[PictureResult] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)

    @property
    def baseline(self) -> str:
        """Name of the candidate that models are measured against."""
        return BASELINES[self.scale > 1][0]

    @property
    def models(self) -> list[str]:
        """Names of the candidates that are no baselines."""
        return [c.name for c in self.candidates if c.name not in BASELINES[self.scale > 1]]

    @property
    def lettered(self) -> int:
        """Number of pictures with enough legible lettering."""
        return sum(picture.lettering is not None for picture in self.pictures)

    def totals(self, name: str) -> dict[str, float]:
        """Return a candidate's figures over all pictures.

        Metrics are means over the pictures where all candidates have a figure, and the original
        too if it can: the same pictures for all, or their means would say nothing of each other.
        ``ms_per_megapixel`` is the median, and ``cer`` and ``cer_page`` are errors over characters,
        of all pages together.
        """
        scores = [p.scores[name] for p in self.pictures]
        totals = {}
        for key in dict.fromkeys(key for score in scores for key in score.metrics):
            measured = [
                p.scores[name].metrics[key] for p in self.pictures if self._all_have(key, p)
            ]
            if measured:
                totals[key] = statistics.fmean(measured)
        totals.update(_error_rates((p.lettering, p.scores[name].misread) for p in self.pictures))
        times = [score.milliseconds for score in scores if score.milliseconds is not None]
        if times:
            totals["ms_per_megapixel"] = statistics.median(times)
        return totals

    def _all_have(self, key: str, picture: PictureResult) -> bool:
        names = [candidate.name for candidate in self.candidates]
        if key in WITHOUT_ORIGINAL:
            names.append(ORIGINAL)
        return all(key in picture.scores[name].metrics for name in names)

    def gain(self, picture: PictureResult) -> float:
        """Return by how many dB of PSNR on Y the least good model beats the baseline."""
        base = picture.scores[self.baseline].metrics["psnr_y"]
        gains = (picture.scores[name].metrics["psnr_y"] - base for name in self.models)
        return min(gains, default=0.0)

    def as_dict(self) -> dict[str, Any]:
        """Return everything as JSON can hold it."""
        rows = [*(candidate.name for candidate in self.candidates), ORIGINAL]
        return {
            "schema": SCHEMA,
            "what": (
                f"psnr_y and ssim_y on BT.601 luma, 16 to 235 (grey pictures at scale 1: on their "
                f"values), {self.scale if self.scale > 1 else 0} pixels shaved; PSNR of equal "
                f"frames: {MOST_DB:g}; totals of niqe over the pictures where all have one; "
                "vmaf, vmaf_neg (libvmaf, v0.6.1 and v0.6.1neg) and flicker on luma of clips; "
                "ms_per_megapixel of output; cer by lines, cer_page by whole pages"
            ),
            "scale": self.scale,
            "degradation": self.degradation,
            "ocr": self.ocr,
            "machine": machine(),
            "candidates": [
                {"name": c.name, "parameters": c.parameters, **c.details} for c in self.candidates
            ],
            "evaluated": len(self.pictures),
            "failed": [{"name": name, "error": error} for name, error in self.failed],
            "unlettered": len(self.pictures) - self.lettered if self.ocr else None,
            "totals": {name: _rounded(self.totals(name)) for name in rows},
            "pictures": [_picture(picture) for picture in self.pictures],
        }


def machine() -> dict[str, Any]:
    """Return the machine and library versions of the measurement, for JSON."""
    libraries = {}
    for name in _LIBRARIES:
        try:
            libraries[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "processor": processor(),
        "cpus": available_threads(),
        "system": f"{platform.system()} {platform.machine()}",
        "kernels": _ext.isa(),
        "python": platform.python_version(),
        "restore_rt": __version__,
        "libraries": libraries,
    }


def _error_rates(pairs: Iterable[tuple[ReferenceText | None, Misread | None]]) -> dict[str, float]:
    lines = page = characters = on_page = 0
    for lettering, misread in pairs:
        if lettering is not None and misread is not None:
            lines, page = lines + misread.lines, page + misread.page
            characters, on_page = characters + lettering.characters, on_page + len(lettering.page)
    rates = {"cer": lines / characters} if characters else {}
    return {**rates, "cer_page": page / on_page} if on_page else rates


def _picture(picture: PictureResult) -> dict[str, Any]:
    lettering = picture.lettering
    return {
        "name": picture.name,
        "height": picture.height,
        "width": picture.width,
        "frames": picture.frames,
        "grey": picture.grey,
        "characters": lettering.characters if lettering else None,
        "scores": {name: _rounded(picture.figures(name)) for name in picture.scores},
    }


def _rounded(figures: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 6) for name, value in figures.items()}
