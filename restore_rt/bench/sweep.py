"""From lists of options to the cases that they make together."""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from restore_rt.bench.clip import clip_size
from restore_rt.bench.measuring import check_case
from restore_rt.bench.report import SCOPES, Case
from restore_rt.errors import InputError, RestoreError
from restore_rt.model.reading import find_model
from restore_rt.options import BACKENDS, PROVIDERS
from restore_rt.threads import thread_count

__all__ = ["KEYS", "cases_of", "read_sweep"]

# What a sweep may name, with what is taken if it does not.
_USUAL: dict[str, list[Any]] = {
    "model": ["video-x2"],
    "provider": ["auto"],
    "backend": ["auto"],
    "precision": [None],
    "size": [(360, 640)],
    "clip": [None],
    "batch": [1],
    "streams": [1],
    "threads": [None],
    "tile": [None],
    "scope": ["end_to_end"],
    "graphs": [None],
}
KEYS = tuple(_USUAL)
_PRECISIONS = ("auto", "fp32", "fp16", "bf16")


def cases_of(sweep: Mapping[str, Any]) -> list[Case]:
    """Return all combinations of what a sweep names.

    Parameters
    ----------
    sweep
        By name, a value or a list of them: ``KEYS``. Sizes and tiles are (height, width), or text
        like ``"360x640"``.

    Raises
    ------
    InputError
        A name or a value is not allowed.
    """
    if "size" in sweep and "clip" in sweep:
        raise InputError("a sweep names size and clip, which has a size; leave one of them out")
    for key in sweep:
        if key not in _USUAL:
            raise InputError(f"a sweep has no {key!r}; it may name {', '.join(KEYS)}")
    lists = {key: _listed(key, sweep.get(key, usual)) for key, usual in _USUAL.items()}
    found: dict[Case, None] = {}
    for values in itertools.product(*lists.values()):
        chosen = dict(zip(lists, values, strict=True))
        height, width = chosen.pop("size")
        if chosen["clip"] is not None:
            height, width = clip_size(Path(chosen["clip"]))
            # As `restore-rt video` runs.
            chosen["precision"] = chosen["precision"] or "auto"
        case = Case(**chosen, height=height, width=width)
        check_case(case)
        found[case] = None
    return list(found)


def read_sweep(path: Path) -> list[Case]:
    """Read the sweeps of a TOML file: its keys, or those of each of its ``[[sweep]]`` tables.

    What stands above the tables goes for all of them.

    Raises
    ------
    InputError
        There is no such file, it is not TOML, or names what is not allowed.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise InputError(f"{path} is not TOML: {error}") from error
    shared = {key: value for key, value in table.items() if key != "sweep"}
    sweeps = table.get("sweep", [{}])
    if not isinstance(sweeps, list) or not all(isinstance(each, dict) for each in sweeps):
        raise InputError(f"{path}: sweep must be tables: write [[sweep]] above each")
    try:
        found = itertools.chain.from_iterable(cases_of({**shared, **each}) for each in sweeps)
        return list(dict.fromkeys(found))
    except RestoreError as error:
        raise InputError(f"{path}: {error}") from error


def _listed(key: str, value: Any) -> list[Any]:
    if isinstance(value, Sequence) and not isinstance(value, str):
        # A size is two numbers, a list of sizes holds lists or text.
        single = key in ("size", "tile") and len(value) == 2 and all(_is_whole(v) for v in value)
        values: Iterable[Any] = [value] if single else value
    else:
        values = [value]
    found = [_checked(key, each) for each in values]
    if not found:
        raise InputError(f"{key} is an empty list; name at least one")
    return found


def _checked(key: str, value: Any) -> Any:
    if key in ("size", "tile"):
        return value if value is None else _sides(key, value)
    if key == "threads":
        return value if value is None else thread_count(value)
    if key == "clip" and value is not None:
        return str(Path(_text(key, value)).absolute())
    if key == "graphs":
        if value is not None and not isinstance(value, bool):
            raise InputError(f"graphs is {value!r}; allowed are true and false")
        return value
    if key == "model":
        # That it is there, before anything is measured.
        find_model(_text(key, value))
        return value
    allowed: dict[str, Sequence[str | None]] = {
        "provider": PROVIDERS,
        "backend": BACKENDS,
        "precision": (*_PRECISIONS, None),
        "scope": SCOPES,
    }
    if key in allowed and value not in allowed[key]:
        names = ", ".join(name for name in allowed[key] if name)
        raise InputError(f"{key} is {value!r}; allowed are {names}")
    return value


def _text(key: str, value: Any) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise InputError(f"{key} is {value!r}; give the name of a {key}")
    return value


def _sides(key: str, value: Any) -> tuple[int, int]:
    sides = value.lower().split("x") if isinstance(value, str) else value
    if not isinstance(sides, Sequence):
        sides = [sides]
    whole: list[Any] = [
        int(side) if isinstance(side, str) and side.isdecimal() else side for side in sides
    ]
    if len(whole) == 1:
        whole *= 2
    if len(whole) != 2 or not all(_is_whole(side) and side > 0 for side in whole):
        raise InputError(f"{key} is {value!r}; give height and width like 360x640")
    return int(whole[0]), int(whole[1])


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
