"""Which file goes where: inputs, folders and patterns to pairs of files, before any work."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from restore_rt.cli.console import note
from restore_rt.errors import InputError, MediaError
from restore_rt.files import check_target
from restore_rt.folders import SUFFIX, files_below
from restore_rt.images import FORMATS, READABLE, format_of
from restore_rt.images.moving import moves
from restore_rt.video.choices import VIDEO_SUFFIXES, WRITABLE, container_of
from restore_rt.video.sequences import Pattern, check_numbered_target, is_pattern

__all__ = ["PICTURES", "VIDEOS", "Job", "Media", "Plan", "plan"]


# How many files are named in a note.
_NAMED = 100
_NUMBERED = "; pictures that are the frames of a clip are given as in frames/%05d.png"


@dataclass(frozen=True)
class Media:
    """What a command reads and writes.

    Attributes
    ----------
    noun
        For several of them.
    readable
        Suffixes of files that are taken from folders and patterns.
    formats
        What can be written, by its name on the command line; each has ``name`` and ``suffixes``.
    usual
        The format for files whose own cannot be written.
    format_of
        Returns the format for a file's name, or raises ``InputError``.
    moving
        Whether animated GIF, PNG and WebP files are taken from folders and patterns; else stills.
    """

    noun: str
    readable: Collection[str]
    formats: Mapping[str, Any]
    usual: str
    format_of: Callable[[Path], Any]
    moving: bool

    def objection(self, path: Path) -> str:
        """Say why a file with a readable suffix is passed over; ``""`` if it is taken."""
        suffix = path.suffix.lower()
        if suffix in _MOVING and moves(path) and not self.moving:
            return "animations, which restore-rt video reads"
        # A GIF of one picture is a short clip, as it was before.
        if suffix in _STILL and self.moving and not moves(path):
            return "pictures that do not move, which restore-rt image reads"
        return ""


_STILL = (".png", ".webp")
_MOVING = (*_STILL, ".apng", ".gif")

PICTURES = Media("pictures", READABLE, FORMATS, "png", format_of, moving=False)
VIDEOS = Media("videos", VIDEO_SUFFIXES, WRITABLE, "mkv", container_of, moving=True)


@dataclass(frozen=True)
class Job:
    """One file: where it is read, where it is written, and as what."""

    source: Path
    target: Path
    format: Any


@dataclass(frozen=True)
class Plan:
    """What a run is to do, and what it leaves alone.

    Attributes
    ----------
    jobs
        The files to restore.
    existing
        Those whose output exists and is kept.
    passed_over
        Files and folders that are not read, by the reason.
    """

    jobs: Sequence[Job]
    existing: Sequence[Job] = ()
    passed_over: Mapping[str, Sequence[Path]] = field(default_factory=dict)

    def tell(self) -> dict[str, Any]:
        """Write notes on what is not read; return that, and what exists, for ``--json``."""
        for reason, paths in self.passed_over.items():
            names = ", ".join(map(str, paths[:_NAMED]))
            more = f" and {len(paths) - _NAMED} more, which --json lists" if paths[_NAMED:] else ""
            note(f"not read ({reason}): {names}{more}")
        return {
            "existing": [str(job.target) for job in self.existing],
            "not_read": {
                reason: [str(path) for path in paths] for reason, paths in self.passed_over.items()
            },
        }


def plan(
    inputs: Sequence[str],
    output: str,
    *,
    media: Media = PICTURES,
    format_name: str | None = None,
    recursive: bool = False,
    overwrite: bool = False,
    skip_existing: bool = False,
) -> Plan:
    """Pair every input file with its output; nothing is made or written.

    Parameters
    ----------
    inputs
        Files, folders and patterns (``*``, ``?``, ``[...]``, ``**``).
    output
        A file when the input is one file that was named; else, or when it is a folder, ends in a
        slash or has no suffix, a folder.
    media
        What is read and written.
    format_name
        The format to write; by default the suffix of ``output``, or for a folder that of each
        input (the usual one for those that are read only).
    recursive
        Take the files of all folders below a folder, linked ones too, and keep its structure.
    overwrite
        Existing files may be replaced, though never an input.
    skip_existing
        Files whose output exists are left out.

    Raises
    ------
    InputError
        Nothing fits a pattern or lies in a folder, two files would get one name, an output
        exists or is an input, or a file is to be written for many inputs.
    MediaError
        A folder cannot be read.
    OutputError
        The output's folder does not exist and cannot be made, or cannot be written to.
    """
    wanted = None if format_name is None else media.formats[format_name]
    folder = Path(output)
    to_folder = folder.is_dir() or output.endswith(os.sep) or not folder.suffix
    if overwrite and skip_existing:
        raise InputError("--overwrite and --skip-existing exclude each other; leave one out")
    search = _Search(media, recursive, folder)
    found = search.find(inputs)
    if to_folder:
        jobs = _apart([_into(media, folder, *pair, wanted) for pair in found])
    else:
        one_file = len(inputs) == 1 and not Path(inputs[0]).is_dir()
        if not one_file or len(found) != 1:
            raise InputError(
                f"the output {output} is a file, and there are {len(found)} {media.noun} or a "
                "folder to restore; give a folder"
            )
        target = media.format_of(folder)
        if wanted not in (None, target):
            raise InputError(
                f"--format is {format_name}, but {output} has the suffix of {target.name}; leave "
                "--format out or change the suffix"
            )
        jobs = [Job(found[0][0], folder, target)]
    _check_names(jobs)
    existing = [job for job in jobs if os.path.lexists(job.target)]
    numbered = [job.target for job in jobs if is_pattern(job.target) and media is VIDEOS]
    for target in numbered:
        if skip_existing:
            raise InputError(
                f"--skip-existing cannot tell whether the pictures of {target} are all there; "
                "leave it out, or give an empty folder"
            )
        check_numbered_target(target, overwrite=overwrite)
    if skip_existing:
        jobs = [job for job in jobs if job not in existing]
    elif existing and not overwrite:
        others = f" and {len(existing) - 1} more" if len(existing) > 1 else ""
        keeping = "go on with the others" if to_folder else "keep it, give another name"
        raise InputError(
            f"{existing[0].target} exists{others}; --skip-existing to {keeping}, or --overwrite "
            "to replace it"
        )
    made = to_folder or numbered
    for path in {_first_missing(job.target) if made else job.target: None for job in jobs}:
        check_target(path, overwrite=overwrite)
    return Plan(jobs, existing if skip_existing else (), search.passed_over)


def _first_missing(path: Path) -> Path:
    """Return the outermost part of a path that is to be made, else the path."""
    while not os.path.lexists(path.parent):
        path = path.parent
    return path


class _Search:
    """Finds the files to restore, each once, and remembers what it passed over."""

    def __init__(self, media: Media, recursive: bool, avoid: Path) -> None:
        self._media = media
        self._recursive = recursive
        self._avoid = avoid
        self._found: dict[Path, tuple[Path, Path]] = {}
        self.passed_over: dict[str, list[Path]] = {}

    def find(self, inputs: Sequence[str]) -> list[tuple[Path, Path]]:
        """Return each file with its path below the output folder."""
        for text in inputs:
            path = Path(text)
            if path.is_dir():
                self._add_folder(path)
            elif glob.has_magic(text) and not path.exists():
                self._add_pattern(text)
            else:
                # A file that is missing fails in its turn, after which the others are done.
                self._add(path, Path(path.name))
        if not self._found:
            raise InputError(
                f"{' '.join(inputs)}: no {self._media.noun} found; looked for "
                f"{', '.join(self._media.readable)}"
                f"{'' if self._recursive else ' (add --recursive for folders in folders)'}"
                f"{_NUMBERED if self._media.moving else ''}"
            )
        return list(self._found.values())

    def _add(self, source: Path, relative: Path) -> None:
        self._found.setdefault(source.resolve(), (source, relative))

    def _pass_over(self, path: Path, reason: str) -> None:
        self.passed_over.setdefault(reason, []).append(path)

    def _add_pattern(self, text: str) -> None:
        matches = sorted(glob.glob(text, recursive=True))  # noqa: PTH207
        if not matches:
            raise InputError(f"nothing fits the pattern {text}")
        for match in map(Path, matches):
            if match.is_dir():
                if self._recursive:
                    self._add_folder(match)
            elif match.suffix.lower() not in self._media.readable:
                self._pass_over(match, SUFFIX)
            elif objection := self._media.objection(match):
                self._pass_over(match, objection)
            else:
                self._add(match, Path(match.name))

    def _add_folder(self, path: Path) -> None:
        try:
            for file in files_below(
                path,
                self._media.readable,
                recursive=self._recursive,
                avoid=self._avoid,
                on_other=self._pass_over,
            ):
                if objection := self._media.objection(file):
                    self._pass_over(file, objection)
                else:
                    self._add(file, file.relative_to(path))
        except OSError as error:
            raise MediaError(
                f"cannot read the folder {error.filename}: {error.strerror}; change its "
                "permissions or give the other folders one by one"
            ) from error


def _into(media: Media, folder: Path, source: Path, relative: Path, wanted: Any) -> Job:
    if is_pattern(source):
        if wanted is None:
            return Job(source, folder / source.name, media.format_of(source))
        relative = Path(source.resolve().parent.name or "pictures")
        return Job(source, folder / f"{relative}{wanted.suffixes[0]}", wanted)
    if wanted is None:
        own = [item for item in media.formats.values() if source.suffix.lower() in item.suffixes]
        wanted = own[0] if own else media.formats[media.usual]
    if source.suffix.lower() not in wanted.suffixes:
        relative = relative.with_suffix(wanted.suffixes[0])
    return Job(source, folder / relative, wanted)


def _apart(jobs: list[Job]) -> list[Job]:
    """Keep the old suffix in names where a new one would make two the same."""
    count = Counter(job.target for job in jobs)
    return [
        replace(job, target=job.target.with_name(f"{job.source.name}{job.format.suffixes[0]}"))
        if count[job.target] > 1 and job.source.suffix.lower() not in job.format.suffixes
        else job
        for job in jobs
    ]


def _files_of(path: Path) -> set[Path]:
    """Return the file, or those that fit a pattern of numbered pictures, wherever they lie."""
    if not is_pattern(path):
        return {path.resolve()}
    with suppress(OSError):  # it fails in its turn
        return {file.resolve() for file in Pattern.of(path).files().values()}
    return set()


def _check_names(jobs: Sequence[Job]) -> None:
    sources = {path for job in jobs for path in _files_of(job.source)}
    targets: dict[Path, Path] = {}
    for job in jobs:
        target = job.target.resolve()
        if not sources.isdisjoint(_files_of(job.target)):
            raise InputError(f"{job.target} is an input; give another output")
        if target in targets:
            raise InputError(
                f"{targets[target]} and {job.source} would both be written to {job.target}; give "
                "them to two runs with two folders, or --recursive for one folder"
            )
        targets[target] = job.source
