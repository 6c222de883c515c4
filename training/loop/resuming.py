"""Conditions of resuming: unchanged inputs, and changes that are reported."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any

from restore_rt.errors import InputError
from restore_rt.training.loop.folder import RECIPE
from restore_rt.training.recipes import Recipe, RecipeError, parse_recipe

__all__ = ["check_material", "check_recipe", "say_what_changed"]


def check_recipe(before: Mapping[str, Any], recipe: Recipe, last: Path) -> None:
    """Refuse to go on from `before`, the checkpoint at `last`, with a recipe that says otherwise.

    Raises `InputError`, which names the first key that differs.
    """
    if before["recipe"] == recipe.text:
        return
    try:
        then = parse_recipe(before["recipe"])
    except RecipeError as error:
        raise InputError(
            f"{last} belongs to another recipe, which this version does not read: {error}; begin "
            f"another run with --start {last}"
        ) from None
    # The order of keys counts, since sums are made in it.
    if repr(then) == repr(recipe):
        return
    key, old, new = _first_difference(then, recipe)
    raise InputError(
        f"{last} belongs to another recipe than the one given: {key} was {_shown(old)} and is now "
        f"{_shown(new)}; use {last.with_name(RECIPE)}, or, for a longer run or other data, begin "
        f"another run with --start {last}"
    )


def _first_difference(then: Any, now: Any, key: str = "") -> tuple[str, Any, Any]:
    inner: list[tuple[str, Any, Any]]
    if dataclasses.is_dataclass(then) and type(then) is type(now):
        names = [field.name for field in dataclasses.fields(then) if field.repr]
        inner = [(f".{name}", getattr(then, name), getattr(now, name)) for name in names]
    elif isinstance(then, dict) and isinstance(now, dict) and [*then] == [*now]:
        inner = [(f".{name}", then[name], now[name]) for name in then]
    elif isinstance(then, tuple) and isinstance(now, tuple):
        inner = [(f"[{i}]", a, b) for i, (a, b) in enumerate(zip_longest(then, now))]
    else:
        return key.lstrip("."), then, now
    return next(_first_difference(a, b, key + name) for name, a, b in inner if repr(a) != repr(b))


def _shown(value: Any) -> str:
    return "nothing" if value is None else repr(value)


def check_material(
    before: Mapping[str, Any], made_from: Mapping[str, int], data: Path, last: Path
) -> None:
    """Refuse to go on with other pictures, fonts or features, by fingerprint, than before.

    Raises `InputError`, which names what is not the same.
    """
    what = {
        "pictures": f"the pictures in {data}",
        "fonts": "the fonts of data.lettering",
        "features": "the weights of [perceptual]",
    }
    for name, number in made_from.items():
        # Former versions did not keep all of these.
        if before.get(name, number) != number:
            raise InputError(
                f"{what[name]} are not those that {last} was trained with; restore them, or "
                "start another run"
            )


def say_what_changed(
    before: Mapping[str, Any], now: Mapping[str, Any], say: Callable[[str], None]
) -> None:
    """Report changes of device, precision or threads, which change the result."""
    # Former versions did not keep all of these.
    then = {name: before.get(name, now[name]) for name in ("device", "dtype", "threads")}
    if _way(then) != _way(now):
        say(
            f"it ran {_way(then)} before, now {_way(now)}: the result will not be that of an "
            "unbroken run"
        )


def _way(content: Mapping[str, Any]) -> str:
    way = f"on {content['device']} in {content['dtype']}"
    if content["device"] != "cpu":
        return way
    # Each thread makes a part of a sum, so their number changes the last bits of it.
    number = content["threads"]
    return f"{way} with {number} thread{'' if number == 1 else 's'}"
