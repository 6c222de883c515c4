"""Evaluation: degrade pictures, restore them with models, and measure the results. No torch."""

from restore_rt.training.evaluation.candidates import (
    BASELINES,
    ORIGINAL,
    Candidate,
    baselines,
    open_models,
)
from restore_rt.training.evaluation.crops import Crops
from restore_rt.training.evaluation.ocr import Tesseract
from restore_rt.training.evaluation.report import report, worst_first
from restore_rt.training.evaluation.results import Evaluation, PictureResult, Score
from restore_rt.training.evaluation.runner import FRAMES, evaluate, evaluate_sample
from restore_rt.training.evaluation.samples import (
    VIDEOS,
    Sample,
    find_files,
    generator_for,
    load_sample,
    read_steps,
)
from restore_rt.training.evaluation.sheet import Sheet
from restore_rt.training.evaluation.tables import columns_of, rows_of

__all__ = [
    "BASELINES",
    "FRAMES",
    "ORIGINAL",
    "VIDEOS",
    "Candidate",
    "Crops",
    "Evaluation",
    "PictureResult",
    "Sample",
    "Score",
    "Sheet",
    "Tesseract",
    "baselines",
    "columns_of",
    "evaluate",
    "evaluate_sample",
    "find_files",
    "generator_for",
    "load_sample",
    "open_models",
    "read_steps",
    "report",
    "rows_of",
    "worst_first",
]
