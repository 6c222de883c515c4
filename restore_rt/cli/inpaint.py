"""``restore-rt inpaint``: replace what a mask marks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from restore_rt.cli import options
from restore_rt.cli.console import note
from restore_rt.cli.image import (
    FormatOption,
    MaxPixelsOption,
    Outcome,
    OutputOption,
    PicturesArgument,
    QualityOption,
    check_quality,
    report_none,
    report_pictures,
    restore_pictures,
)
from restore_rt.errors import InputError
from restore_rt.images import MAX_PIXELS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from restore_rt.cli.paths import Job
    from restore_rt.inpaint.classical import Method
    from restore_rt.restorer import Restorer

__all__ = ["inpaint"]

Replace = Callable[["NDArray[Any]", "NDArray[Any]"], "NDArray[Any]"]


def inpaint(
    inputs: PicturesArgument,
    output: OutputOption,
    mask: Annotated[
        Path | None,
        typer.Option(
            "--mask",
            metavar="FILE|FOLDER",
            help="White marks what is replaced. One file for all pictures, or a folder of masks "
            "with the pictures' names (the suffix may differ).",
            show_default=False,
        ),
    ] = None,
    rect: Annotated[
        list[str] | None,
        typer.Option(
            "--rect",
            metavar="X,Y,W,H",
            help="Replace a rectangle, in pixels from the top left; may be given several times.",
            show_default=False,
        ),
    ] = None,
    grow: Annotated[
        int, typer.Option("--grow", metavar="PX", min=0, max=254, help="Enlarge masks.")
    ] = 0,
    feather: Annotated[
        int,
        typer.Option(
            "--feather",
            metavar="PX",
            min=0,
            max=254,
            help="Width of a soft edge around masks; without it nothing beside them changes.",
        ),
    ] = 0,
    save_mask: Annotated[
        Path | None,
        typer.Option(
            "--save-mask",
            metavar="FILE|FOLDER",
            help="Write the mask that was used, as PNG or TIFF: a file for one picture, else a "
            "folder.",
            show_default=False,
        ),
    ] = None,
    method: Annotated[
        Literal["model", "telea", "ns", "fsr"],
        typer.Option(
            "--method",
            help="A network, or one of OpenCV's methods, which need no model: telea and ns are "
            "fast, fsr is slow and better.",
        ),
    ] = "model",
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            help="A shipped model's name or any in-painting .onnx file.",
            show_default="the shipped one",
        ),
    ] = None,
    scale: Annotated[
        int | None,
        typer.Option(
            "--scale",
            "--zoom",
            metavar="1|2|4",
            help="Then restore the whole picture with the shipped model of this scale.",
            show_default="only what is marked is changed",
        ),
    ] = None,
    content: options.ContentOption = None,
    format_name: FormatOption = None,
    quality: QualityOption = None,
    recursive: options.RecursiveOption = False,
    max_pixels: MaxPixelsOption = MAX_PIXELS,
    tile: options.TileOption = None,
    threads: options.ThreadsOption = None,
    as_json: options.JsonOption = False,
    overwrite: options.OverwriteOption = False,
    skip_existing: options.SkipExistingOption = False,
) -> int:
    """Replace what a mask marks in pictures: holes, scratches, stains, whatever is to go.

    All other pixels stay as they are, bit for bit in PNG and TIFF. Networks run on the CPU. Formats
    and exit codes are those of ``restore-rt image``.
    """
    from restore_rt.cli.masks import Masks, parse_rectangle
    from restore_rt.cli.paths import plan

    if method != "model" and model is not None:
        raise InputError(
            f"--method is {method}, which needs no model, and --model is {model}; leave one out"
        )
    if content is not None and scale is None:
        raise InputError(
            f"--content is {content}, which chooses a model that enlarges: give --scale, or leave "
            "it out"
        )
    planned = plan(
        inputs,
        output,
        format_name=format_name,
        recursive=recursive,
        overwrite=overwrite,
        skip_existing=skip_existing,
    )
    check_quality(quality, planned.jobs)
    masks = Masks(
        planned.jobs,
        Path(output),
        mask,
        [parse_rectangle(text) for text in rect or ()],
        grow,
        save_mask,
        max_pixels,
        overwrite,
    )
    left = planned.tell()
    if not planned.jobs:
        return report_none(planned, left, as_json=as_json)
    begin = time.perf_counter()
    with ExitStack() as stack:
        replace, ran = stack.enter_context(_opened(method, model, feather, tile, threads))
        enlarge: Restorer | None = None
        if scale is not None:
            enlarge = stack.enter_context(
                options.load_model(None, content, scale, usual="photo", threads=threads)
            )
            ran["model"] += f", then {enlarge.description}"

        def restore(job: Job, pixels: NDArray[Any]) -> NDArray[Any]:
            try:
                replaced = replace(pixels, masks.of(job, pixels))
            except InputError as error:
                named = str(job.source) in str(error)
                raise error if named else InputError(f"{job.source}: {error}") from error
            return replaced if enlarge is None else enlarge(replaced)

        outcomes = restore_pictures(
            planned.jobs,
            restore,
            scale=1 if enlarge is None else enlarge.scale,
            quality=quality,
            max_pixels=max_pixels,
            overwrite=overwrite,
        )

    def details(outcome: Outcome) -> dict[str, Any]:
        return {"replaced": round(masks.shares.get(outcome.job.source, 0.0), 6)}

    return report_pictures(
        outcomes,
        ran,
        time.perf_counter() - begin,
        planned=planned,
        left=left,
        as_json=as_json,
        details=details,
    )


@contextmanager
def _opened(
    method: Literal["model", "telea", "ns", "fsr"],
    model: str | None,
    soft_edge: int,
    tile: str | None,
    threads: int | None,
) -> Iterator[tuple[Replace, dict[str, str]]]:
    """Give what replaces pixels, and what runs it."""
    if method == "model":
        from restore_rt import load

        name = _shipped() if model is None else model
        with load(name, tile=options.parse_tile(tile), threads=threads) as restorer:
            if restorer.manifest.task != "inpaint":
                raise InputError(
                    f"--model is {model}, a model for {restorer.manifest.task}; give an "
                    "in-painting model, or use restore-rt image"
                )
            for text in restorer.notes:
                note(text)

            def by_model(pixels: NDArray[Any], mask: NDArray[Any]) -> NDArray[Any]:
                replaced: NDArray[Any] = restorer(pixels, mask=mask, soft_edge=soft_edge)
                return replaced

            yield by_model, options.ran_by(restorer)
        return
    yield partial(_by_opencv, method, soft_edge), _opencv(method)


def _shipped() -> str:
    """Return the name of the shipped in-painting model."""
    from restore_rt.model.registry import models

    for manifest in models():
        if manifest.task == "inpaint":
            return manifest.name
    raise InputError(
        "no in-painting model is shipped with this version: give the file of one with --model, or "
        "--method telea, ns or fsr"
    )


def _by_opencv(
    method: Method, soft_edge: int, pixels: NDArray[Any], mask: NDArray[Any]
) -> NDArray[Any]:
    from restore_rt.inpaint import replace_holes
    from restore_rt.inpaint.classical import fill_classically

    fill = partial(fill_classically, method=method)
    return replace_holes(fill, pixels, mask, soft_edge=soft_edge)


def _opencv(method: Method) -> dict[str, str]:
    """Return what runs a method, or raise the error that it is missing."""
    from restore_rt.inpaint.classical import import_opencv

    version = import_opencv(method).__version__
    parts = {"device": "cpu", "backend": "opencv", "precision": "fp32"}
    return {"model": f"{method} of OpenCV {version}", **parts}
