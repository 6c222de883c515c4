"""Tables read strictly into frozen dataclasses: every key known, every value of its type."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable
from typing import Any, TypeVar

from restore_rt.errors import InputError

__all__ = ["TableError", "read_table"]

T = TypeVar("T")
# Reads a value that is not of a plain type; it gets the value and where it stands.
Reader = Callable[[Any, str], Any]


class TableError(InputError):
    """A table has an unknown key, lacks one, or holds a value of another type."""


def read_table(
    kind: type[T], table: Any, where: str = "", *, readers: dict[Any, Reader] | None = None
) -> T:
    """Fill the dataclass `kind` from `table`, refusing every key and type that it does not have.

    A tuple may be written as a list, or, if all its entries are to be equal, as a single value. A
    field that may be None is left out to be None. Fields are bool, int, float, str, tuples and
    tables of these, other such dataclasses, or of types for which `readers` has a function. `table`
    is what TOML or JSON gave, and `where` the path to it, for messages.

    Raises `TableError` if anything does not fit.
    """
    readers = readers or {}
    if not isinstance(table, dict):
        raise TableError(f"{where or 'the recipe'} must be a table, not {table!r}")
    hints = typing.get_type_hints(kind)
    fields = {
        f.name: f
        for f in dataclasses.fields(kind)  # type: ignore[arg-type]
        if f.init and not f.metadata.get("hidden")
    }
    prefix = f"{where}." if where else ""
    for key in table:
        if key not in fields:
            raise TableError(f"unknown key '{prefix}{key}'; allowed here: {', '.join(fields)}")
    values = {}
    for name, field in fields.items():
        if name in table:
            values[name] = _convert(hints[name], table[name], f"{prefix}{name}", readers)
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise TableError(f"missing key '{prefix}{name}'")
    return kind(**values)


def _convert(hint: Any, value: Any, where: str, readers: dict[Any, Reader]) -> Any:
    if hint in readers:
        return readers[hint](value, where)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        choices = [a for a in arguments if a is not types.NoneType]
        if len(choices) == 1:
            return _convert(choices[0], value, where, readers)
        for choice in choices:
            # bool is an int in Python, so the type must be the very one.
            if type(value) is choice:
                return value
        names = " or ".join(choice.__name__ for choice in choices)
        raise TableError(f"'{where}' must be {names}, not {value!r}")
    if dataclasses.is_dataclass(hint):
        return read_table(typing.cast(type, hint), value, where, readers=readers)
    if origin is dict:
        if not isinstance(value, dict):
            raise TableError(f"'{where}' must be a table, not {value!r}")
        return {k: _convert(arguments[1], v, f"{where}.{k}", readers) for k, v in value.items()}
    if origin is tuple:
        return _tuple(arguments, value, where, readers)
    # TOML writes 1 for 1.0.
    if hint is float and type(value) is int:
        return float(value)
    if type(value) is not hint:
        raise TableError(f"'{where}' must be {hint.__name__}, not {value!r}")
    return value


def _tuple(
    arguments: tuple[Any, ...], value: Any, where: str, readers: dict[Any, Reader]
) -> tuple[Any, ...]:
    open_ended = arguments[-1] is Ellipsis
    if not isinstance(value, list):
        if isinstance(value, dict) or arguments[0] in readers:
            raise TableError(f"'{where}' must be a list, not {value!r}")
        value = [value] if open_ended else [value] * len(arguments)
    if not open_ended and len(value) != len(arguments):
        raise TableError(f"'{where}' must have {len(arguments)} entries, not {len(value)}")
    return tuple(
        _convert(arguments[0], entry, f"{where}[{i}]", readers) for i, entry in enumerate(value)
    )
