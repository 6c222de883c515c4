"""Reads reports back from JSON and checks the type of every value."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from pathlib import Path
from typing import Any, TypeVar, cast

from restore_rt.bench.report import SCHEMA, Report
from restore_rt.errors import InputError

__all__ = ["read_report", "typed"]

_T = TypeVar("_T")
_LARGEST = 1e12


def read_report(path: str | Path) -> Report:
    """Read a file that ``Report.write`` wrote.

    Raises
    ------
    InputError
        The file is missing, damaged, not a report, or has another schema.
    """
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise InputError(f"{path} is not JSON: {error}") from error
    schema = data.get("schema") if isinstance(data, dict) else None
    if schema != SCHEMA:
        raise InputError(
            f"{path} has the schema {schema!r}; this version reads {SCHEMA!r}, which "
            "`restore-rt bench -o FILE` writes"
        )
    try:
        return typed(Report, data)
    except (KeyError, TypeError, ValueError, AttributeError, InputError) as error:
        raise InputError(
            f"{path} is damaged ({type(error).__name__}: {error}); measure again"
        ) from error


def typed(kind: type[_T], value: Any) -> _T:
    """Return a value of JSON as a dataclass; keys that it does not know are ignored."""
    return cast(_T, _as(kind, value))


def _as(kind: Any, value: Any) -> Any:
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return value
    if origin is types.UnionType:
        return None if value is None else _as(inner[0], value)
    if origin is tuple:
        kinds = (inner[0],) * len(value) if inner[-1] is Ellipsis else inner
        return tuple(_as(each, item) for each, item in zip(kinds, value, strict=True))
    if origin not in (None, typing.Literal):
        # Keys of JSON are text.
        return {inner[0](key): _as(inner[1], item) for key, item in value.items()}
    if dataclasses.is_dataclass(kind):
        if not isinstance(value, dict):
            raise TypeError(f"{value!r} is not a table")
        hints = typing.get_type_hints(kind)
        # A null that the type does not allow stands for the default.
        known = {name: value[name] for name in hints if name in value}
        given = {
            name: _as(hints[name], item)
            for name, item in known.items()
            if item is not None or type(None) in typing.get_args(hints[name])
        }
        return cast(Any, kind)(**given)
    kind = str if origin is typing.Literal else kind
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind or (kind in (int, float) and not 0 <= value < _LARGEST):
        raise TypeError(f"{value!r} is not a valid {kind.__name__}")
    return value
