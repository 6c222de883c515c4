"""What the command says: results to standard output, progress and notes to standard error."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from restore_rt.errors import RestoreError

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.progress import ProgressColumn, Task
    from rich.table import Table
    from rich.text import Text

__all__ = ["emit", "explain", "fail", "note", "parts_table", "progress", "show_traceback"]

_TRACEBACK = "RESTORE_RT_TRACEBACK"
_SECONDS_BETWEEN_LINES = 5.0
_WIDTH_WITHOUT_TERMINAL = 160


def note(message: str) -> None:
    """Tell the user something on standard error."""
    print(f"restore-rt: {message}", file=sys.stderr, flush=True)


def fail(message: str) -> None:
    """Report an error on one line of standard error."""
    note("error: " + " ".join(message.split()))


def explain(error: Exception) -> str:
    """Return what to tell the user of an error, and what can be done about it."""
    if isinstance(error, RestoreError):
        return str(error)
    if isinstance(error, MemoryError):
        return "out of memory: close other programs, give smaller pictures, or a smaller --tile"
    return (
        f"unexpected {type(error).__name__}: {error}; please report it with the traceback that "
        f"{_TRACEBACK}=1 shows"
    )


def show_traceback(error: Exception) -> None:
    """Write where an error came from to standard error, if the user asked for that."""
    if os.environ.get(_TRACEBACK):
        traceback.print_exception(error)


def emit(data: Mapping[str, Any], text: RenderableType, *, as_json: bool) -> None:
    """Write a result to standard output.

    Parameters
    ----------
    data
        The result for programs: what JSON can hold, and paths.
    text
        The result for people, a string or anything that Rich can draw.
    as_json
        Write ``data`` instead of ``text``.
    """
    if as_json:
        print(json.dumps(data, indent=2, default=str, allow_nan=False), flush=True)
    elif isinstance(text, str):
        print(text, flush=True)
    else:
        from rich.console import Console

        width = None if sys.stdout.isatty() else _WIDTH_WITHOUT_TERMINAL
        Console(file=sys.stdout, width=width).print(text)


def parts_table(parts: Iterable[tuple[str, Sequence[tuple[str, str]]]]) -> Table:
    """Return a table of two columns in parts, each with its title; texts are shown as they are.

    What could steer a terminal is shown as question marks.
    """
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=box.SIMPLE, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for title, rows in parts:
        table.add_row(f"[bold]{title}[/]", "")
        for name, text in rows:
            table.add_row(f"  {escape(_printable(name))}", escape(_printable(text)))
        table.add_row("", "")
    return table


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)


@contextmanager
def progress(label: str, total: int | None, unit: str) -> Iterator[Callable[[int], None]]:
    """Show how long work goes on standard error.

    A bar with rate and time left on a terminal, else one line every few seconds.

    Parameters
    ----------
    label
        What is being done.
    total
        Number of items, ``None`` when it is not known.
    unit
        What is counted, in the plural: ``"frames"``.

    Yields
    ------
    Callable
        To be called with the number of items done since the last call, from any thread.
    """
    if sys.stderr.isatty():
        with _bar(label, total, unit) as advance:
            yield advance
    else:
        yield _Lines(label, total, unit)


@contextmanager
def _bar(label: str, total: int | None, unit: str) -> Iterator[Callable[[int], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.progress import TimeRemainingColumn as TimeLeft

    columns: list[ProgressColumn] = [
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        _rate_column(unit),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeLeft(compact=True),
    ]
    with Progress(*columns, console=Console(file=sys.stderr), transient=True) as bars:
        task = bars.add_task(label, total=total)

        def advance(count: int) -> None:
            bars.advance(task, count)

        yield advance


def _rate_column(unit: str) -> ProgressColumn:
    from rich.progress import ProgressColumn
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text(unit if speed is None else f"{speed:.1f} {unit}/s")

    return Rate()


class _Lines:
    """Progress without a terminal; a call may come from any thread."""

    def __init__(self, label: str, total: int | None, unit: str) -> None:
        self._label = label
        self._total = total
        self._unit = unit
        self._done = 0
        self._begin = self._said = time.monotonic()
        self._lock = threading.Lock()

    def __call__(self, count: int) -> None:
        with self._lock:
            self._done += count
            now = time.monotonic()
            if now - self._said < _SECONDS_BETWEEN_LINES:
                return
            self._said = now
            rate = self._done / (now - self._begin)
            note(f"{self._label}: {self._counted()}, {rate:.1f} {self._unit}/s{self._left(rate)}")

    def _counted(self) -> str:
        of = "" if self._total is None else f"/{self._total}"
        return f"{self._done}{of} {self._unit}"

    def _left(self, rate: float) -> str:
        if self._total is None or rate <= 0 or self._done > self._total:
            return ""
        minutes, seconds = divmod(round((self._total - self._done) / rate), 60)
        return f", {minutes}:{seconds:02d} left"
