"""``restore-rt eval``: how good models are, measured on damaged pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from restore_rt.cli import options
from restore_rt.cli.console import emit, explain, fail, progress, show_traceback
from restore_rt.errors import InputError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from restore_rt.training.degradations import Step
    from restore_rt.training.evaluation import Crops, Evaluation, Tesseract
    from restore_rt.training.metrics import Metric

__all__ = ["evaluate"]


def evaluate(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL...", help="Shipped models and .onnx files, all of one scale."
        ),
    ],
    data: Annotated[
        Path, typer.Option("--data", metavar="DIR", help="Undamaged pictures and videos.")
    ],
    degrade: Annotated[
        str | None,
        typer.Option(
            "--degrade",
            metavar="SPEC",
            help="What is done to them first: steps with commas between, values after colons, like "
            "reduce,jpeg:70 or jpeg:quality=30-60:rounds=2. A video codec (reduce,h264:28) makes "
            "a still a clip over which a camera drifts.",
            show_default="reduce, for models that enlarge",
        ),
    ] = None,
    ocr: Annotated[
        bool, typer.Option("--ocr", help="Measure whether lettering can be read; needs tesseract.")
    ] = False,
    json_file: Annotated[
        Path | None,
        typer.Option(
            "--json",
            metavar="FILE",
            help="Write everything, picture by picture, as JSON.",
            show_default=False,
        ),
    ] = None,
    html_file: Annotated[
        Path | None,
        typer.Option(
            "--html",
            metavar="FILE",
            help="Write a page that shows crops side by side, the worst first.",
            show_default=False,
        ),
    ] = None,
    images: Annotated[
        int, typer.Option("--images", metavar="N", min=1, help="Pictures in the page.")
    ] = 24,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit", metavar="N", min=1, help="Only the first pictures.", show_default="all"
        ),
    ] = None,
    limit_frames: Annotated[
        int,
        typer.Option("--limit-frames", metavar="N", min=1, help="Of each video, from its start."),
    ] = 32,
    threads: options.ThreadsOption = None,
    overwrite: options.OverwriteOption = False,
) -> int:
    """Measure how good models are: damage pictures, restore them, compare with what they were.

    PSNR and SSIM on luma and on RGB tell how close a picture comes to the original, NIQE how
    natural a photograph looks (lower is better), CER which part of the letters is misread,
    ms/Mpixel the time for a megapixel of output. Simple enlarging stands beside the models. When
    one of several pictures fails, the others are done and the exit code is 1.
    """
    try:
        from restore_rt.training.metrics import check_libraries, picture_metrics
    except ImportError as error:
        if error.name != "tomli":
            raise
        raise InputError("evaluating needs tomli; pip install 'restore-rt[eval]'") from None
    from restore_rt.files import check_target, whole_file
    from restore_rt.training.evaluation import (
        Evaluation,
        Tesseract,
        baselines,
        find_files,
        open_models,
        read_steps,
        report,
    )

    check_libraries()
    for target in (json_file, html_file):
        if target is not None:
            check_target(target, overwrite=overwrite)
    files = find_files(data)[:limit]
    reader = Tesseract() if ocr else None
    with open_models(models, threads=threads) as loaded:
        scale = loaded[0].scale
        evaluation = Evaluation(
            scale=scale,
            degradation=degrade or "reduce",
            candidates=[*baselines(scale), *loaded],
            ocr=reader.version if reader else None,
        )
        steps = read_steps(degrade, scale)
        metrics = picture_metrics(scale)
        crops = _run(evaluation, files, steps, metrics, reader, frames=limit_frames, images=images)
    if not evaluation.pictures:
        return 1
    if json_file is not None:
        record = {"data": str(data), **evaluation.as_dict()}
        with whole_file(json_file, overwrite=overwrite) as temporary:
            text = json.dumps(record, indent=2, allow_nan=False)
            temporary.write_text(text + "\n", encoding="utf-8")
    if html_file is not None:
        with whole_file(html_file, overwrite=overwrite) as temporary:
            temporary.write_text(report(evaluation, metrics, crops), encoding="utf-8")
    emit({}, _table(evaluation, metrics), as_json=False)
    return 1 if evaluation.failed else 0


def _run(
    evaluation: Evaluation,
    files: Sequence[Path],
    steps: Sequence[Step],
    metrics: Mapping[str, Metric],
    reader: Tesseract | None,
    *,
    frames: int,
    images: int,
) -> dict[str, Crops]:
    """Fill the evaluation; return crops of its worst pictures, by name."""
    from restore_rt.training.evaluation import evaluate, worst_first

    crops: dict[str, Crops] = {}
    with progress("evaluating", len(files), "pictures") as advance:
        for path, outcome in evaluate(
            files, evaluation.candidates, steps, metrics, frames=frames, reader=reader
        ):
            if isinstance(outcome, Exception):
                if len(files) == 1:
                    raise outcome
                show_traceback(outcome)
                message = explain(outcome)
                fail(message if str(path) in message else f"{path}: {message}")
                evaluation.failed.append((path.name, message))
            else:
                result, cut = outcome
                evaluation.pictures.append(result)
                crops[result.name] = cut
                for better in worst_first(evaluation)[images:]:
                    crops.pop(better.name, None)
            advance(1)
    return crops


def _table(evaluation: Evaluation, metrics: Mapping[str, Metric]) -> RenderableType:
    from rich import box
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from restore_rt.training.evaluation import columns_of, rows_of

    columns = columns_of(evaluation, metrics)
    parameters = {c.name: c.parameters for c in evaluation.candidates}
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("", overflow="fold")
    for title in (*(column.title for column in columns), "parameters"):
        table.add_column(title, justify="right")
    for name, cells in rows_of(evaluation, columns).items():
        count = parameters.get(name)
        texts = [Text(cell.text, style="bold" if cell.best else "") for cell in cells]
        table.add_row(Text(name), *texts, "" if count is None else f"{count:,}")
    return Group(Text(_summary(evaluation)), table)


def _summary(evaluation: Evaluation) -> str:
    from restore_rt.training.evaluation import pictures

    count, failed = len(evaluation.pictures), len(evaluation.failed)
    parts = [f"{pictures(count)}, x{evaluation.scale}, {evaluation.degradation}"]
    if failed:
        parts.append(f"{failed} of {count + failed} failed")
    if evaluation.ocr:
        parts.append(f"{count - evaluation.lettered} without lettering to read")
    return "; ".join(parts)
