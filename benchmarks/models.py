"""How good every shipped model is at its task, as ``restore-rt eval`` measures it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from harness import options, write
from tables import toml

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


class Case(NamedTuple):
    """Pictures (``files`` in ``folder``), their damage, and whether lettering is read."""

    folder: str
    degrade: str = "reduce"
    ocr: bool = False
    files: str = "*"


CASES = {label: Case(**given) for label, given in toml("quality")["cases"].items()}
MODELS = {name: model["cases"] for name, model in toml("quality")["models"].items()}


def main() -> None:
    """Measure and write ``model_NAME.json`` for each model."""
    parser = options(__doc__, data="test/sr/Set5")
    parser.add_argument("models", nargs="*", metavar="MODEL", help="default: all that are shipped")
    chosen = parser.parse_args()
    for name in chosen.models:
        if name not in MODELS:
            parser.error(f"{name!r} is not shipped; there are {', '.join(MODELS)}")
    for name in chosen.models or MODELS:
        record = write(f"model_{name}", measure(name, chosen.data), alone=True)
        for label, case in record["cases"].items():
            print(f"{label}: {case['totals'][case['baseline']]} {case['totals'][name]}")


def measure(name: str, data: Path) -> Record:
    """Evaluate one model in its cases."""
    found = {}
    with open_models([name], threads=None) as loaded:
        (model,) = loaded
        metrics = picture_metrics(model.scale)
        for label in MODELS[name]:
            case = CASES[label]
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
