"""Expands lists of options into the cases that they combine to."""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from restore_rt.bench.clip import clip_size
from restore_rt.bench.report import Case
from restore_rt.errors import InputError, RestoreError
from restore_rt.model.reading import find_model

__all__ = ["KEYS", "cases_of", "read_sweep"]

KEYS = (
    *("model", "device", "backend", "precision", "size", "clip"),
    *("batch", "streams", "threads", "tile", "scope"),
)
_NUMBERS = ("batch", "streams", "threads")


def cases_of(sweep: Mapping[str, Any]) -> list[Case]:
    """Return all combinations of the values that a sweep lists.

    Parameters
    ----------
    sweep
        A value or a list of values for any of ``KEYS``. A size or tile is (height, width) or text
        such as ``"360x640"``.

    Raises
    ------
    InputError
        A key or a value is not allowed.
    """
    for key in sweep:
        if key not in KEYS:
            raise InputError(f"a sweep has no key {key!r}; allowed are {', '.join(KEYS)}")
    if "size" in sweep and "clip" in sweep:
        raise InputError("size and clip were given, but a clip has its own size; leave one out")
    lists = [[(key, v) for v in _values(key, sweep[key])] for key in KEYS if key in sweep]
    found: dict[Case, None] = {}
    for combined in itertools.product(*lists):
        options = dict(combined)
        if "clip" in options:
            options["size"] = clip_size(Path(options["clip"]))
        if "size" in options:
            options["height"], options["width"] = options.pop("size")
        found[Case(**options)] = None
    return list(found)


def read_sweep(path: Path) -> list[Case]:
    """Read the sweeps of a TOML file: its keys, or those of each of its ``[[sweep]]`` tables.

    Keys above the tables apply to all of them.

    Raises
    ------
    InputError
        The file is missing, not TOML, or has a key or value that is not allowed.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise InputError(f"{path} is not TOML: {error}") from error
    sweeps = table.pop("sweep", [{}])
    if not isinstance(sweeps, list) or not all(isinstance(each, dict) for each in sweeps):
        raise InputError(f"{path}: sweep must be tables; write [[sweep]] above each")
    try:
        found = itertools.chain.from_iterable(cases_of({**table, **each}) for each in sweeps)
        return list(dict.fromkeys(found))
    except RestoreError as error:
        raise InputError(f"{path}: {error}") from error


def _values(key: str, given: Any) -> list[Any]:
    """Return the checked values of a key, which may have one value or a list of them."""
    several = isinstance(given, (list, tuple))
    # [360, 640] is one size, [[360, 640]] and ["360x640"] are lists of sizes.
    if several and key in ("size", "tile") and len(given) == 2:
        several = not all(isinstance(side, int) for side in given)
    values = given if several else [given]
    if not values:
        raise InputError(f"{key} is an empty list; give at least one value")
    return [_checked(key, value) for value in values]


def _checked(key: str, value: Any) -> Any:
    if key in ("size", "tile"):
        return _sides(key, value)
    if key in _NUMBERS:
        return int(value) if isinstance(value, str) and value.isdecimal() else value
    if not isinstance(value, str) or "\0" in value:
        raise InputError(f"{key} is {value!r}; give text")
    if key == "clip":
        return str(Path(value).absolute())
    if key == "model":
        # Fails before anything is measured if there is no such model.
        find_model(value)
    return value


def _sides(key: str, value: Any) -> tuple[int, int]:
    sides = value.lower().split("x") if isinstance(value, str) else value
    sides = sides if isinstance(sides, (list, tuple)) else [sides]
    if len(sides) == 1:
        sides = [*sides, *sides]
    whole = [int(side) if isinstance(side, str) and side.isdecimal() else side for side in sides]
    if len(whole) != 2 or not all(type(side) is int and side > 0 for side in whole):
        raise InputError(f"{key} is {value!r}; give height and width, such as 360x640")
    return int(whole[0]), int(whole[1])
