"""Expands lists of options into the cases that they combine to."""

from __future__ import annotations

import itertools
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from restore_rt.bench.report import Case
from restore_rt.errors import InputError, MediaError, RestoreError
from restore_rt.model.reading import find_model

__all__ = ["KEYS", "cases_of", "read_sweep"]

KEYS = (
    *("model", "device", "backend", "precision", "size", "clip"),
    *("batch", "streams", "threads", "tile", "scope", "pixels"),
)
_NUMBERS = ("batch", "streams", "threads")


def cases_of(sweep: Mapping[str, Any]) -> list[Case]:
    """Return all combinations of the values that a sweep lists.

    Parameters
    ----------
    sweep
        A value or a list of values for any of ``KEYS``. Sizes and tiles are text, width first,
        such as ``"640x360"``, or one number for a square.

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


def clip_size(path: Path) -> tuple[int, int]:
    """Return the height and width of a video."""
    try:
        from restore_rt.video.opening import choose_stream, open_video
    except ImportError as error:
        raise MediaError("video needs PyAV: pip install 'restore-rt[video]'") from error
    with open_video(path) as container:
        stream = choose_stream(container, path)
        return stream.height, stream.width


def _values(key: str, given: Any) -> list[Any]:
    """Return the checked values of a key, which may have one value or a list of them."""
    values = given if isinstance(given, list) else [given]
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
    """Return the height and width that text such as ``640x360``, width first, names."""
    found = re.fullmatch(r"([1-9]\d{0,8})(?:[xX]([1-9]\d{0,8}))?", str(value), re.ASCII)
    if found is None:
        raise InputError(
            f"{key} is {value!r}; give width and height, such as 640x360, or one number for both"
        )
    width = int(found[1])
    return int(found[2] or width), width
