"""Limits of a dataclass's fields, said beside their types: ``Annotated[int, at_least(1)]``."""

from __future__ import annotations

import dataclasses
import math
import re
import typing
from collections.abc import Callable, Collection
from typing import Any

from restore_rt.errors import InputError

__all__ = [
    "Limit",
    "at_least",
    "between",
    "check_limits",
    "each",
    "matching",
    "number",
    "one_of",
    "positive",
    "span",
]

# Takes a field's name and value, and raises `InputError` if the value is not allowed.
Limit = Callable[[str, Any], None]


def check_limits(item: Any, where: str = "") -> None:
    """Hold a dataclass, and the dataclasses in its fields, against the limits of their fields.

    `where` stands before the fields' names in messages. Raises `InputError` for the first field
    that is outside its limits: its name, its value and what is allowed.
    """
    hints = typing.get_type_hints(type(item), include_extras=True)
    for field in dataclasses.fields(item):
        name, value = f"{where}{field.name}", getattr(item, field.name)
        for limit in getattr(hints[field.name], "__metadata__", ()):
            limit(name, value)
        if dataclasses.is_dataclass(value):
            check_limits(value, f"{name}.")
        elif isinstance(value, tuple):
            for number, entry in enumerate(value):
                if dataclasses.is_dataclass(entry):
                    check_limits(entry, f"{name}[{number}].")


def number(holds: Callable[[float], bool], allowed: str) -> Limit:
    """Allow numbers for which `holds` is true, which `allowed` describes after "must be"."""

    def limit(name: str, value: float) -> None:
        if not holds(value):
            raise InputError(f"{name} is {value}; must be {allowed}")

    return limit


def at_least(low: float) -> Limit:
    """Allow numbers from `low` upwards."""
    return number(lambda value: value >= low, f"at least {low:g}")


def between(low: float, high: float) -> Limit:
    """Allow numbers from `low` to `high`, both included."""
    return number(lambda value: low <= value <= high, f"{low:g} to {high:g}")


positive = number(lambda value: 0 < value < math.inf, "above 0, and finite")


def span(low: float, high: float) -> Limit:
    """Allow ranges (from, to) within `low` to `high`, the lower end first."""

    def limit(name: str, value: tuple[float, float]) -> None:
        if not low <= value[0] <= value[1] <= high:
            raise InputError(
                f"{name} is {[*value]}; allowed is {low:g} to {high:g}, the lower end first"
            )

    return limit


def one_of(allowed: Collection[Any]) -> Limit:
    """Allow one of these values, or a tuple of one or more of them."""

    def limit(name: str, value: Any) -> None:
        for entry in (value or ("",)) if isinstance(value, tuple) else (value,):
            if entry not in allowed:
                there = ", ".join(map(str, allowed))
                raise InputError(f"{name} is {entry!r}; there are {there}")

    return limit


def matching(pattern: str, fix: str) -> Limit:
    """Allow texts that a regular expression matches as a whole; `fix` says how to write one."""

    def limit(name: str, value: str) -> None:
        if not re.fullmatch(pattern, value):
            raise InputError(f"{name} is {value!r}; {fix}")

    return limit


def each(inner: Limit) -> Limit:
    """Allow dictionaries whose values are within a limit."""

    def limit(name: str, value: dict[str, Any]) -> None:
        for key, entry in value.items():
            inner(f"{name}.{key}", entry)

    return limit
