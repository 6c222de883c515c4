"""``restore-rt image``: restore pictures."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from restore_rt.cli import options
from restore_rt.cli.console import emit, explain, fail, note, progress, show_traceback
from restore_rt.errors import InputError, MediaError
from restore_rt.images import MAX_PIXELS
from restore_rt.wording import count_of

if TYPE_CHECKING:
    from restore_rt.cli.paths import Job, Plan
    from restore_rt.images import Picture

__all__ = [
    "FormatOption",
    "MaxPixelsOption",
    "Outcome",
    "OutputOption",
    "PicturesArgument",
    "QualityOption",
    "check_quality",
    "image",
    "report_none",
    "report_pictures",
    "restore_pictures",
]

PicturesArgument = Annotated[
    list[str],
    typer.Argument(metavar="IN...", help="Pictures, folders, or patterns like 'scans/*.png'."),
]
OutputOption = Annotated[
    str,
    typer.Option(
        "--output",
        "-o",
        metavar="OUT",
        help="A file for one picture (its suffix is the format), else a folder, made if missing.",
    ),
]
FormatOption = Annotated[
    Literal["png", "jpeg", "webp", "tiff", "avif"] | None,
    typer.Option(
        "--format",
        help="What to write into a folder; PNG and TIFF hold 16 bits, all but JPEG "
        "transparency, TIFF several pages.",
        show_default="each picture's own",
    ),
]
QualityOption = Annotated[
    int | None,
    typer.Option(
        "--quality",
        min=1,
        max=100,
        help="Of JPEG, AVIF and WebP.",
        show_default="JPEG 95, AVIF 90, WebP lossless",
    ),
]
MaxPixelsOption = Annotated[
    int, typer.Option("--max-pixels", min=1, help="Refuse larger pictures.")
]


def image(
    inputs: PicturesArgument,
    output: OutputOption,
    content: options.ContentOption = None,
    scale: options.ScaleOption = None,
    model: options.ModelOption = None,
    format_name: FormatOption = None,
    quality: QualityOption = None,
    recursive: options.RecursiveOption = False,
    max_pixels: MaxPixelsOption = MAX_PIXELS,
    tile: options.TileOption = None,
    threads: options.ThreadsOption = None,
    device: options.DeviceOption = "auto",
    backend: options.BackendOption = "auto",
    precision: options.PrecisionOption = "auto",
    as_json: options.JsonOption = False,
    overwrite: options.OverwriteOption = False,
    skip_existing: options.SkipExistingOption = False,
) -> int:
    """Restore and upscale pictures: PNG, JPEG, WebP, TIFF and AVIF.

    HEIC, JPEG 2000, BMP, GIF and TGA are read, and written as PNG. 16-bit samples, transparency,
    colour, EXIF and resolution are kept, or a note says what is not; a picture that its camera
    marked as turned is turned. The exit code is 1 if nothing could be done, and 3 if a part of it
    was: a picture of several failed, or a file ended early.
    """
    from restore_rt.cli.paths import plan

    planned = plan(
        inputs,
        output,
        format_name=format_name,
        recursive=recursive,
        overwrite=overwrite,
        skip_existing=skip_existing,
    )
    jobs = planned.jobs
    check_quality(quality, jobs)
    left = planned.tell()
    if not jobs:
        return report_none(planned, left, as_json=as_json)
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
            lambda job, pixels: restorer(pixels),
            scale=restorer.scale,
            quality=quality,
            max_pixels=max_pixels,
            overwrite=overwrite,
        )
        ran = options.ran_by(restorer)
    return report_pictures(
        outcomes, ran, time.perf_counter() - begin, planned=planned, left=left, as_json=as_json
    )


def check_quality(quality: int | None, jobs: Sequence[Job]) -> None:
    """Refuse ``--quality`` where no format that is written has one."""
    if quality is not None and jobs and not any(job.format.quality for job in jobs):
        raise InputError(
            f"--quality is {quality}, but {jobs[0].format.name} has none; leave it out"
        )


def report_none(planned: Plan, left: Mapping[str, Any], *, as_json: bool) -> int:
    """Write that there is nothing to do; return the exit code."""
    text = f"nothing to do: {count_of(len(planned.existing), 'picture')} restored before"
    emit({"failed": 0, "pictures": [], **left}, text, as_json=as_json)
    return 0


def report_pictures(
    outcomes: Sequence[Outcome],
    ran: Mapping[str, str],
    seconds: float,
    *,
    planned: Plan,
    left: Mapping[str, Any],
    as_json: bool,
    details: Callable[[Outcome], Mapping[str, Any]] = lambda outcome: {},
) -> int:
    """Write the result of a run.

    Parameters
    ----------
    outcomes
        What became of each picture.
    ran
        What ran the model, as ``options.ran_by`` gives it.
    seconds
        How long that took.
    planned, left
        The plan, and what ``Plan.tell`` returned.
    as_json
        Write JSON.
    details
        What JSON says of a picture that was written, beside the usual.

    Returns
    -------
    int
        The exit code.

    Raises
    ------
    Exception
        The error of the only picture.
    """
    if len(outcomes) == 1 and outcomes[0].error is not None:
        raise outcomes[0].error
    failed = sum(outcome.error is not None for outcome in outcomes)
    report = {
        **ran,
        "seconds": round(seconds, 3),
        "failed": failed,
        "pictures": [
            {**outcome.as_dict(), **({} if outcome.error else details(outcome))}
            for outcome in outcomes
        ],
        **left,
    }
    text = _summary(outcomes, failed, len(planned.existing), seconds, ran["model"])
    emit(report, text, as_json=as_json)
    if failed == len(outcomes):
        return 1
    return 3 if failed or any(outcome.damage for outcome in outcomes) else 0


@dataclass(frozen=True)
class Outcome:
    """What became of one file.

    Attributes
    ----------
    job
        What was to be read and written.
    sizes
        Height and width of the pages that were written.
    notes
        What was not kept.
    damage
        What of the source was missing.
    error
        Why nothing was written.
    """

    job: Job
    sizes: tuple[tuple[int, int], ...] = ()
    notes: tuple[str, ...] = ()
    damage: str = ""
    error: Exception | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return it for ``--json``."""
        if self.error is not None:
            return {"input": str(self.job.source), "error": explain(self.error)}
        height, width = self.sizes[0]
        return {
            "input": str(self.job.source),
            "output": str(self.job.target),
            "width": width,
            "height": height,
            "pages": len(self.sizes),
            "notes": list(self.notes),
            "damage": self.damage,
        }


