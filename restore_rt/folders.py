"""Folders: the files in one and below, and how one is made."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from restore_rt.errors import OutputError
from restore_rt.files import output_error

__all__ = ["FOLDER", "HIDDEN", "SUFFIX", "files_below", "make_folder"]

# Why files and folders are passed over.
HIDDEN = "hidden"
FOLDER = "folders, which --recursive enters"
SUFFIX = "no suffix of a format that can be read"


def files_below(
    root: Path,
    suffixes: Collection[str],
    *,
    recursive: bool = True,
    avoid: Path | None = None,
    on_other: Callable[[Path, str], None] = lambda path, reason: None,
) -> Iterator[Path]:
    """Give the files in a folder and below, folder after folder and by name in each.

    Hidden files and folders are passed over. A folder is entered once: links to folders are
    followed after all else, so that what can be reached without one is found at its own place.

    Parameters
    ----------
    root
        The folder.
    suffixes
        Those of the files to give, in lower case; the files' own may be in either.
    recursive
        Enter the folders below.
    avoid
        A folder below that is not entered: results of an earlier run are no input of this one.
    on_other
        Called with each file and folder that is passed over, and the reason.

    Raises
    ------
    OSError
        The folder is missing, or it or one below cannot be listed; its `filename` says which.
    """
    seen = set() if avoid is None else {avoid.resolve()} - {root.resolve()}
    waiting = [root]
    while waiting:
        for here, folders, names in os.walk(waiting.pop(0), onerror=_raise):
            real = Path(here).resolve()
            if real in seen:  # by a link, which may lead back to where it lies
                folders.clear()
                continue
            seen.add(real)
            entered = sorted(name for name in folders if recursive and not name.startswith("."))
            for name in sorted({*folders} - {*entered}):
                path = Path(here, name)
                if path.resolve() not in seen:
                    on_other(path, HIDDEN if name.startswith(".") else FOLDER)
            folders[:] = entered
            waiting += [path for name in entered if (path := Path(here, name)).is_symlink()]
            for name in sorted(names):
                path = Path(here, name)
                if name.startswith("."):
                    on_other(path, HIDDEN)
                elif path.suffix.lower() not in suffixes:
                    on_other(path, SUFFIX)
                else:
                    yield path


def _raise(error: OSError) -> None:
    raise error


def make_folder(folder: Path) -> None:
    """Make a folder, and those that it lies in, where they are missing.

    Raises
    ------
    OutputError
        It cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise OutputError(f"{folder} is a file, not a folder; give another name") from error
    except OSError as error:
        raise output_error(error, folder) from error
