"""``restore-rt image``: restore pictures."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from restore_rt.cli import options
from restore_rt.cli.console import emit, explain, fail, note, progress, show_traceback
from restore_rt.errors import InputError
from restore_rt.images import MAX_PIXELS

if TYPE_CHECKING:
    from restore_rt.cli.paths import Job
    from restore_rt.images import Picture

__all__ = ["image", "restore_pictures"]


def image(
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="IN...", help="Pictures, folders, or patterns like 'scans/*.png'."),
    ],
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT",
            help="A file for one picture (its suffix is the format), else a folder, made if "
            "missing.",
        ),
    ],
    content: options.ContentOption = None,
    scale: options.ScaleOption = None,
    model: options.ModelOption = None,
    format_name: Annotated[
        Literal["png", "jpeg", "webp", "tiff"] | None,
        typer.Option(
            "--format",
            help="What to write into a folder; PNG and TIFF hold 16 bits, all but JPEG "
            "transparency.",
            show_default="each picture's own",
        ),
    ] = None,
    quality: Annotated[
        int | None,
        typer.Option(
            "--quality",
            min=1,
            max=100,
            help="Of JPEG and WebP.",
            show_default="JPEG 95, WebP lossless",
        ),
    ] = None,
    recursive: Annotated[
        bool, typer.Option("--recursive", "-r", help="Folders in folders too, structure kept.")
    ] = False,
    max_pixels: Annotated[
        int, typer.Option("--max-pixels", min=1, help="Refuse larger pictures.")
    ] = MAX_PIXELS,
    tile: options.TileOption = None,
    threads: options.ThreadsOption = None,
    device: options.DeviceOption = "auto",
    backend: options.BackendOption = "auto",
    precision: options.PrecisionOption = "auto",
    as_json: options.JsonOption = False,
    overwrite: options.OverwriteOption = False,
) -> int:
    """Restore and upscale pictures: PNG, JPEG, WebP and TIFF (BMP and GIF are read only).

    16-bit samples, transparency, EXIF, ICC profile and resolution are kept; a picture that its
    camera marked as turned is turned. When one of several pictures fails, the others are done and
    the exit code is 1.
    """
    from restore_rt.cli.paths import plan

    jobs = plan(inputs, output, format_name=format_name, recursive=recursive, overwrite=overwrite)
    if quality is not None and not any(job.format.quality for job in jobs):
        raise InputError(
            f"--quality is {quality}, but {jobs[0].format.name} has none; leave it out"
        )
    begin = time.perf_counter()
    with options.load_model(
        model,
        content,
        scale,
        usual="photo",
        device=device,
        backend=backend,
        precision=precision,
        tile=tile,
        threads=threads,
    ) as restorer:
        outcomes = restore_pictures(
            jobs,
            restorer,
            scale=restorer.scale,
            quality=quality,
            max_pixels=max_pixels,
            overwrite=overwrite,
        )
        ran = options.ran_by(restorer)
    seconds = time.perf_counter() - begin
    if len(outcomes) == 1 and outcomes[0].error is not None:
        raise outcomes[0].error
    failed = sum(outcome.error is not None for outcome in outcomes)
    report = {
        **ran,
        "seconds": round(seconds, 3),
        "failed": failed,
        "pictures": [outcome.as_dict() for outcome in outcomes],
    }
    emit(report, _summary(outcomes, failed, seconds, ran["model"]), as_json=as_json)
    return 1 if failed else 0


@dataclass(frozen=True)
class Outcome:
    """What became of one picture."""

    job: Job
    size: tuple[int, int] = (0, 0)
    error: Exception | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return it for ``--json``."""
        if self.error is not None:
            return {"input": str(self.job.source), "error": explain(self.error)}
        height, width = self.size
        return {
            "input": str(self.job.source),
            "output": str(self.job.target),
            "width": width,
            "height": height,
        }


def restore_pictures(
    jobs: Sequence[Job],
    restore: Callable[[Any], Any],
    *,
    scale: int,
    quality: int | None = None,
    max_pixels: int,
    overwrite: bool = False,
) -> list[Outcome]:
    """Restore pictures; one is decoded, one restored and one encoded at a time.

    The folders to write to are made when they are needed. An error, whatever it is, concerns its
    picture only.

    Parameters
    ----------
    jobs
        What to read and write.
    restore
        A Restorer, or what takes an array and returns it ``scale`` times as large.
    scale, quality, max_pixels, overwrite
        See ``check_writable``, ``write_picture`` and ``read_picture``.

    Returns
    -------
    list of Outcome
        In the order of ``jobs``. Each failure was reported when it happened, unless it is the
        only picture.
    """
    from restore_rt.folders import make_folder
    from restore_rt.images import check_writable, read_picture, write_picture
    from restore_rt.streaming import overlapped

    def read() -> Iterator[tuple[Job, Picture | Exception]]:
        for job in jobs:
            try:
                picture = read_picture(job.source, max_pixels=max_pixels)
                try:
                    check_writable(picture, job.format, scale=scale)
                except InputError as error:
                    raise InputError(f"{job.source}: {error}") from error
            except Exception as error:
                yield job, error
            else:
                yield job, picture

    def work(item: tuple[Job, Picture | Exception]) -> tuple[Job, Picture | Exception]:
        job, picture = item
        if isinstance(picture, Exception):
            return item
        try:
            return job, replace(picture, pixels=restore(picture.pixels))
        except Exception as error:
            return job, error

    def write(job: Job, picture: Picture | Exception) -> Outcome:
        if isinstance(picture, Exception):
            return Outcome(job, error=picture)
        try:
            make_folder(job.target.parent)
            chosen = quality if job.format.quality else None
            more = write_picture(
                job.target, picture, job.format, quality=chosen, overwrite=overwrite
            )
        except Exception as error:
            return Outcome(job, error=error)
        for message in (*picture.notes, *more):
            note(f"{job.source}: {message}")
        return Outcome(job, size=(picture.pixels.shape[0], picture.pixels.shape[1]))

    outcomes = []
    # Closed here, not when it is collected: its threads must end before Ctrl-C ends the program.
    with (
        closing(overlapped(work, read())) as restored,
        progress("restoring", len(jobs), "pictures") as advance,
    ):
        for job, picture in restored:
            outcome = write(job, picture)
            if outcome.error is not None and len(jobs) > 1:
                show_traceback(outcome.error)
                message = explain(outcome.error)
                named = str(job.source) in message or str(job.target) in message
                fail(message if named else f"{job.source}: {message}")
            outcomes.append(outcome)
            advance(1)
    return outcomes


def _summary(outcomes: Sequence[Outcome], failed: int, seconds: float, description: str) -> str:
    if len(outcomes) == 1:
        height, width = outcomes[0].size
        done = f"{outcomes[0].job.target}: {width}x{height}"
    else:
        done = f"{len(outcomes) - failed} of {len(outcomes)} pictures restored"
    return f"{done}, {seconds:.1f} s ({description})"
