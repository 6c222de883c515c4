"""The report to look at: one HTML file without scripts that needs no other file."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from html import escape

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from restore_rt.training.evaluation.candidates import ORIGINAL
from restore_rt.training.evaluation.crops import Crops
from restore_rt.training.evaluation.results import Evaluation, PictureResult, machine
from restore_rt.training.evaluation.tables import Column, columns_of, rows_of
from restore_rt.training.metrics.fidelity import Metric
from restore_rt.wording import count_of

__all__ = ["report", "worst_first"]

U8 = NDArray[np.uint8]

# How wide a crop is shown, in pixels of the page.
_SHOWN = 288
_BEST = ' class="best"'
_STYLE = f"""
:root {{ color-scheme: light dark; }}
body {{ font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 110rem;
  padding: 0 1rem; }}
h1 {{ font-size: 1.5rem; }}
h2 {{ font-size: 1.1rem; margin: 2.5rem 0 .3rem; }}
p {{ margin: .2rem 0; }}
table {{ border-collapse: collapse; margin: .8rem 0; }}
th, td {{ border-bottom: 1px solid #8886; padding: .2rem .7rem; text-align: right;
  white-space: nowrap; }}
th:first-child, td:first-child {{ text-align: left; }}
td.best {{ font-weight: 700; }}
.crops {{ display: flex; flex-wrap: wrap; gap: .6rem; margin: .6rem 0; }}
figure {{ margin: 0; }}
img {{ display: block; image-rendering: pixelated; width: {_SHOWN}px; }}
figcaption {{ font-size: .85rem; }}
.wide {{ overflow-x: auto; }}
"""


def worst_first(evaluation: Evaluation) -> list[PictureResult]:
    """Return the pictures, first those where the least good model gains least over the baseline."""
    return sorted(evaluation.pictures, key=evaluation.gain)


def report(
    evaluation: Evaluation, metrics: Mapping[str, Metric], crops: Mapping[str, Crops]
) -> str:
    """Return the page, with the `crops` of pictures by their names; those without are left out."""
    columns = columns_of(evaluation, metrics)
    title = escape("Evaluation of " + ", ".join(evaluation.models))
    shown = [picture for picture in worst_first(evaluation) if picture.name in crops]
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width">',
        f"<title>{title}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{title}</h1>",
        *(f"<p>{escape(line)}</p>" for line in _facts(evaluation)),
        _table(evaluation, columns),
        *(f"<p>Failed: {escape(name)}: {escape(error)}</p>" for name, error in evaluation.failed),
        f"<p>{escape(_order(evaluation, len(shown)))}</p>",
        *(_section(evaluation, columns, picture, crops[picture.name]) for picture in shown),
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def _order(evaluation: Evaluation, shown: int) -> str:
    pictures = count_of(len(evaluation.pictures), "picture")
    return (
        f"Of {pictures} {shown} can be seen, first where models gain least over "
        f"{evaluation.baseline}; each crop is where the results differ most."
    )


def _facts(evaluation: Evaluation) -> list[str]:
    count = len(evaluation.pictures)
    failed = f", {len(evaluation.failed)} failed" if evaluation.failed else ""
    pictures = count_of(count, "picture")
    lines = [f"{pictures}{failed}; scale {evaluation.scale}; {evaluation.degradation}"]
    if evaluation.ocr:
        lines.append(
            f"Lettering read by {evaluation.ocr} on {count_of(evaluation.lettered, 'picture')}; "
            f"{count - evaluation.lettered} count as not lettered"
        )
    for candidate in evaluation.candidates:
        if "runs_on" in candidate.details:
            model, runs_on = (str(candidate.details[key]) for key in ("model", "runs_on"))
            lines.append(f"{candidate.name} ran on {runs_on.removeprefix(f'{model} on ')}")
    where = machine()
    libraries = ", ".join(f"{name} {version}" for name, version in where["libraries"].items())
    cpus = count_of(where["cpus"], "CPU")
    lines.append(
        f"restore_rt {where['restore_rt']}, {where['processor']}, {cpus}, Python "
        f"{where['python']}, {libraries}"
    )
    return lines


def _section(
    evaluation: Evaluation, columns: list[Column], picture: PictureResult, crops: Crops
) -> str:
    height, width = crops.original.shape[:2]
    frames = f", {picture.frames} frames" if picture.frames > 1 else ""
    place = (
        f"{picture.width}x{picture.height}{frames}; {evaluation.gain(picture):+.2f} dB over "
        f"{evaluation.baseline}; shown: {width}x{height} pixels at x {crops.left}, y {crops.top}"
    )
    images = [("input", crops.input), *crops.restored.items(), (ORIGINAL, crops.original)]
    figures = (
        f'<figure><img src="{_data_uri(image)}" alt="{escape(name)}, enlarged">'
        f"<figcaption>{escape(name)}</figcaption></figure>"
        for name, image in images
    )
    return "\n".join(
        [
            f"<section><h2>{escape(picture.name)}</h2>",
            f"<p>{escape(place)}</p>",
            f'<div class="crops">{"".join(figures)}</div>',
            _table(evaluation, columns, picture),
            "</section>",
        ]
    )


def _table(
    evaluation: Evaluation, columns: list[Column], picture: PictureResult | None = None
) -> str:
    parameters = {c.name: c.parameters for c in evaluation.candidates}
    titles = ["", *(column.title for column in columns), "parameters"]
    lines = ["".join(f"<th>{escape(title)}</th>" for title in titles)]
    for name, cells in rows_of(evaluation, columns, picture).items():
        count = parameters.get(name)
        texts = "".join(f"<td{_BEST * cell.best}>{escape(cell.text)}</td>" for cell in cells)
        weights = "" if count is None else f"{count:,}"
        lines.append(f"<td>{escape(name)}</td>{texts}<td>{weights}</td>")
    rows = "\n".join(f"<tr>{line}</tr>" for line in lines)
    return f'<div class="wide"><table>\n{rows}\n</table></div>'


def _data_uri(image: U8) -> str:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
