"""Standard input and output in place of files."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from restore_rt.errors import InputError
from restore_rt.video.choices import STANDARD

__all__ = ["check_output", "check_pipes"]


def check_output(*, json: bool) -> None:
    """Check that standard output can hold a video and nothing else.

    Raises
    ------
    InputError
        It is a terminal, or is to hold a report.
    """
    if json:
        raise InputError("--json writes to standard output, where the video goes; leave one out")
    if sys.stdout.isatty():
        raise InputError("standard output is a terminal; pipe it to a program, or give a file")


def check_pipes(
    inputs: Sequence[str], output: str, *, format_name: str | None, skips: bool, json: bool
) -> None:
    """Check options where the input, the output or both are ``-``.

    Raises
    ------
    InputError
        There are other inputs, or an option is for files alone.
    """
    if len(inputs) > 1:
        raise InputError(
            f"{STANDARD} is standard input or output, for one video, and the inputs are "
            f"{' '.join(inputs)}; give one"
        )
    if skips:
        raise InputError(f"--skip-existing is for files; leave it out with {STANDARD}")
    if format_name not in (None, "mkv") or (format_name and output != STANDARD):
        raise InputError(
            f"--format is {format_name}; standard output gets mkv, and a file's suffix says its "
            "format: leave it out"
        )
    if output == STANDARD:
        check_output(json=json)
