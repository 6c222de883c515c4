"""Processing of all pictures below a folder, and the paths of the results."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from restore_rt.errors import InputError, MediaError
from restore_rt.streaming import overlapped
from restore_rt.training.data.pictures import Tree, find_tree

__all__ = [
    "Advance",
    "Broken",
    "Tree",
    "find_tree",
    "for_each",
    "refuse_existing",
    "refuse_inputs",
    "without_suffix",
]

Result = TypeVar("Result")

Advance = Callable[[int], None]
Broken = Callable[[str], None]


def for_each(
    tree: Tree,
    work: Callable[[Path], Result],
    *,
    threads: int = 2,
    advance: Advance | None = None,
    broken: Broken | None = None,
) -> list[tuple[Path, Result]]:
    """Apply `work` to the path of each picture, and go on when one of them cannot be read.

    `work` is called on `threads` threads and raises ``MediaError`` for a picture that cannot be
    read: `broken` is told of it; without it the error is raised. `advance` is called with 1 after
    each picture. Returns pairs of relative path and result, in the order of the tree, of those that
    could be read.
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

    Raises `InputError` if two differ in their suffix only: their results would get one name.
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
    """Refuse (`InputError`) outputs that exist, unless they may be replaced."""
    found = list(existing)
    if found and not overwrite:
        others = f" and {len(found) - 1} more" if len(found) > 1 else ""
        raise InputError(
            f"{found[0]} exists{others}; give another folder, or --overwrite to replace them"
        )


def refuse_inputs(targets: Iterable[Path], tree: Tree) -> None:
    """Refuse (`InputError`) outputs that are inputs, by whatever path or link."""
    inputs = {(tree.root / file).resolve() for file in tree.files}
    for target in targets:
        if target.resolve() in inputs:
            raise InputError(f"{target} is an input; give another output folder")
