"""``restore-rt eval``: how good models are, measured on damaged pictures."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from restore_rt.cli import options
from restore_rt.cli.bitrate import BitrateCodec, compare_rates, note_missing_vmaf
from restore_rt.cli.console import emit, explain, fail, progress, show_traceback
from restore_rt.cli.fills import compare_fills
from restore_rt.errors import InputError
from restore_rt.wording import count_of

if TYPE_CHECKING:
    from rich.console import RenderableType

    from restore_rt.training.evaluation import Crops, Evaluation, PictureResult, Sheet
    from restore_rt.training.metrics.fidelity import Metric

__all__ = ["evaluate"]


def evaluate(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL...", help="Shipped models and .onnx files, all of one scale."
        ),
    ],
    data: Annotated[
        Path,
        typer.Option(
            "--data",
            metavar="DIR",
            help="Undamaged pictures and videos, in this folder and all below it.",
        ),
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
    sheet_file: Annotated[
        Path | None,
        typer.Option(
            "--sheet",
            metavar="FILE",
            help="Write crops of moving places, three times as large: some moments of each clip as "
            ".png, all frames as animated .webp, the worst first.",
            show_default=False,
        ),
    ] = None,
    bitrate: Annotated[
        BitrateCodec | None,
        typer.Option(
            "--bitrate",
            metavar="CODEC",
            help="Compare half size plus restoring with full size over a ladder of rates of h264, "
            "hevc, vp9 or av1: BD-rate and crossover of each clip.",
            show_default=False,
        ),
    ] = None,
    plot_file: Annotated[
        Path | None,
        typer.Option(
            "--plot",
            metavar="FILE",
            help="Draw the rates and qualities of --bitrate, as .png or .svg.",
            show_default=False,
        ),
    ] = None,
    inpaint: Annotated[
        bool,
        typer.Option(
            "--inpaint",
            help="Compare how in-painting models and the classical methods fill drawn scratches, "
            "patches, strokes and a square.",
        ),
    ] = False,
    images: Annotated[
        int,
        typer.Option("--images", metavar="N", min=1, help="Pictures in the page and the sheet."),
    ] = 24,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit", metavar="N", min=1, help="Only the first pictures.", show_default="all"
        ),
    ] = None,
    limit_frames: Annotated[
        int | None,
        typer.Option(
            "--limit-frames",
            metavar="N",
            min=1,
            help="Of each video, from its start.",
            show_default="32",
        ),
    ] = None,
    scale: Annotated[
        int | None,
        typer.Option(
            "--scale",
            metavar="S",
            help="By how much models without a manifest enlarge.",
            show_default="found by a trial run",
        ),
    ] = None,
    colour: Annotated[
        Literal["rgb", "luma"] | None,
        typer.Option(
            "--colour",
            help="What models without a manifest take.",
            show_default="found by a trial run",
        ),
    ] = None,
    threads: options.ThreadsOption = None,
    overwrite: options.OverwriteOption = False,
) -> int:
    """Measure how good models are: damage pictures, restore them, compare with what they were.

    PSNR and SSIM on luma and on RGB tell how close a picture comes to the original (PSNR of equal
    pictures: 100), NIQE how natural a photograph looks (lower is better; the mean is over those
    where all have one), CER which part of the letters is misread, ms/Mpixel the time for a
    megapixel of output. Clips also have VMAF and VMAF-NEG, where an ffmpeg with libvmaf is found,
    and flicker: how much a clip changes where the original stands still, divided by the mean
    gradient (lower is better). With --bitrate, videos tell what streaming at half size saves. With
    --inpaint, holes are drawn into the pictures, and PSNR and SSIM are those of the pixels in them.
    Simple enlarging stands beside the models. When one of several pictures fails, the others are
    done and the exit code is 1.
    """
    from restore_rt.files import check_target, whole_file
    from restore_rt.training.degradations.video import VIDEO_STEPS
    from restore_rt.training.evaluation import (
        FRAMES,
        VIDEOS,
        Evaluation,
        Sheet,
        Tesseract,
        baselines,
        evaluate,
        find_files,
        open_models,
        read_steps,
        report,
        worst_first,
    )
    from restore_rt.training.evaluation.sheet import FORMATS
    from restore_rt.training.metrics.fidelity import check_libraries, picture_metrics

    check_libraries()
    every_file = (json_file, html_file, sheet_file, plot_file)
    targets = [target for target in every_file if target is not None]
    for target in targets:
        check_target(target, overwrite=overwrite)
    if len({os.path.realpath(target) for target in targets}) < len(targets):
        raise InputError(f"{targets[-1]} is named twice; give each report a file of its own")
    if sheet_file is not None and sheet_file.suffix.lower() not in FORMATS:
        raise InputError(f"--sheet is {sheet_file}; its name must end in .png or .webp")
    reports = {"html_file": html_file, "sheet_file": sheet_file}
    _check_bitrate(bitrate, plot_file, degrade=degrade, ocr=ocr, inpaint=inpaint, **reports)
    if inpaint:
        _refuse_beside(
            "--inpaint",
            degrade=degrade,
            ocr=ocr,
            html_file=html_file,
            limit_frames=limit_frames,
            scale=scale,
            colour=colour,
        )
    files = find_files(data)
    sources = {os.path.realpath(file) for file in files}
    for target in targets:
        if os.path.realpath(target) in sources:
            raise InputError(f"{target} is one of the inputs; give the report another name")
    if inpaint:
        return compare_fills(
            models,
            files,
            root=data,
            limit=limit,
            threads=threads,
            json_file=json_file,
            sheet_file=sheet_file,
            images=images,
            overwrite=overwrite,
        )
    most_frames = FRAMES if limit_frames is None else limit_frames
    if bitrate is not None:
        return compare_rates(
            models,
            files,
            root=data,
            codec=bitrate,
            frames=most_frames,
            limit=limit,
            scale=scale,
            colour=colour,
            threads=threads,
            json_file=json_file,
            plot_file=plot_file,
            overwrite=overwrite,
        )
    files = files[:limit]
    reader = Tesseract() if ocr else None
    with open_models(models, threads=threads, scale=scale, colour=colour) as loaded:
        times = loaded[0].scale
        evaluation = Evaluation(
            scale=times,
            degradation=degrade or "reduce",
            candidates=[*baselines(times), *loaded],
            ocr=reader.version if reader else None,
        )
        metrics, steps = picture_metrics(times), read_steps(degrade, times)
        if any(isinstance(step, VIDEO_STEPS) for step in steps) or any(
            file.suffix.lower() in VIDEOS for file in files
        ):
            note_missing_vmaf()
        sheet = None
        if sheet_file is not None:
            sheet = Sheet(animated=sheet_file.suffix.lower() == ".webp")
        outcomes = evaluate(
            files,
            evaluation.candidates,
            steps,
            metrics,
            frames=most_frames,
            reader=reader,
            root=data,
            clips=True,
            sheet=sheet,
        )
        crops = _run(evaluation, outcomes, len(files), data, sheet, images=images)
    if not evaluation.pictures:
        return 1
    # Shown first, because writing a file may fail.
    emit({}, _table(evaluation, metrics), as_json=False)
    if json_file is not None:
        record = {"data": str(data), **evaluation.as_dict()}
        with whole_file(json_file, overwrite=overwrite) as temporary:
            text = json.dumps(record, indent=2, allow_nan=False)
            temporary.write_text(text + "\n", encoding="utf-8")
    if html_file is not None:
        with whole_file(html_file, overwrite=overwrite) as temporary:
            page = report(evaluation, metrics, crops)
            # Names of files need not be valid text.
            temporary.write_text(page, encoding="utf-8", errors="backslashreplace")
    if sheet_file is not None and sheet is not None:
        with whole_file(sheet_file, overwrite=overwrite) as temporary:
            sheet.save(temporary, [picture.name for picture in worst_first(evaluation)])
    return 1 if evaluation.failed else 0


def _check_bitrate(codec: BitrateCodec | None, plot_file: Path | None, **others: Any) -> None:
    """Refuse options that do not go with ``--bitrate``, or need it."""
    if codec is None:
        if plot_file is not None:
            raise InputError("--plot draws what --bitrate measures; give both")
        return
    _refuse_beside("--bitrate", **others)
    if plot_file is not None and plot_file.suffix.lower() not in (".png", ".svg"):
        raise InputError(f"--plot is {plot_file}; its name must end in .png or .svg")


def _refuse_beside(chosen: str, **others: Any) -> None:
    """Refuse options that have no effect with the one that is `chosen`."""
    for name, value in others.items():
        if value:
            option = f"--{name.removesuffix('_file').replace('_', '-')}"
            raise InputError(f"{option} has no effect with {chosen}; leave one of them out")


def _run(
    evaluation: Evaluation,
    outcomes: Iterable[tuple[Path, tuple[PictureResult, Crops] | Exception]],
    count: int,
    root: Path,
    sheet: Sheet | None,
    *,
    images: int,
) -> dict[str, Crops]:
    """Fill the evaluation; return crops of its worst pictures, by name."""
    from restore_rt.training.evaluation import worst_first

    crops: dict[str, Crops] = {}
    with progress("evaluating", count, "pictures") as advance:
        for path, outcome in outcomes:
            if isinstance(outcome, Exception):
                if count == 1:
                    raise outcome
                show_traceback(outcome)
                message = explain(outcome)
                fail(message if str(path) in message else f"{path}: {message}")
                evaluation.failed.append((path.relative_to(root).as_posix(), message))
            else:
                result, cut = outcome
                evaluation.pictures.append(result)
                crops[result.name] = cut
                for better in worst_first(evaluation)[images:]:
                    crops.pop(better.name, None)
                    if sheet is not None:
                        sheet.strips.pop(better.name, None)
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
    count, failed = len(evaluation.pictures), len(evaluation.failed)
    parts = [f"{count_of(count, 'picture')}, x{evaluation.scale}, {evaluation.degradation}"]
    if failed:
        parts.append(f"{failed} of {count + failed} failed")
    if evaluation.ocr:
        parts.append(f"{count - evaluation.lettered} without lettering to read")
    return "; ".join(parts)
