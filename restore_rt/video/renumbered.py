"""Numbered pictures through a model to numbered pictures, each as ``restore-rt image`` does it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from restore_rt.errors import MediaError
from restore_rt.folders import make_folder
from restore_rt.images import Picture, check_writable, format_of, read_picture, write_picture
from restore_rt.video.run import Run
from restore_rt.video.sequences import Pattern, gaps, numbered_files
from restore_rt.video.to_pictures import PictureChoices

__all__ = ["restore_numbered"]


def restore_numbered(
    source: Path, target: Path, run: Run, choices: PictureChoices
) -> tuple[tuple[int, int], str]:
    """Restore pictures that keep their numbers, colour profiles and metadata; sizes may differ.

    Returns
    -------
    (int, int), str
        Width and height of the first result, and which pictures could not be read.

    Raises
    ------
    InputError
        The format cannot hold a picture.
    MediaError
        No picture could be read.
    OutputError
        One cannot be written.
    """
    files = numbered_files(source)
    kind, pattern = format_of(target), Pattern.of(target)
    if note := gaps(files, renumbered=False):
        run.note(note)
    scale = run.restorer.scale
    unread: list[MediaError] = []
    size: tuple[int, int] | None = None
    told = set[str]()

    def items() -> Iterator[tuple[tuple[int, Picture], None, Any]]:
        for number, path in files.items():
            try:
                with run.stages.measure("decode"):
                    picture = read_picture(path)
            except MediaError as error:
                unread.append(error)
                continue
            if choices.bit_depth == 8 and picture.bits == 16:
                picture = replace(picture, pixels=(picture.pixels >> 8).astype("uint8"))
            check_writable(picture, kind, scale=scale)
            yield (number, picture), None, picture.pixels

    make_folder(target.parent)
    run.start(len(files))
    stream = run.restorer.stream_into(items(), stages=run.stages, reuse=run.reuse)
    with closing(stream) as restored:
        for (number, picture), pixels in restored:
            size = size or (pixels.shape[1], pixels.shape[0])
            with run.stages.measure("encode"):
                lost = write_picture(
                    pattern.path(number),
                    replace(picture, pixels=pixels),
                    kind,
                    quality=choices.quality,
                    overwrite=choices.overwrite,
                )
            for text in {*picture.notes, *lost} - told:
                run.note(text)
                told.add(text)
            run.finished_frame()
    if size is None:
        raise unread[0]
    if not unread:
        return size, ""
    return size, (
        f"{len(unread)} of {len(files)} pictures could not be read, the first because {unread[0]}; "
        f"{run.frames} were restored"
    )
