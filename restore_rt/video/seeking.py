"""Places in a file from where a frame can be decoded."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av

from restore_rt.errors import InputError

__all__ = ["check_seconds", "check_seekable", "go_to", "places_before"]

# AVFMT_NOTIMESTAMPS: frames of such formats are counted from where reading began.
_NO_TIMES = 0x0080
_SECOND = 1_000_000


def check_seconds(seconds: float) -> Fraction:
    """Return a time exactly.

    Raises
    ------
    InputError
        It is negative or not a number.
    """
    if not math.isfinite(seconds) or seconds < 0:
        raise InputError(f"seconds is {seconds}; it must be a number of at least 0")
    return Fraction(seconds)


def check_seekable(
    container: av.container.InputContainer, path: Path, *, from_pictures: bool
) -> None:
    """Raise ``InputError`` if a source can be read only from its beginning."""
    if from_pictures:
        kind = "numbered pictures and animations"
    elif int(container.format.flags) & _NO_TIMES:
        kind = f"files of the format {container.format.name}"
    else:
        return
    raise InputError(
        f"{path} cannot be searched: {kind} are read from their beginning; pass over frames by "
        "their pts_seconds instead"
    )


def places_before(target: Fraction) -> Iterator[Fraction]:
    """Return times to start from, each earlier than the one before; the last one is 0 or less.

    Some demuxers go to the nearest place, and not to one before, or to one that cannot be decoded.
    """
    back = Fraction(0)
    while target > back:
        yield target - back
        back = back * 4 or Fraction(1)
    yield Fraction(0)


def go_to(container: av.container.InputContainer, path: Path, time: Fraction) -> None:
    """Go to the last place before a time from where decoders can start.

    Raises
    ------
    InputError
        The file cannot be searched.
    """
    try:
        container.seek(math.floor(time * _SECOND), backward=True)
    except (av.FFmpegError, OSError) as error:
        raise InputError(
            f"{path} cannot be searched ({error.strerror}); pass over frames by their pts_seconds "
            "instead"
        ) from error
