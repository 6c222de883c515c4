"""The ``restore-rt`` command: a file for each verb."""

from __future__ import annotations

import os
import signal
import sys
import warnings
from collections.abc import Sequence
from types import FrameType
from typing import TextIO

from restore_rt.cli.console import explain, fail, note, show_traceback
from restore_rt.errors import InputError, TruncatedInputError

__all__ = ["main", "run"]

_INTERRUPTED = 130


def main() -> None:
    """Run the command and leave with its exit code."""
    for stream in (sys.stdout, sys.stderr):
        # A file's name need not be valid text; it is still to be named.
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
    signal.signal(signal.SIGTERM, _terminate)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # which nohup sets
        signal.signal(signal.SIGHUP, _terminate)
    warnings.showwarning = _show_warning
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run the command with these arguments.

    Returns
    -------
    int
        The exit code: 0 done, 1 failed, 2 wrong use, 3 a part of it is done (the input was
        damaged and what could be decoded was written, or some of several pictures failed), 130
        interrupted. (A SIGTERM ends it with 143, a SIGHUP with 129.)
    """
    try:
        import typer

        from restore_rt.cli.app import app
    except KeyboardInterrupt:
        note("interrupted")
        return _INTERRUPTED
    command = typer.main.get_command(app)
    try:
        code = command.main(
            list(arguments) or ["--help"], prog_name="restore-rt", standalone_mode=False
        )
    except typer.TyperException as error:
        # Of the validator behind Typer, which names its own kind of error.
        message = error.format_message().replace("Value error, ", "").rstrip(".")
        fail(message + _where_to_look(error))
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        code = _INTERRUPTED
    except BrokenPipeError:
        # Who read our output has gone; there is nobody to tell.
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115
        return 1
    except Exception as error:
        show_traceback(error)
        fail(explain(error))
        return _exit_code(error)
    if code == _INTERRUPTED:
        note("interrupted")
    return code if isinstance(code, int) else 0


def _exit_code(error: Exception) -> int:
    if isinstance(error, InputError):
        return 2
    return 3 if isinstance(error, TruncatedInputError) else 1


def _where_to_look(error: Exception) -> str:
    context = getattr(error, "ctx", None)
    return "" if context is None else f" (see {context.command_path} --help)"


def _terminate(number: int, frame: FrameType | None) -> None:
    # As an exception, so that temporary files are removed on the way out.
    raise SystemExit(128 + number)


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    note(f"warning: {message}")
