"""Degradation steps, and their notation in recipes and on the command line.

A step is a frozen dataclass: its fields are what a recipe may set, mostly ranges (low, high) from
which a value is drawn for each picture. Steps act on a clip, a list of frames of one size; a still
is a clip of one.
"""

from __future__ import annotations

import dataclasses
import math
import typing
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from restore_rt.errors import InputError
from restore_rt.training.limits import check_limits
from restore_rt.training.tables import TableError, read_table

__all__ = [
    "STEPS",
    "Clip",
    "Rgb",
    "Step",
    "choose",
    "degrade",
    "draw",
    "draw_int",
    "parse_spec",
    "read_step",
    "register",
]

Rgb = NDArray[np.uint8]
# Frames (H, W, 3), or (H, W) where a codec gave luma.
Clip = list[Rgb]
S = TypeVar("S", bound="type[Step]")
T = TypeVar("T")
STEPS: dict[str, type[Step]] = {}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Step:
    """One thing that happens to a picture.

    Subclasses are frozen keyword-only dataclasses whose fields all have defaults and, in their
    types, limits; they are registered with `register`. They override `apply_frame`, or `apply`
    where frames cannot be treated apart.
    """

    kind: ClassVar[str]

    def apply_frame(self, frame: Rgb, rng: np.random.Generator, *, scale: int) -> Rgb:
        """Degrade one frame (H, W, 3), which must not be changed; the result is a new array."""
        raise NotImplementedError

    def apply(self, clip: Clip, rng: np.random.Generator, *, scale: int) -> Clip:
        """Degrade a clip of frames (H, W, 3), 8 bit, all of one size; `scale` is the network's.

        Each frame sees the same draws, as all frames of a video went through the same hands; noise
        and the like differ only where a step overrides this.
        """
        seed = int(rng.integers(2**63))
        return [self.apply_frame(frame, np.random.default_rng(seed), scale=scale) for frame in clip]


def register(kind: str) -> Callable[[S], S]:
    """Register a step under its name in recipes."""

    def decorate(step: S) -> S:
        step.kind = kind
        STEPS[kind] = step
        return step

    return decorate


def degrade(steps: Sequence[Step], clip: Clip, rng: np.random.Generator, *, scale: int = 1) -> Clip:
    """Apply the steps in their order to a clip of (H, W, 3) frames."""
    for step in steps:
        clip = step.apply(clip, rng, scale=scale)
    return clip


def draw(rng: np.random.Generator, span: tuple[float, float]) -> float:
    """Draw from a range, uniformly; both ends may come."""
    return float(span[0] + (span[1] - span[0]) * rng.random())


def draw_int(rng: np.random.Generator, span: tuple[int, int]) -> int:
    """Draw a whole number from a range, uniformly, both ends included."""
    return int(rng.integers(span[0], span[1] + 1))


def choose(rng: np.random.Generator, among: Sequence[T]) -> T:
    """Draw one of several, each as often as the others."""
    return among[int(rng.integers(len(among)))]


def read_step(table: Any, where: str) -> Step:
    """Read a step from a recipe's table: its ``kind`` and any of its fields.

    Raises `TableError` if there is no such step, or a field or value is not allowed.
    """
    if not isinstance(table, dict) or not isinstance(table.get("kind"), str):
        raise TableError(f"'{where}' must be a table with a 'kind', not {table!r}")
    kind = table["kind"]
    if kind not in STEPS:
        raise TableError(f"{where}.kind is {kind!r}; there are {', '.join(sorted(STEPS))}")
    rest = {key: value for key, value in table.items() if key != "kind"}
    step = read_table(STEPS[kind], rest, where)
    try:
        check_limits(step)
    except InputError as error:
        raise TableError(f"{where}: {error}") from None
    return step


def parse_spec(text: str) -> tuple[Step, ...]:
    """Read steps as the command line writes them: ``reduce,jpeg:70,jpeg:quality=30-60:rounds=2``.

    Commas part the steps, colons a step's values, each of which is given once. A value without a
    name goes to the step's first field; a range is written low-high, alternatives with bars:
    ``reduce:bicubic|area``. Raises `InputError` if it is not so written.
    """
    return tuple(_parse_step(part.strip()) for part in text.split(",") if part.strip())


def _parse_step(text: str) -> Step:
    kind, *settings = text.split(":")
    if kind not in STEPS:
        raise InputError(f"degradation {kind!r} is unknown; there are {', '.join(sorted(STEPS))}")
    names = [field.name for field in dataclasses.fields(STEPS[kind])]
    hints = typing.get_type_hints(STEPS[kind])
    table: dict[str, Any] = {"kind": kind}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            name, value = names[0] if names else "", setting
        if name in table:
            raise InputError(
                f"{text!r} gives '{name}' twice; give each value of a step once, and mind that a "
                "colon begins another one"
            )
        # 444 is a number, but not where names are wanted.
        words = hints.get(name) == tuple[str, ...]
        table[name] = value.split("|") if words else _parse_value(value)
    return read_step(table, text)


def _parse_value(text: str) -> Any:
    if "|" in text:
        return text.split("|")
    ends = [_number(part) for part in text.split("-")]
    if all(end is not None for end in ends) and len(ends) in (1, 2):
        return ends if len(ends) == 2 else ends[0]
    return {"yes": True, "no": False}.get(text, text)


def _number(text: str) -> int | float | None:
    for kind in (int, float):
        try:
            value = kind(text)
        except ValueError:
            continue
        return value if math.isfinite(value) else None
    return None
