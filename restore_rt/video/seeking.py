"""Places in a file from where a frame can be decoded."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from numbers import Real

import av

from restore_rt.errors import InputError

__all__ = ["check_seconds", "go_to", "places_before"]

_SECOND = 1_000_000
# Formats in which every packet has its times, and an index tells where key frames are.
_INDEXED = frozenset({"mov", "matroska"})


def check_seconds(seconds: float) -> Fraction:
    """Return a time exactly.

    Raises
    ------
    InputError
        It is negative or not a number.
    """
    if not isinstance(seconds, Real) or not math.isfinite(seconds) or seconds < 0:
        raise InputError(f"seconds is {seconds!r}; it must be a number of at least 0")
    return Fraction(seconds)


def places_before(target: Fraction, container: av.container.InputContainer) -> Iterator[Fraction]:
    """Return times to start from, each earlier than the one before; 0 is the file's beginning.

    That is the only one for formats where times after a jump are not those that reading from
    the beginning gives, AVI and the streams of broadcasts and discs among them. Elsewhere what
    follows a key frame may need what came before it.
    """
    back = Fraction(0)
    while target > back and _INDEXED.intersection(container.format.name.split(",")):
        yield target - back
        back = back * 4 or Fraction(1)
    yield Fraction(0)


def go_to(container: av.container.InputContainer, time: Fraction) -> bool:
    """Go to the last key frame before a time; False if the file cannot be searched."""
    try:
        container.seek(math.floor(time * _SECOND), backward=True)
    except (av.FFmpegError, OSError):
        return False
    return True
