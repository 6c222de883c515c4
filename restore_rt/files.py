"""Output files that appear whole or not at all."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import stat
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from restore_rt.errors import InputError, MediaError, OutputError, RestoreError

__all__ = [
    "check_plausible",
    "check_target",
    "check_target_of",
    "journal_folder",
    "output_error",
    "whole_file",
]

_PREFIX, _JOURNAL = ".restore-rt-", ".restore-rt"
_USUAL_PIXELS = 1 << 24
_MOST_PIXELS_PER_BYTE = 4096
_LEFT_BEHIND = re.compile(rf"{re.escape(_PREFIX)}[0-9a-f]{{12}}(\.[^/]*)?")

_FIXES = {
    errno.ENOSPC: "the disk is full; free some space or write elsewhere",
    errno.EDQUOT: "the disk quota is used up; free some space or write elsewhere",
    errno.EFBIG: "it grew beyond the largest file allowed here; raise the limit or write elsewhere",
    errno.EROFS: "the file system is read-only; write elsewhere",
    errno.EACCES: "permission denied; write elsewhere or change the folder's permissions",
    errno.EPERM: "permission denied; write elsewhere or change the folder's permissions",
    errno.ENOENT: "its folder does not exist; create it first",
    errno.ENOTDIR: "a part of its path is a file, not a folder; write elsewhere",
    errno.EISDIR: "it is a folder; give the name of a file",
    errno.ENAMETOOLONG: "the name is too long; give a shorter one",
    errno.EIO: "the disk reports an error; write elsewhere",
}


def output_error(error: OSError, path: Path) -> OutputError:
    """Return the error to raise when ``error`` kept ``path`` from being written."""
    fix = _FIXES.get(error.errno or 0, error.strerror or str(error))
    if error.errno == errno.ENOENT and path.parent.is_dir():  # as in /proc
        fix = f"{path.parent} takes no new files; write elsewhere"
    return OutputError(f"cannot write {path}: {fix}")


def journal_folder(path: Path) -> Path:
    """Return the folder where a run that can be interrupted keeps what it finished of a file.

    It is never cleared as temporary files are: it may hold hours of work.
    """
    target = path.resolve()
    return target.with_name(f".{target.name}{_JOURNAL}")


def check_plausible(width: int, height: int, size: int, path: Path) -> None:
    """Raise ``MediaError`` if a file of ``size`` bytes cannot hold most of the pixels it claims.

    JPEG stores a bit at least for each block of 64 pixels, GIF twelve for at most 4096 pixels, and
    a PNG that is cut short has few bytes for what it claims unless most of it is missing. Even of
    black, video codecs store not much less. A damaged number in the header would else take
    gigabytes, and minutes, for an empty picture. Files of usual sizes are not refused: what there
    is of them is worth having.
    """
    pixels = width * height
    if pixels > _USUAL_PIXELS and pixels > _MOST_PIXELS_PER_BYTE * size:
        raise MediaError(
            f"{path} is damaged: it claims {width}x{height} pixels, which its {size} bytes cannot "
            "hold; get it again"
        )


def check_target(path: Path, *, overwrite: bool = False) -> None:
    """Refuse, before any work, a path that could not become an output file.

    Parameters
    ----------
    path
        The file to be written.
    overwrite
        An existing file may be replaced.

    Raises
    ------
    InputError
        The file exists and may not be replaced, or what exists is not a regular file.
    OutputError
        Its folder does not exist or cannot be written to.
    """
    try:
        exists = path.exists()
        if exists and not path.is_file():
            kind = "a folder" if path.is_dir() else "not a regular file"
            raise InputError(f"cannot write {path}: it is {kind}; give the name of a file")
        if exists and not overwrite:
            raise InputError(f"{path} exists; give another name, or --overwrite to replace it")
        path.parent.stat()
    except OSError as error:
        if isinstance(error, RestoreError):
            raise
        raise output_error(error, path) from error
    if not path.parent.is_dir():
        raise output_error(NotADirectoryError(errno.ENOTDIR, ""), path)
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise output_error(PermissionError(errno.EACCES, ""), path)


def check_target_of(source: Path, path: Path, *, overwrite: bool = False) -> None:
    """Refuse what ``check_target`` does, and the file that the result is made of.

    Raises
    ------
    InputError, OutputError
        As ``check_target`` does, or ``path`` is ``source``.
    """
    check_target(path, overwrite=overwrite)
    if path.exists() and source.exists() and source.samefile(path):
        raise InputError(f"{path} is the source itself; give another name for the result")


@contextmanager
def whole_file(path: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Give a temporary path to write to, which becomes ``path`` when the block succeeds.

    The temporary file lies in the folder of ``path`` and has its suffix. It is flushed to the
    disk and renamed at the end, and removed on any error, Ctrl-C included. Those that killed
    processes left in the folder are removed, too. Who may read and write a file that is replaced
    stays as it was.

    Parameters
    ----------
    path
        The file to be written; a symbolic link is followed.
    overwrite
        An existing file may be replaced.

    Yields
    ------
    Path
        An existing, empty file; write to it and close it.

    Raises
    ------
    InputError
        ``path`` exists and may not be replaced, or is not a regular file.
    OutputError
        It cannot be written: no folder, no permission, a full disk. ``OSError`` from the block
        that concerns the file or the disk becomes this.
    """
    check_target(path, overwrite=overwrite)
    target = path.resolve()
    _clear(target.parent)
    temporary = target.with_name(f"{_PREFIX}{secrets.token_hex(6)}{target.suffix}")
    with ExitStack() as stack:
        stack.callback(_remove, temporary)  # whatever happens since it was made, Ctrl-C included
        try:
            stack.enter_context(_locked(temporary))
        except OSError as error:
            raise output_error(error, path) from error
        try:
            mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else None
            if mode is not None:
                temporary.chmod(mode | stat.S_IRUSR | stat.S_IWUSR)  # ours until it is done
            yield temporary
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            # A file that another program made meanwhile is not ours to replace.
            check_target(path, overwrite=overwrite)
            if mode is not None:
                temporary.chmod(mode)
            temporary.replace(target)
        except OSError as error:
            if isinstance(error, RestoreError) or not _concerns(error, temporary):
                raise
            raise output_error(error, path) from error


@contextmanager
def _locked(temporary: Path) -> Iterator[None]:
    """Make a file and hold it: while this process lives, no other takes it for left behind."""
    with ExitStack() as stack:
        while True:
            file = stack.enter_context(temporary.open("xb"))
            with suppress(OSError):  # where a file system has no locks, nothing is cleared either
                fcntl.flock(file, fcntl.LOCK_EX)
            if os.fstat(file.fileno()).st_nlink:
                break  # else it was cleared between the two lines
        yield


def _remove(temporary: Path) -> None:
    with suppress(OSError):
        temporary.unlink(missing_ok=True)


class _Cleared:
    """The folders that this process has cleared: once is enough, they may hold many files."""

    def __init__(self) -> None:
        self.folders: set[Path] = set()
        self.lock = threading.Lock()


_CLEARED = _Cleared()


def _clear(folder: Path) -> None:
    """Remove the temporary files that killed processes left in a folder."""
    with _CLEARED.lock:
        if folder in _CLEARED.folders:
            return
        _CLEARED.folders.add(folder)
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if _LEFT_BEHIND.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                _clear_file(Path(entry.path))


def _clear_file(path: Path) -> None:
    """Remove a temporary file unless a process holds it."""
    with suppress(OSError), path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()


def _concerns(error: OSError, temporary: Path) -> bool:
    disk = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
    return error.errno in disk or str(error.filename) == str(temporary)
