"""In-painting measured: holes are drawn into pictures, filled, and compared with the originals."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from restore_rt import load
from restore_rt.errors import InputError, MissingBackendError, RestoreError
from restore_rt.inpaint import fill
from restore_rt.inpaint.classical import METHODS, fill_classically, import_opencv
from restore_rt.training.data.pictures import crc_of_name, read_rgb
from restore_rt.training.degradations.holes import Holes
from restore_rt.training.evaluation.sheet import Sheet
from restore_rt.training.metrics.fidelity import psnr, ssim_map

__all__ = [
    "KINDS",
    "FillScore",
    "Filler",
    "classical_fillers",
    "mean_scores",
    "measure_fills",
    "open_fillers",
]

U8 = NDArray[np.uint8]
Mask = NDArray[np.bool_]

KINDS: Mapping[str, Holes] = MappingProxyType(
    {
        "scratches": Holes(shapes=("scratch",), coverage=(0.03, 0.03)),
        "patches": Holes(shapes=("flake", "blob"), coverage=(0.08, 0.08), size=(4.0, 60.0)),
        "strokes": Holes(shapes=("stroke",), coverage=(0.22, 0.22), size=(8.0, 30.0)),
        "centre": Holes(shapes=("centre",), coverage=(1 / 16, 1 / 16)),
    }
)


@dataclass(frozen=True, kw_only=True)
class Filler:
    """Something that fills holes: called with a frame (H, W, 3) and holes (H, W), it gives a frame.

    `details` are for the JSON file.
    """

    name: str
    function: Callable[[U8, Mask], U8]
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class FillScore:
    """PSNR in dB and SSIM of the RGB pixels in the holes of one picture, and the time for it.

    `ssim` is None where the picture is too small for it.
    """

    psnr: float
    ssim: float | None
    seconds: float


def classical_fillers() -> tuple[list[Filler], list[str]]:
    """Return push-pull and the methods of the OpenCV that is installed, and why others lack."""
    fillers = [Filler(name="push-pull", function=fill)]
    lacking = []
    for method in METHODS:
        try:
            import_opencv(method)
        except MissingBackendError as error:
            lacking.append(str(error))
            continue
        fillers.append(Filler(name=method, function=partial(_classically, method)))
    return fillers, lacking


def _classically(method: Any, frame: U8, holes: Mask) -> U8:
    filled = fill_classically(frame, holes.view(np.uint8), method=method)
    # OpenCV's fsr changes known pixels by what the conversion of their colours loses.
    return np.where(holes[..., None], filled, frame)


@contextmanager
def open_fillers(models: Sequence[str], *, threads: int | None = None) -> Iterator[list[Filler]]:
    """Load in-painting models as `restore_rt.load` does.

    A model goes by the name in its manifest; where two share one, or it is a method's name, by what
    it was given as. Raises `InputError` if a model does not fill holes, or is given twice.
    """
    with ExitStack() as stack:
        loaded = [(model, stack.enter_context(load(model, threads=threads))) for model in models]
        shared = Counter(restorer.manifest.name for _, restorer in loaded)
        taken = {"push-pull", *METHODS}
        fillers = []
        for model, restorer in loaded:
            manifest = restorer.manifest
            if manifest.task != "inpaint":
                raise InputError(
                    f"{model} is for the task {manifest.task!r}; --inpaint compares models that "
                    "fill holes"
                )
            unique = shared[manifest.name] == 1 and manifest.name not in taken
            name = manifest.name if unique else model
            if name in taken:
                raise InputError(f"{name} is given twice; give each model once")
            taken.add(name)
            details = {
                "model": manifest.name,
                "version": manifest.version,
                "sha256": manifest.sha256,
                "runs_on": restorer.description,
            }
            fillers.append(
                Filler(name=name, function=partial(_restored, restorer), details=details)
            )
        yield fillers


def _restored(restorer: Callable[..., U8], frame: U8, holes: Mask) -> U8:
    return restorer(frame, mask=holes)


def measure_fills(
    path: Path, fillers: Sequence[Filler], *, name: str, sheet: Sheet | None = None
) -> dict[str, dict[str, FillScore]]:
    """Draw holes of each kind in `KINDS` into a picture, and measure how each filler fills them.

    The holes depend on the kind and the name of the file alone; the picture counts as RGB.
    `sheet` gets the strips ``NAME, KIND``.

    Returns
    -------
    dict
        The scores by kind and filler.

    Raises
    ------
    MediaError
        The picture cannot be read.
    RestoreError
        A filler changed what it was not to change.
    """
    frame = read_rgb(path)
    scores: dict[str, dict[str, FillScore]] = {}
    for number, (kind, damage) in enumerate(KINDS.items()):
        rng = np.random.default_rng([crc_of_name(path.name), number])
        holes = damage.mask(rng, *frame.shape[:2])
        damaged = frame.copy()
        damaged[holes] = 255
        scores[kind], filled = {}, {}
        for filler in fillers:
            begin = time.perf_counter()
            out = filler.function(damaged, holes)
            seconds = time.perf_counter() - begin
            if out.shape != frame.shape or not np.array_equal(out[~holes], frame[~holes]):
                raise RestoreError(
                    f"{filler.name} changed pixels outside the holes of {path}; it is not to be "
                    "compared: report it"
                )
            scores[kind][filler.name] = _score(out, frame, holes, seconds)
            filled[filler.name] = [out]
        if sheet is not None:
            title = f"{name}, {kind}"
            sheet.add(title, [damaged], filled, [frame], scale=1, moments=[0])
    return scores


def _score(out: U8, frame: U8, holes: Mask, seconds: float) -> FillScore:
    similarity = ssim_map(out, frame)
    return FillScore(
        psnr=psnr(out[holes], frame[holes]),
        ssim=None if similarity is None else float(similarity[holes].mean()),
        seconds=seconds,
    )


def mean_scores(
    pictures: Sequence[Mapping[str, Mapping[str, FillScore]]],
) -> dict[str, dict[str, dict[str, float]]]:
    """Average the scores by kind and filler: means of PSNR and SSIM, the median of the seconds."""
    means: dict[str, dict[str, dict[str, float]]] = {}
    for kind in KINDS:
        means[kind] = {}
        for name in pictures[0][kind]:
            scores = [picture[kind][name] for picture in pictures]
            row = {
                "psnr": statistics.fmean(score.psnr for score in scores),
                "seconds": statistics.median(score.seconds for score in scores),
            }
            similar = [score.ssim for score in scores if score.ssim is not None]
            if similar:
                row["ssim"] = statistics.fmean(similar)
            means[kind][name] = row
    return means
