"""How good every shipped model is at its task, as ``restore-rt eval`` measures it."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tables
from harness import options, write

from restore_rt.model import registry
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

Record = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """Pictures (``files`` in ``folder``), their damage, and whether lettering is read."""

    folder: str
    degrade: str = "reduce"
    ocr: bool = False
    files: str = "*"


PHOTOS = {name: Case(f"test/sr/{name}") for name in ("Set5", "Set14", "BSD100")}
# The JPEG there is the twin of one of the pages.
comics = functools.partial(Case, "test/comic", files="*.png", ocr=True)
VIDEO = {
    **PHOTOS,
    **{f"{name}, H.264 CRF 28": Case(c.folder, "reduce,h264:28") for name, c in PHOTOS.items()},
    "clips, H.264 CRF 28": Case("test/video", "reduce,h264:28"),
}
CASES: dict[str, dict[str, Case]] = {
    **dict.fromkeys(("video-x2-fast", "video-x2", "video-x2-quality"), VIDEO),
    "photo-x2": {**PHOTOS, "Set14, JPEG 80": Case("test/sr/Set14", "reduce,jpeg:80")},
    **dict.fromkeys(("photo-x4", "photo-x4-gan"), PHOTOS),
    "comic-x2": {
        "comics, JPEG 70, 50, 60": comics(degrade="reduce,jpeg:70,jpeg:50,jpeg:60"),
        "comics": comics(),
    },
    "comic-x1": {tables.SCANS: comics(degrade="jpeg:quality=30-60:rounds=3")},
    "repair-x1": {
        **{f"classic5, JPEG {q}": Case("test/classic5", f"jpeg:{q}") for q in (10, 20, 40)},
        "Set14, JPEG 20": Case("test/sr/Set14", "jpeg:20"),
    },
}


def main() -> None:
    """Measure and write ``model_NAME.json`` for each model."""
    shipped = [manifest.name for manifest in registry.models()]
    parser = options(__doc__, data="test/sr/Set5")
    parser.add_argument("models", nargs="*", metavar="MODEL", help="default: all that are shipped")
    parser.add_argument("--cases", nargs="+", help="default: all of a model")
    chosen = parser.parse_args()
    for name in chosen.models:
        if name not in shipped:
            parser.error(f"{name!r} is not shipped; there are {', '.join(shipped)}")
    for name in chosen.models or shipped:
        cases = {label: CASES[name][label] for label in chosen.cases or CASES[name]}
        record = write(f"model_{name}", measure(name, cases, chosen.data), alone=True)
        for label, case in record["cases"].items():
            print(f"{label}: {case['totals'][case['baseline']]} {case['totals'][name]}")


def measure(name: str, cases: Mapping[str, Case], data: Path) -> Record:
    """Evaluate one model in its cases."""
    found = {}
    with open_models([name], threads=None) as loaded:
        (model,) = loaded
        metrics = picture_metrics(model.scale)
        for label, case in cases.items():
            reader = Tesseract() if case.ocr else None
            candidates = [*baselines(model.scale), model]
            evaluation = run_case(case, candidates, data, metrics, reader)
            found[label] = {
                **described(case, evaluation, FIGURES),
                "lettered": evaluation.lettered if reader else None,
                "baseline": evaluation.baseline,
            }
    return {
        "what": evaluation.as_dict()["what"],
        "model": {"name": name, "parameters": model.parameters, **model.details},
        "cases": found,
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


def described(case: Case, evaluation: Evaluation, figures: Sequence[str]) -> Record:
    """Return a case and its figures, by candidate."""
    totals = {each.name: evaluation.totals(each.name) for each in evaluation.candidates}
    return {
        "folder": case.folder,
        "files": case.files,
        "degrade": case.degrade,
        "pictures": len(evaluation.pictures),
        "totals": {
            name: {key: round(found[key], 4) for key in figures if key in found}
            for name, found in totals.items()
        },
    }


if __name__ == "__main__":
    main()
