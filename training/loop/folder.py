"""A run's folder: creation, lock, and refusal if files would be overwritten."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from restore_rt.errors import InputError
from restore_rt.files import check_target, output_error

__all__ = ["BEST", "LAST", "RECIPE", "check_unused", "run_folder"]

# The file from which a run is resumed.
LAST = "last.pt"
BEST = "best.pt"
RECIPE = "recipe.toml"
_WRITTEN = (RECIPE, BEST, "metrics.csv", "metrics.json", "samples", "tensorboard")


@contextmanager
def run_folder(run: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Make the folder and keep other processes from training in it; `say` takes a warning.

    An error before anything is written leaves no new folder. Raises `InputError` if another process
    trains in it, `OutputError` if it cannot be made or written to.
    """
    new: list[Path] = []
    try:
        try:
            new = [f for f in (run / "samples", run, *run.parents) if not f.exists()]
            (run / "samples").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise output_error(error, run) from None
        check_target(run / LAST, overwrite=True)
        with _locked(run, say):
            yield
    except BaseException:
        for folder in new:
            # What has something in it by now stays.
            with suppress(OSError):
                folder.rmdir()
        raise


@contextmanager
def _locked(run: Path, say: Callable[[str], None]) -> Iterator[None]:
    path = run / ".lock"
    try:
        file = path.open("w")
    except OSError as error:
        raise output_error(error, run) from None
    with file:
        try:
            # The system lets go of it when the process dies, however it dies.
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # One that its owner has removed since it was opened here would keep nobody out.
            free = os.path.samestat(os.fstat(file.fileno()), path.stat())
        except (BlockingIOError, FileNotFoundError):
            free = False
        except OSError as error:
            free = True
            say(f"{run} cannot be locked ({error.strerror}); train in it with one process alone")
        if not free:
            raise InputError(
                f"another process is training in {run}; let it end, or name another folder"
            )
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def check_unused(run: Path, recipe: str) -> None:
    """Refuse a folder with files that a new run of a recipe (its text) would overwrite.

    Raises `InputError`, which names what it holds, or `OutputError` if it cannot be looked into.
    """
    try:
        if (run / LAST).exists():
            raise InputError(f"{run} has a run already; resume it, or name another folder")
        for name in _WRITTEN:
            if _would_be_lost(run / name, recipe):
                raise InputError(
                    f"{run / name} exists, and a new run would write over it; move it away, or "
                    "name another folder"
                )
    except OSError as error:
        raise output_error(error, run) from None


def _would_be_lost(path: Path, recipe: str) -> bool:
    if path.is_dir():
        return any(path.iterdir())
    if path.name == RECIPE and path.is_file():
        # A start that failed before its first checkpoint left it.
        return path.read_text(encoding="utf-8", errors="replace") != recipe
    return path.exists()
