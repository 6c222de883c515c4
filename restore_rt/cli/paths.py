"""Which picture goes where: inputs, folders and patterns to pairs of files, before any work."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from restore_rt.errors import InputError, MediaError
from restore_rt.files import check_target
from restore_rt.folders import files_below
from restore_rt.images import FORMATS, READABLE, Format, format_of

__all__ = ["Job", "plan"]


@dataclass(frozen=True)
class Job:
    """One picture: where it is read, where it is written, and as what."""

    source: Path
    target: Path
    format: Format


def plan(
    inputs: Sequence[str],
    output: str,
    *,
    format_name: str | None = None,
    recursive: bool = False,
    overwrite: bool = False,
) -> list[Job]:
    """Pair every input picture with its output; nothing is made or written.

    Parameters
    ----------
    inputs
        Files, folders and patterns (``*``, ``?``, ``[...]``, ``**``).
    output
        A file when the input is one file that was named; else, or when it is a folder, ends in a
        slash or has no suffix, a folder.
    format_name
        The format to write; by default the suffix of ``output``, or for a folder that of each
        input (PNG for those that are read only).
    recursive
        Take the pictures of all folders below a folder, linked ones too, and keep its structure.
    overwrite
        Existing files may be replaced, though never an input.

    Raises
    ------
    InputError
        Nothing fits a pattern or lies in a folder, two pictures would get one name, an output
        exists or is an input, or a file is to be written for many inputs.
    MediaError
        A folder cannot be read.
    OutputError
        The output's folder does not exist and cannot be made, or cannot be written to.
    """
    wanted = None if format_name is None else FORMATS[format_name]
    folder = Path(output)
    to_folder = folder.is_dir() or output.endswith(os.sep) or not folder.suffix
    found = _find(inputs, recursive=recursive, avoid=folder)
    if to_folder:
        jobs = [_into(folder, source, relative, wanted) for source, relative in found]
    else:
        one_file = len(inputs) == 1 and not Path(inputs[0]).is_dir()
        if not one_file or len(found) != 1:
            raise InputError(
                f"the output {output} is a file, and there are {len(found)} pictures or a folder "
                "to restore; give a folder"
            )
        target = format_of(folder)
        if wanted not in (None, target):
            raise InputError(
                f"--format is {format_name}, but {output} has the suffix of {target.name}; leave "
                "--format out or change the suffix"
            )
        jobs = [Job(found[0][0], folder, target)]
    _check(jobs, overwrite=overwrite)
    for path in {_first_missing(job.target) if to_folder else job.target: None for job in jobs}:
        check_target(path, overwrite=overwrite)
    return jobs


def _first_missing(path: Path) -> Path:
    """Return the outermost part of a path that is to be made, else the path."""
    while not os.path.lexists(path.parent):
        path = path.parent
    return path


def _find(inputs: Sequence[str], *, recursive: bool, avoid: Path) -> list[tuple[Path, Path]]:
    """Return each picture with its path below the output folder; a file counts once."""
    found: dict[Path, tuple[Path, Path]] = {}

    def add(source: Path, relative: Path) -> None:
        found.setdefault(source.resolve(), (source, relative))

    for text in inputs:
        path = Path(text)
        if path.is_dir():
            _add_folder(path, recursive, avoid, add)
        elif glob.has_magic(text) and not path.exists():
            matches = sorted(glob.glob(text, recursive=True))  # noqa: PTH207
            if not matches:
                raise InputError(f"nothing fits the pattern {text}")
            for match in map(Path, matches):
                if match.is_dir():
                    if recursive:
                        _add_folder(match, recursive, avoid, add)
                elif match.suffix.lower() in READABLE:
                    add(match, Path(match.name))
        else:
            # A file that is missing fails in its turn, after which the others are done.
            add(path, Path(path.name))
    if not found:
        raise InputError(
            f"{' '.join(inputs)}: no pictures found; looked for {', '.join(READABLE)}"
            f"{'' if recursive else ' (add --recursive for folders in folders)'}"
        )
    return list(found.values())


def _add_folder(
    path: Path, recursive: bool, avoid: Path, add: Callable[[Path, Path], None]
) -> None:
    try:
        for file in files_below(path, READABLE, recursive=recursive, avoid=avoid):
            add(file, file.relative_to(path))
    except OSError as error:
        raise MediaError(
            f"cannot read the folder {error.filename}: {error.strerror}; change its permissions or "
            "give the other folders one by one"
        ) from error


def _into(folder: Path, source: Path, relative: Path, wanted: Format | None) -> Job:
    if wanted is None:
        own = [item for item in FORMATS.values() if source.suffix.lower() in item.suffixes]
        wanted = own[0] if own else FORMATS["png"]
    if source.suffix.lower() not in wanted.suffixes:
        relative = relative.with_suffix(wanted.suffixes[0])
    return Job(source, folder / relative, wanted)


def _check(jobs: Sequence[Job], *, overwrite: bool) -> None:
    sources = {job.source.resolve() for job in jobs}
    targets: dict[Path, Path] = {}
    for job in jobs:
        target = job.target.resolve()
        if target in sources:
            raise InputError(f"{job.target} is an input; give another output")
        if target in targets:
            raise InputError(
                f"{targets[target]} and {job.source} would both be written to {job.target}; give "
                "them to two runs with two folders, or --recursive for one folder"
            )
        targets[target] = job.source
    existing = [job.target for job in jobs if os.path.lexists(job.target)]
    if existing and not overwrite:
        others = f" and {len(existing) - 1} more" if len(existing) > 1 else ""
        raise InputError(
            f"{existing[0]} exists{others}; give another name, or --overwrite to replace it"
        )
