"""``python -m restore_rt.training RECIPE --data DIR --run DIR [--resume]``."""

from __future__ import annotations

import argparse
import ctypes
import platform
import sys
from functools import partial
from pathlib import Path

import torch

from restore_rt.errors import InputError, RestoreError
from restore_rt.training.recipe import load_recipe
from restore_rt.training.trainer import LAST, train


def main(arguments: list[str] | None = None) -> int:
    """Train; 0 on success, else one line on standard error and 1, or 2 for wrong use."""
    parser = argparse.ArgumentParser(
        "python -m restore_rt.training",
        description="Train a network. The run can be broken off and resumed.",
        epilog="Exit codes: 0 done, 1 failed, 2 wrong use, 130 stopped.",
    )
    parser.add_argument("recipe", help="a recipe file, or the name of a shipped one")
    parser.add_argument("--data", type=Path, required=True, help="holds the recipe's folders")
    parser.add_argument("--run", type=Path, required=True, help="where checkpoints go")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    parser.add_argument("--threads", type=int, default=0, help="threads of torch; 0: its default")
    options = parser.parse_args(arguments)
    if options.threads < 0:
        parser.error(f"--threads is {options.threads}; must be at least 0")
    if options.threads > 0:
        torch.set_num_threads(options.threads)
    _keep_freed_memory()
    try:
        recipe = load_recipe(options.recipe)
        say = partial(print, flush=True)
        train(recipe, options.data, options.run, resume=options.resume, say=say)
    except RestoreError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, InputError) else 1
    except KeyboardInterrupt:
        if (options.run / LAST).exists():
            print("stopped; --resume goes on from the last checkpoint", file=sys.stderr)
        else:
            print("stopped before the first checkpoint; start again", file=sys.stderr)
        return 130
    return 0


def _keep_freed_memory() -> None:
    """Ask glibc not to give freed memory back to the system, in this whole process.

    Each step frees and asks for the same megabytes again; much of a step can go into fetching them
    anew, page by page. Only the command does this: a program that calls `train` keeps its own
    settings.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    trim_threshold, top_pad, mmap_max = -1, -2, -4
    libc = ctypes.CDLL(None)
    libc.mallopt(mmap_max, 0)
    libc.mallopt(trim_threshold, 2**31 - 1)
    libc.mallopt(top_pad, 2**28)


if __name__ == "__main__":
    sys.exit(main())
