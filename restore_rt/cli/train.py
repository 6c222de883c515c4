"""``restore-rt train``: train a network from a recipe."""

from __future__ import annotations

import ctypes
import platform
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from restore_rt.cli.console import note
from restore_rt.cli.memory import out_of_memory
from restore_rt.errors import InputError, RestoreError

if TYPE_CHECKING:
    from restore_rt.training.recipes import Recipe

__all__ = ["train"]

_PREPARING = 2


def train(
    recipe: Annotated[
        str, typer.Argument(metavar="RECIPE", help="A recipe file, or the name of a shipped one.")
    ],
    data: Annotated[
        Path, typer.Option("--data", metavar="DIR", help="Holds the recipe's folders of pictures.")
    ],
    run: Annotated[
        Path,
        typer.Option(
            "--run", metavar="DIR", help="Where checkpoints and records go; made if missing."
        ),
    ],
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last checkpoint in --run.")
    ] = False,
    start: Annotated[
        str | None,
        typer.Option(
            "--start",
            metavar="FROM",
            help="Begin with the weights of a checkpoint, a model's file, or a shipped model.",
            show_default=False,
        ),
    ] = None,
    device: Annotated[
        Literal["auto", "cpu", "cuda"],
        typer.Option("--device", help="Where it runs; auto takes a GPU if there is one, and says."),
    ] = "auto",
    threads: Annotated[
        int | None,
        typer.Option(
            "--threads",
            metavar="N",
            min=1,
            help="CPU threads to train with, and as many to prepare pictures.",
            show_default=f"PyTorch's, and {_PREPARING}",
        ),
    ] = None,
    stop_after: Annotated[
        int | None,
        typer.Option(
            "--stop-after",
            metavar="STEP",
            min=1,
            help="Stop there, with a checkpoint.",
            show_default="the recipe's end",
        ),
    ] = None,
) -> int:
    """Train a network; a run can be broken off at any time and resumed from its last checkpoint.

    The first Ctrl-C, or SIGTERM, lets the step end and writes a checkpoint of it; the second stops
    at once.

    The folder given with --run gets last.pt and best.pt, metrics.csv and metrics.json, sample
    pictures (input, bicubic, output, target) and TensorBoard's events. Then export a checkpoint
    with restore-rt export.
    """
    try:
        import torch
    except ImportError:
        raise InputError("training needs PyTorch; pip install 'restore-rt[train]'") from None
    from restore_rt.training.loop.trainer import LAST
    from restore_rt.training.loop.trainer import train as run_training
    from restore_rt.training.recipes import load_recipe

    if threads:
        torch.set_num_threads(threads)
    _keep_freed_memory()
    what = load_recipe(recipe)
    end = min(what.optim.steps, stop_after or what.optim.steps)
    stop = _Stop()
    with ExitStack() as stack:
        stack.callback(stop.forget)
        follow = None
        if sys.stderr.isatty():
            follow = stack.enter_context(_bar(what.model.name, end))
        try:
            last = run_training(
                what,
                data,
                run,
                resume=resume,
                start=start,
                device=device,
                stop_after=stop_after,
                threads=threads or _PREPARING,
                say=note,
                follow=follow,
                stop=stop,
            )
        except KeyboardInterrupt:
            if (run / LAST).exists():
                note("stopped; --resume goes on from the last checkpoint")
            else:
                note("stopped before the first checkpoint; start again")
            raise SystemExit(128 + signal.SIGINT) from None
        except (MemoryError, RuntimeError) as error:
            # PyTorch's error for GPUs is a RuntimeError too.
            if not out_of_memory(error):
                raise
            raise RestoreError(_what_takes_memory(what)) from error
    if stop.done is not None:
        note(f"stopped after step {stop.done} of {end}; --resume goes on from {last}")
        raise SystemExit(128 + stop.signal)
    print(last)
    return 0


class _Stop:
    """Asks a training to stop when the first SIGINT or SIGTERM comes.

    Before the steps begin, and after the first of these, a signal does what it did before: there is
    nothing to keep yet, or the user will not wait.

    Attributes
    ----------
    signal
        The number of the signal that came, or 0.
    done
        After how many steps the training was asked to stop.
    """

    def __init__(self) -> None:
        self.signal = 0
        self.done: int | None = None
        self._former: dict[signal.Signals, Any] = {}

    def __call__(self, done: int) -> bool:
        """Tell whether to stop after so many steps."""
        if self.signal:
            self.done = done
        elif not self._former and threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                # As nohup does, and a shell with what it runs in the background.
                if signal.getsignal(number) not in (signal.SIG_IGN, None):
                    self._former[number] = signal.signal(number, self._ask)
        return bool(self.signal)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.signal = number
        self.forget()
        # It may have come in the midst of another note.
        with suppress(RuntimeError):
            note("stopping after this step, with a checkpoint; once more stops at once")

    def forget(self) -> None:
        """Let signals do what they did before."""
        for number, handler in self._former.items():
            signal.signal(number, handler)


@contextmanager
def _bar(label: str, end: int) -> Iterator[Callable[[int, str], None]]:
    """Show the steps that are done, of `end`, and the figures of the last one on a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.progress import TimeRemainingColumn as TimeLeft

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[figures]}", markup=False),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeLeft(compact=True),
    )
    with Progress(*columns, console=Console(file=sys.stderr), transient=True) as bars:
        task = bars.add_task(label, total=end, figures="")

        def follow(done: int, figures: str) -> None:
            bars.update(task, completed=done, figures=figures)

        yield follow


def _what_takes_memory(recipe: Recipe) -> str:
    data = recipe.data
    return (
        f"out of memory: lower data.batch, which is {data.batch}, data.patch, which is "
        f"{data.patch}, or data.cache.count, which is {data.cache.count}, in the recipe"
    )


def _keep_freed_memory() -> None:
    """Ask glibc not to give freed memory back to the system, in this whole process.

    Each step frees and asks for the same megabytes again; much of a step can go into fetching them
    anew, page by page. Only the command does this: a program that trains keeps its own settings.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    trim_threshold, top_pad, mmap_max = -1, -2, -4
    libc = ctypes.CDLL(None)
    libc.mallopt(mmap_max, 0)
    libc.mallopt(trim_threshold, 2**31 - 1)
    libc.mallopt(top_pad, 2**28)
