"""Which pictures belong together by their names, and which of them are held out of a training."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from restore_rt.errors import InputError
from restore_rt.training.data.pictures import PictureFile, crc_of_name

__all__ = ["check_pattern", "group_names", "hold_out", "is_far"]

# A part is far from its share when it is off by more than this part of it, and by a picture.
_FAR = 0.3


def check_pattern(groups: str) -> None:
    """Refuse (`InputError`) a pattern of groups that is no regular expression, and say why."""
    try:
        re.compile(groups)
    except re.error as error:
        raise InputError(
            f"the pattern of groups is {groups!r}, no regular expression: {error}"
        ) from None


def group_names(names: Sequence[str], groups: str) -> tuple[list[str], int]:
    """Give each name, a path with ``/``, the label of its group.

    Names in which the regular expression `groups` matches the same text are a group; where it
    matches nothing, the name is a group by itself, and so is every name if the pattern is empty.
    Returns the labels in the order of the names, and in how many names the pattern matches nothing.

    Raises `InputError` if the pattern matches in no name.
    """
    if not groups:
        return list(names), 0
    matches = [re.search(groups, name) for name in names]
    texts = [match.group() if match else "" for match in matches]
    if names and not any(texts):
        raise InputError(
            f"the pattern of groups is '{groups}'; it matches in no name, such as {names[0]}: "
            "correct it, or leave it out"
        )
    # An empty match says nothing: it would make one group of all pictures.
    return [text or name for text, name in zip(texts, names, strict=True)], texts.count("")


def hold_out(
    files: Sequence[PictureFile], one_in: int, groups: str = "", *, say: Callable[[str], None]
) -> tuple[list[PictureFile], list[PictureFile]]:
    """Part pictures into those to train on and those to validate on; the same on every machine.

    A group of pictures (see `group_names`) is held out when the CRC of its label divides by
    `one_in`, so about one in so many is. Small sets are looked after: each folder keeps the group
    to train on whose CRC leaves the largest remainder, and of the others at least the one that
    leaves the smallest is held out. `say` takes a line where the pattern matches not everywhere, or
    where what is held out is far from its share. Both parts are in the order of `files`.

    Raises `InputError` if the pattern matches in no name, or no group is left to hold out.
    """
    labels, unmatched = group_names([file.name for file in files], groups)
    if unmatched:
        say(
            f"the pattern of groups, '{groups}', matches in {len(files) - unmatched} of "
            f"{len(files)} names; each of the others is for itself"
        )

    def rank(label: str) -> tuple[int, int, str]:
        crc = crc_of_name(label)
        return crc % one_in, crc, label

    ranked = sorted(set(labels), key=rank)
    of_folders: dict[str, set[str]] = {}
    for file, label in zip(files, labels, strict=True):
        of_folders.setdefault(file.folder, set()).add(label)
    kept = {max(some, key=rank) for some in of_folders.values()}
    free = [label for label in ranked if label not in kept]
    if not free:
        raise InputError(
            f"none of {len(files)} pictures can be held out for validation: each folder is one "
            "group, which is trained on; add pictures, or let the pattern of groups make smaller "
            "ones"
        )
    held = {label for label in free if rank(label)[0] == 0} or {free[0]}
    parts: tuple[list[PictureFile], list[PictureFile]] = [], []
    for file, label in zip(files, labels, strict=True):
        parts[label in held].append(file)
    if is_far(len(parts[1]), len(files) / one_in):
        say(
            f"{len(parts[1])} of {len(files)} pictures are held out, though one in {one_in} was "
            f"asked for: the names of their {len(ranked)} groups decide"
        )
    return parts


def is_far(found: int, wanted: float) -> bool:
    """Return whether a number of pictures is far from the expected share."""
    return abs(found - wanted) > max(_FAR * wanted, 1)
