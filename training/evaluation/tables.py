"""The table of an evaluation: which figures it has, how they are written, which are best."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from restore_rt.training.evaluation.candidates import ORIGINAL
from restore_rt.training.evaluation.results import Evaluation, PictureResult
from restore_rt.training.metrics.fidelity import Metric

__all__ = ["CLIP_COLUMNS", "Cell", "Column", "columns_of", "rows_of"]

_NOTHING = "\u2013"


@dataclass(frozen=True)
class Column:
    """A figure: its key in `Evaluation.totals`, its title, decimals, and which way is better."""

    key: str
    title: str
    digits: int
    higher_is_better: bool = False


# Of whole clips; see `restore_rt.training.metrics.clips`.
CLIP_COLUMNS = (
    Column("vmaf", "VMAF", 2, higher_is_better=True),
    Column("vmaf_neg", "VMAF-NEG", 2, higher_is_better=True),
    Column("flicker", "flicker", 4),
)


@dataclass(frozen=True)
class Cell:
    """A table's cell: its text, and whether it is the best of its column."""

    text: str
    best: bool = False


def columns_of(evaluation: Evaluation, metrics: Mapping[str, Metric]) -> list[Column]:
    """Return the columns that have a figure: metrics, those of clips, error rates and times."""
    columns = [
        *(Column(key, m.title, m.digits, m.higher_is_better) for key, m in metrics.items()),
        *CLIP_COLUMNS,
        Column("cer", "CER by lines", 4),
        Column("cer_page", "CER by page", 3),
        Column("ms_per_megapixel", "ms/Mpixel", 1),
    ]
    found = {key for c in evaluation.candidates for key in evaluation.totals(c.name)}
    return [column for column in columns if column.key in found]


def rows_of(
    evaluation: Evaluation, columns: list[Column], picture: PictureResult | None = None
) -> dict[str, list[Cell]]:
    """Return a row of cells for each candidate and the original, of all pictures or of one."""
    names = [candidate.name for candidate in evaluation.candidates]
    figures_of = evaluation.totals if picture is None else picture.figures
    figures = {name: figures_of(name) for name in (*names, ORIGINAL)}
    return {name: [_cell(figures, name, names, column) for column in columns] for name in figures}


def _cell(
    figures: Mapping[str, Mapping[str, float]], name: str, names: list[str], column: Column
) -> Cell:
    value = figures[name].get(column.key)
    if value is None:
        return Cell(_NOTHING)
    written = f"{value:.{column.digits}f}"
    rivals = [figures[rival][column.key] for rival in names if column.key in figures[rival]]
    best = max(rivals, default=value) if column.higher_is_better else min(rivals, default=value)
    # Time of a filter is no merit that models should be measured against.
    contest = name in names and column.key != "ms_per_megapixel"
    return Cell(written, contest and written == f"{best:.{column.digits}f}")
