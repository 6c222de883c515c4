"""Numbered pictures: the pattern that names them, and the files that fit it. Needs no PyAV."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from restore_rt.errors import InputError, MediaError, OutputError
from restore_rt.images import FORMATS

__all__ = [
    "DEFAULT_RATE",
    "SEQUENCE_SUFFIXES",
    "Pattern",
    "check_numbered_target",
    "gaps",
    "is_pattern",
    "numbered_files",
    "parse_rate",
]

SEQUENCE_SUFFIXES = tuple(suffix for item in FORMATS.values() for suffix in item.suffixes)
DEFAULT_RATE = Fraction(25)

_NUMBER = re.compile(r"%(?:0(\d{1,2}))?d")
_HIGHEST_RATE = 1000
# How many gaps are named in a note.
_NAMED = 5


@dataclass(frozen=True)
class Pattern:
    """The name of numbered files, such as ``frames/%05d.png``.

    Attributes
    ----------
    folder
        Where they lie.
    before, after
        The name around the number.
    digits
        The number has at least so many, with zeros in front.
    """

    folder: Path
    before: str
    after: str
    digits: int

    @classmethod
    def of(cls, path: Path) -> Pattern:
        """Take a path apart for which ``is_pattern`` holds."""
        found = _NUMBER.search(path.name)
        assert found is not None
        name = path.name
        return cls(path.parent, name[: found.start()], name[found.end() :], int(found[1] or 1))

    def path(self, number: int) -> Path:
        """Return the file with a number."""
        return self.folder / f"{self.before}{number:0{self.digits}d}{self.after}"

    def files(self) -> dict[int, Path]:
        """Return the files that there are, by number.

        Raises
        ------
        OSError
            The folder cannot be listed.
        """
        fits = re.compile(f"{re.escape(self.before)}([0-9]+){re.escape(self.after)}")
        numbers = set[int]()
        with os.scandir(self.folder) as entries:
            for entry in entries:
                found = fits.fullmatch(entry.name)
                if found is not None and self.path(int(found[1])).name == entry.name:
                    numbers.add(int(found[1]))
        return {number: self.path(number) for number in sorted(numbers)}


def is_pattern(path: Path) -> bool:
    """Whether a path names numbered pictures: one ``%d`` or ``%05d``, and no file of that name.

    Raises
    ------
    InputError
        It has more than one.
    """
    found = _NUMBER.findall(path.name)
    if not found or path.suffix.lower() not in SEQUENCE_SUFFIXES or path.is_file():
        return False
    if len(found) > 1:
        raise InputError(f"{path} has {len(found)} numbers; give one, as in frames/%05d.png")
    return True


def numbered_files(path: Path) -> dict[int, Path]:
    """Return the files that fit a pattern, by number.

    Raises
    ------
    MediaError
        There are none, or the folder cannot be read.
    """
    try:
        files = Pattern.of(path).files()
    except OSError as error:
        raise MediaError(f"cannot read the folder {path.parent}: {error.strerror}") from error
    if not files:
        raise MediaError(
            f"no file in {path.parent} fits the pattern {path.name}; %05d stands for a number of "
            "at least five digits, %d for one without zeros in front"
        )
    return files


def check_numbered_target(path: Path, *, overwrite: bool) -> None:
    """Refuse, before any work, a pattern that files fit which must not be replaced.

    Raises
    ------
    InputError
        There are such files.
    OutputError
        The folder cannot be read.
    """
    if overwrite:
        return
    try:
        files = Pattern.of(path).files()
    except FileNotFoundError:
        return  # it is made when the first picture is written
    except OSError as error:
        raise OutputError(f"cannot write to the folder {path.parent}: {error.strerror}") from error
    if files:
        first, *others = files.values()
        more = f" and {len(others)} more" if others else ""
        raise InputError(
            f"{first} exists{more}, which fits the pattern {path.name}; write to another folder, "
            "or --overwrite to replace"
        )


def gaps(files: Mapping[int, Path], *, renumbered: bool = True) -> str:
    """Return a note on numbers that are missing between the first and the last; else ``""``.

    ``renumbered`` says that the pictures become frames, which have no numbers.
    """
    holes = [(a + 1, b - 1) for a, b in pairwise(files) if b > a + 1]
    if not holes:
        return ""
    missing = sum(last - first + 1 for first, last in holes)
    named = ", ".join(
        str(first) if first == last else f"{first} to {last}" for first, last in holes[:_NAMED]
    )
    more = f" and {len(holes) - _NAMED} more gaps" if holes[_NAMED:] else ""
    ending = "; the pictures follow each other without a pause" if renumbered else ""
    return f"numbers that have no picture: {missing} ({named}{more}){ending}"


def parse_rate(fps: str | float | Fraction) -> Fraction:
    """Return a frame rate.

    Raises
    ------
    InputError
        It is not a number above 0 and up to 1000.
    """
    try:
        rate = Fraction(str(fps))
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if not 0 < rate <= _HIGHEST_RATE:
        raise InputError(
            f"fps is {fps!r}; allowed are numbers above 0 and up to {_HIGHEST_RATE}, such as 24, "
            "23.976 or 30000/1001"
        )
    return rate
