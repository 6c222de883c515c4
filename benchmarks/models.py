"""How good every shipped model is at what it is for, as ``restore-rt eval`` measures it."""

from __future__ import annotations

import argparse
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_option import add_data_option
from results_file import write
from rich.console import Console
from rich.table import Table

from restore_rt.model import registry as zoo
from restore_rt.training.evaluation import (
    Candidate,
    Evaluation,
    Tesseract,
    baselines,
    evaluate,
    find_files,
    open_models,
    read_steps,
)
from restore_rt.training.metrics.fidelity import Metric, picture_metrics

FIGURES = ("psnr_y", "ssim_y", "niqe", "cer", "cer_page", "ms_per_megapixel")


@dataclass(frozen=True)
class Case:
    """Pictures (``files`` in ``folder``), what happens to them, and whether lettering is read."""

    folder: str
    degrade: str = "reduce"
    ocr: bool = False
    files: str = "*"


PHOTOS = {name: Case(f"test/sr/{name}") for name in ("Set5", "Set14", "BSD100")}
# The JPEG there is the twin of one of the pages.
comics = functools.partial(Case, "test/comic", files="*.png", ocr=True)
VIDEO = {
    **PHOTOS,
    **{
        f"{name}, H.264 CRF 28": Case(case.folder, "reduce,h264:28")
        for name, case in PHOTOS.items()
    },
    "clips, H.264 CRF 28": Case("test/video", "reduce,h264:28"),
}
CASES: dict[str, dict[str, Case]] = {
    "video-x2-fast": VIDEO,
    "video-x2": VIDEO,
    "video-x2-quality": VIDEO,
    "photo-x2": {**PHOTOS, "Set14, JPEG 80": Case("test/sr/Set14", "reduce,jpeg:80")},
    "photo-x4": PHOTOS,
    "photo-x4-gan": PHOTOS,
    "comic-x2": {
        "comics, JPEG 70, 50, 60": comics(degrade="reduce,jpeg:70,jpeg:50,jpeg:60"),
        "comics": comics(),
    },
    "comic-x1": {
        "comics, JPEG 30 to 60 three times": comics(degrade="jpeg:quality=30-60:rounds=3"),
    },
    "repair-x1": {
        "classic5, JPEG 10": Case("test/classic5", "jpeg:10"),
        "classic5, JPEG 20": Case("test/classic5", "jpeg:20"),
        "classic5, JPEG 40": Case("test/classic5", "jpeg:40"),
        "Set14, JPEG 20": Case("test/sr/Set14", "jpeg:20"),
    },
}


def main() -> None:
    """Measure, print a table, write ``model_NAME.json`` for each model."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_data_option(parser, "test/sr/Set5")
    parser.add_argument("models", nargs="*", metavar="MODEL", help="default: all that are shipped")
    options = parser.parse_args()
    shipped = [manifest.name for manifest in zoo.models()]
    names = options.models or shipped
    for name in names:
        if name not in shipped:
            parser.error(f"{name!r} is not shipped; there are {', '.join(shipped)}")
    for name in names:
        record = measure(name, options.data)
        show(name, record)
        print(f"written: {write(f'model_{name}', record)}")


def measure(name: str, data: Path) -> dict[str, Any]:
    """Evaluate one model in all its cases."""
    cases = {}
    with open_models([name], threads=None) as loaded:
        (model,) = loaded
        metrics = picture_metrics(model.scale)
        for label, case in CASES[name].items():
            reader = Tesseract() if case.ocr else None
            evaluation = run_case(case, [*baselines(model.scale), model], data, metrics, reader)
            totals = {
                candidate.name: _figures(evaluation.totals(candidate.name))
                for candidate in evaluation.candidates
            }
            cases[label] = {
                "folder": case.folder,
                "files": case.files,
                "degrade": case.degrade,
                "pictures": len(evaluation.pictures),
                "lettered": evaluation.lettered if reader else None,
                "baseline": evaluation.baseline,
                "totals": totals,
            }
    return {
        "what": evaluation.as_dict()["what"],
        "model": {"name": name, "parameters": model.parameters, **model.details},
        "cases": cases,
    }


def run_case(
    case: Case,
    candidates: Sequence[Candidate],
    data: Path,
    metrics: Mapping[str, Metric],
    reader: Tesseract | None = None,
) -> Evaluation:
    """Evaluate candidates of one scale on all pictures of a case; the first that fails ends it."""
    scale = candidates[0].scale
    evaluation = Evaluation(
        scale=scale,
        degradation=case.degrade,
        candidates=candidates,
        ocr=reader.version if reader else None,
    )
    steps = read_steps(case.degrade, scale)
    files = [file for file in find_files(data / case.folder) if file.match(case.files)]
    for path, outcome in evaluate(files, candidates, steps, metrics, reader=reader):
        if isinstance(outcome, Exception):
            raise SystemExit(f"{path}: {outcome}")
        evaluation.pictures.append(outcome[0])
    return evaluation


def _figures(totals: dict[str, float]) -> dict[str, float]:
    return {name: round(totals[name], 4) for name in FIGURES if name in totals}


def show(name: str, record: dict[str, Any]) -> None:
    """Print one model's figures beside the baseline's."""
    table = Table("", "pictures", *FIGURES, title=name)
    for label, case in record["cases"].items():
        for who in (case["baseline"], name):
            figures = case["totals"][who]
            cells = (f"{figures[key]:.4g}" if key in figures else "" for key in FIGURES)
            table.add_row(f"{label}: {who}", str(case["pictures"]), *cells)
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
