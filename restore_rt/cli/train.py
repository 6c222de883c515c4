"""``restore-rt train``: train a network from a recipe."""

from __future__ import annotations

import ctypes
import platform
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from restore_rt.cli.console import note, progress
from restore_rt.errors import InputError, RestoreError

if TYPE_CHECKING:
    from restore_rt.training.recipe import Recipe

__all__ = ["train"]

_INTERRUPTED = 130
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
        Path | None,
        typer.Option(
            "--start",
            metavar="CHECKPOINT",
            help="Begin with another run's weights, of the same network.",
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

    The folder given with --run gets last.pt and best.pt, metrics.csv and metrics.json, sample
    pictures (input, bicubic, output, target) and TensorBoard's events. Then export a checkpoint
    with python -m restore_rt.export.
    """
    try:
        import torch
    except ImportError:
        raise InputError("training needs PyTorch; pip install 'restore-rt[train]'") from None
    from restore_rt.training.recipe import load_recipe
    from restore_rt.training.trainer import LAST
    from restore_rt.training.trainer import train as run_training

    if threads:
        torch.set_num_threads(threads)
    _keep_freed_memory()
    what = load_recipe(recipe)
    with ExitStack() as stack:
        follow = None
        if sys.stderr.isatty():
            end = min(what.optim.steps, stop_after or what.optim.steps)
            advance = stack.enter_context(progress(what.model.name, end, "steps"))
            shown = 0

            def follow(done: int) -> None:
                nonlocal shown
                advance(done - shown)
                shown = done

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
            )
        except KeyboardInterrupt:
            if (run / LAST).exists():
                note("stopped; --resume goes on from the last checkpoint")
            else:
                note("stopped before the first checkpoint; start again")
            return _INTERRUPTED
        except (MemoryError, RuntimeError) as error:
            # PyTorch's error for GPUs is a RuntimeError too.
            if not _out_of_memory(error):
                raise
            raise RestoreError(_what_takes_memory(what)) from error
    print(last)
    return 0


def _out_of_memory(error: Exception) -> bool:
    import torch

    # What PyTorch's allocator for CPUs says has no type of its own.
    return isinstance(
        error, (MemoryError, torch.OutOfMemoryError)
    ) or "can't allocate memory" in str(error)


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