def restore_pictures(
    jobs: Sequence[Job],
    restore: Callable[[Job, Any], Any],
    *,
    scale: int,
    quality: int | None = None,
    max_pixels: int,
    overwrite: bool = False,
) -> list[Outcome]:
    """Restore pictures and their pages; one is decoded, one restored and one encoded at a time.

    The folders to write to are made when they are needed. An error, whatever it is, concerns its
    picture only.

    Parameters
    ----------
    jobs
        What to read and write.
    restore
        Is given a job and the pixels that were read; returns them ``scale`` times as large.
    scale, quality, max_pixels, overwrite
        See ``check_writable``, ``write_pages`` and ``read_pages``.

    Returns
    -------
    list of Outcome
        In the order of ``jobs``. Each failure was reported when it happened, unless it is the
        only picture.
    """
    from restore_rt.folders import make_folder
    from restore_rt.images import check_writable, read_pages, write_pages
    from restore_rt.streaming import overlapped

    def read() -> Iterator[tuple[Job, Picture | Exception]]:
        for job in jobs:
            try:
                for picture in read_pages(job.source, max_pixels=max_pixels):
                    try:
                        check_writable(picture, job.format, scale=scale)
                    except InputError as error:
                        raise InputError(f"{job.source}: {error}") from error
                    yield job, picture
            except Exception as error:
                yield job, error

    def work(item: tuple[Job, Picture | Exception]) -> tuple[Job, Picture | Exception]:
        job, picture = item
        if isinstance(picture, Exception):
            return item
        try:
            return job, replace(picture, pixels=restore(job, picture.pixels))
        except Exception as error:
            return job, error

    def write(job: Job, pages: Sequence[Picture | Exception]) -> Outcome:
        pictures = [page for page in pages if not isinstance(page, Exception)]
        errors = [page for page in pages if isinstance(page, Exception)]
        if errors and not (pictures and isinstance(errors[0], MediaError)):
            return Outcome(job, error=errors[0])
        damage = [page.damage for page in pictures if page.damage]
        if errors:
            damage.append(f"only {count_of(len(pictures), 'page')} could be read: {errors[0]}")
        try:
            make_folder(job.target.parent)
            chosen = quality if job.format.quality else None
            more = write_pages(
                job.target, pictures, job.format, quality=chosen, overwrite=overwrite
            )
        except Exception as error:
            return Outcome(job, error=error)
        return Outcome(
            job,
            tuple((page.pixels.shape[0], page.pixels.shape[1]) for page in pictures),
            tuple(dict.fromkeys((*(text for page in pictures for text in page.notes), *more))),
            "; ".join(damage),
        )

    outcomes = []
    # Closed here, not when it is collected: its threads must end before Ctrl-C ends the program.
    with (
        closing(overlapped(work, read())) as restored,
        progress("restoring", len(jobs), "pictures") as advance,
    ):
        for job, pages in groupby(restored, key=itemgetter(0)):
            outcome = write(job, [picture for _, picture in pages])
            _tell(outcome, alone=len(jobs) == 1)
            outcomes.append(outcome)
            advance(1)
    return outcomes


def _tell(outcome: Outcome, *, alone: bool) -> None:
    """Write notes and, unless it is told as that of the whole run, an error."""
    source, error = str(outcome.job.source), outcome.error
    for message in outcome.notes:
        note(f"{source}: {message}")
    if outcome.damage:
        fail(f"{source}: {outcome.damage}")
    if error is not None and not alone:
        show_traceback(error)
        message = explain(error)
        named = source in message or str(outcome.job.target) in message
        fail(message if named else f"{source}: {message}")


def _summary(
    outcomes: Sequence[Outcome], failed: int, existing: int, seconds: float, description: str
) -> str:
    if len(outcomes) == 1 and not existing:
        height, width = outcomes[0].sizes[0]
        pages = len(outcomes[0].sizes)
        more = f" and {count_of(pages - 1, 'more page')}" if pages > 1 else ""
        done = f"{outcomes[0].job.target}: {width}x{height}{more}"
    else:
        done = f"{len(outcomes) - failed} of {len(outcomes)} pictures restored"
        if existing:
            done += f", {existing} restored before"
    return f"{done}, {seconds:.1f} s ({description})"
