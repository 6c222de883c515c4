"""The pictures in a folder and in all folders below it, and where what is made of them goes."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from restore_rt.errors import InputError, MediaError
from restore_rt.files import output_error
from restore_rt.streaming import overlapped
from restore_rt.training.pictures import SUFFIXES

__all__ = [
    "Advance",
    "Broken",
    "Tree",
    "find_tree",
    "for_each",
    "make_folder",
    "refuse_existing",
    "refuse_inputs",
    "without_suffix",
]

Result = TypeVar("Result")

Advance = Callable[[int], None]
Broken = Callable[[str], None]


@dataclass(frozen=True)
class Tree:
    """Pictures below a folder.

    Attributes
    ----------
    root
        The folder.
    files
        Paths relative to it, ordered by name.
    """

    root: Path
    files: tuple[Path, ...]

    def __len__(self) -> int:
        return len(self.files)


def find_tree(
    root: Path,
    *,
    avoid: Path | None = None,
    suffixes: Iterable[str] = SUFFIXES,
    what: str = "pictures",
) -> Tree:
    """Return the pictures in a folder and below; hidden files and folders are passed over.

    So are pipes and devices that are named like pictures. A link that leads nowhere is returned: to
    be told of when it cannot be read.

    Parameters
    ----------
    root
        The folder. Linked folders below it are entered, each folder once.
    avoid
        A folder below that is passed over: results of an earlier run are no input of this one.
    suffixes, what
        What else is looked for: the files' suffixes, in lower case, and what they are, in words.

    Raises
    ------
    InputError
        The folder is missing, it or one below cannot be listed, there are no pictures, or it is
        the one to avoid.
    """
    if not root.is_dir():
        kind = "is a file" if root.exists() else "does not exist"
        raise InputError(f"{root} {kind}; name a folder of {what}")
    if avoid is not None and avoid.resolve() == root.resolve():
        raise InputError(f"{root} is both input and output; give another output folder")
    allowed = sorted(suffixes)
    files: list[Path] = []
    seen = {root.resolve()} if avoid is None else {root.resolve(), avoid.resolve()}
    for here, folders, names in os.walk(root, onerror=_unreadable, followlinks=True):
        entered = []
        for name in sorted(folders):
            real = Path(here, name).resolve()
            if not name.startswith(".") and real not in seen:
                seen.add(real)
                entered.append(name)
        folders[:] = entered
        for name in names:
            path = Path(here, name)
            if name.startswith(".") or path.suffix.lower() not in allowed:
                continue
            if _may_be_read(path):
                files.append(path.relative_to(root))
    if not files:
        raise InputError(f"no {what} in {root}; it should hold {', '.join(allowed)} files")
    return Tree(root, tuple(sorted(files, key=Path.as_posix)))


def _may_be_read(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return True


def _unreadable(error: OSError) -> None:
    raise InputError(
        f"cannot list the folder {error.filename}: {error.strerror}; change its permissions"
    ) from error


def for_each(
    tree: Tree,
    work: Callable[[Path], Result],
    *,
    threads: int = 2,
    advance: Advance | None = None,
    broken: Broken | None = None,
) -> list[tuple[Path, Result]]:
    """Apply `work` to the path of each picture, and go on when one of them cannot be read.

    Parameters
    ----------
    tree
        The pictures.
    work
        Called with the path, on threads; raises ``MediaError`` for a picture that cannot be read.
    threads
        How many pictures are worked on at a time.
    advance
        Called with 1 after each picture.
    broken
        Told of each picture that cannot be read; without it the error is raised.

    Returns
    -------
    list
        Pairs of relative path and result, in the order of the tree, of those that could be read.
    """

    def attempt(file: Path) -> tuple[Path, Result] | str:
        try:
            return file, work(tree.root / file)
        except MediaError as error:
            if broken is None:
                raise
            return str(error)

    done: list[tuple[Path, Result]] = []
    results = overlapped(attempt, tree.files, workers=threads)
    try:
        for result in results:
            if not isinstance(result, str):
                done.append(result)
            elif broken is not None:
                broken(result)
            if advance is not None:
                advance(1)
    finally:
        results.close()
    return done


def without_suffix(tree: Tree) -> dict[Path, Path]:
    """Return the relative path without suffix of each picture, and the picture.

    Raises
    ------
    InputError
        Two pictures differ in their suffix only, so that their results would get one name.
    """
    named: dict[Path, Path] = {}
    for file in tree.files:
        stem = file.with_suffix("")
        if stem in named:
            raise InputError(
                f"{tree.root / named[stem]} and {tree.root / file} differ in their suffix only, "
                "so that their results would get one name; rename one"
            )
        named[stem] = file
    return named


def refuse_existing(existing: Iterable[Path], *, overwrite: bool) -> None:
    """Refuse outputs that exist, unless they may be replaced.

    Raises
    ------
    InputError
        There are some.
    """
    found = list(existing)
    if found and not overwrite:
        others = f" and {len(found) - 1} more" if len(found) > 1 else ""
        raise InputError(
            f"{found[0]} exists{others}; give another folder, or --overwrite to replace them"
        )


def refuse_inputs(targets: Iterable[Path], tree: Tree) -> None:
    """Refuse outputs that are inputs, by whatever path or link.

    Raises
    ------
    InputError
        One is.
    """
    inputs = {(tree.root / file).resolve() for file in tree.files}
    for target in targets:
        if target.resolve() in inputs:
            raise InputError(f"{target} is an input; give another output folder")


def make_folder(folder: Path) -> None:
    """Make a folder, and those that it lies in, where they are missing.

    Raises
    ------
    OutputError
        It cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise output_error(NotADirectoryError(errno.ENOTDIR, ""), folder) from None
    except OSError as error:
        raise output_error(error, folder) from error
