"""The cache folder, for files that can be made again: engines, and which backend was fastest."""

from __future__ import annotations

import os
from pathlib import Path

from restore_rt.errors import OutputError
from restore_rt.files import output_error

__all__ = ["VARIABLE", "cache_folder", "engines_folder", "make_cache_folder"]

VARIABLE = "RESTORE_RT_CACHE"


def cache_folder() -> Path:
    """Return the folder for files that can be made again.

    ``$RESTORE_RT_CACHE``, else ``restore_rt`` in ``$XDG_CACHE_HOME``, else in ``~/.cache``; it
    need not exist.
    """
    own = os.environ.get(VARIABLE)
    if own:
        return Path(own).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    # A relative one is to be ignored, its specification says.
    if base and Path(base).is_absolute():
        return Path(base, "restore_rt")
    return Path("~/.cache/restore_rt").expanduser()


def engines_folder() -> Path:
    """Return the folder for engines inside the cache folder; it need not exist."""
    return cache_folder() / "engines"


def make_cache_folder(folder: Path) -> None:
    """Create a folder of the cache if it is missing, and check that it is writable.

    Raises
    ------
    OutputError
        The folder cannot be created or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(13, "", str(folder))
    except OSError as error:
        raise OutputError(
            f"{output_error(error, folder)}; or set {VARIABLE} to a folder that can be written to"
        ) from error
