"""The sizes that an engine accepts: smallest, optimal and largest."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from restore_rt.errors import InputError

if TYPE_CHECKING:
    from restore_rt.model.manifest import Manifest

__all__ = ["Profile", "Shape"]

_HOW = "give HxW or NxHxW, as in 1x256x256, or three of them as MIN:OPT:MAX"
_MOST_SIDE = 65536
_MOST_BATCH = 4096
# Tensors of TensorRT have no more values than this.
_MOST_VALUES = 2**31 - 1


class Shape(NamedTuple):
    """Tiles in a batch, and their height and width in input pixels."""

    batch: int
    height: int
    width: int

    def __str__(self) -> str:
        return f"{self.batch}x{self.height}x{self.width}"


@dataclass(frozen=True)
class Profile:
    """An engine's smallest, optimal and largest shape.

    Raises
    ------
    InputError
        A number is not allowed, or the three are not in order.
    """

    min: Shape
    opt: Shape
    max: Shape

    def __post_init__(self) -> None:
        """Refuse numbers that no engine can have."""
        for name, shape in self.named():
            for what, value, most in zip(
                Shape._fields, shape, (_MOST_BATCH, _MOST_SIDE, _MOST_SIDE), strict=True
            ):
                if type(value) is not int or not 1 <= value <= most:
                    raise InputError(
                        f"the profile's {name} is {shape}, whose {what} is {value}; allowed are 1 "
                        f"to {most}"
                    )
        for (low, below), (high, above) in zip(self.named()[:2], self.named()[1:], strict=True):
            for what, less, more in zip(Shape._fields, below, above, strict=True):
                if less > more:
                    raise InputError(
                        f"the profile's {low} is {below} and its {high} {above}; {what} must not "
                        f"be less in {high} than in {low}"
                    )

    @classmethod
    def parse(cls, text: str) -> Profile:
        """Read ``MIN:OPT:MAX``, each ``HxW`` (a batch of one) or ``NxHxW``, or one for all three.

        Raises
        ------
        InputError
            The text has another form, or a number is not allowed.
        """
        shapes = [_shape(part, text) for part in text.split(":")]
        if len(shapes) not in (1, 3):
            raise InputError(f"the profile is {text!r}, with {len(shapes)} shapes; {_HOW}")
        return cls.of(*shapes)

    @classmethod
    def of(cls, *shapes: Sequence[int]) -> Profile:
        """Return the profile of three (batch, height, width) shapes, or of one for all three."""
        made = [Shape(*shape) for shape in shapes]
        return cls(*(made * 3 if len(made) == 1 else made))

    @classmethod
    def usual(cls, manifest: Manifest) -> Profile:
        """Return the profile for every tile that the runtime cuts, one at a time.

        Optimal and largest shape are the recommended tile.
        """
        tile = Shape(1, *manifest.tile)
        return cls(Shape(1, manifest.multiple, manifest.multiple), tile, tile)

    def named(self) -> tuple[tuple[str, Shape], ...]:
        """Return the three shapes with their names."""
        return ("min", self.min), ("opt", self.opt), ("max", self.max)

    @property
    def is_static(self) -> bool:
        """Whether the profile accepts a single shape."""
        return self.min == self.max

    def check(self, manifest: Manifest) -> None:
        """Refuse a profile that does not fit a model.

        Raises
        ------
        InputError
            A side is not a multiple of the model's ``multiple``, or the output would be too large.
        """
        for name, shape in self.named():
            if shape.height % manifest.multiple or shape.width % manifest.multiple:
                raise InputError(
                    f"the profile's {name} is {shape}; {manifest.name} takes heights and widths "
                    f"that are multiples of {manifest.multiple}"
                )
        batch, height, width = self.max
        values = batch * manifest.channels * height * width * manifest.scale**2
        if values > _MOST_VALUES:
            raise InputError(
                f"the profile's max is {self.max}, for which {manifest.name} gives {values} "
                f"values; allowed are {_MOST_VALUES}: give a smaller one"
            )

    def takes(self, shape: Shape) -> bool:
        """Return whether an engine with this profile accepts a shape."""
        return all(
            low <= value <= high for low, value, high in zip(self.min, shape, self.max, strict=True)
        )

    def __str__(self) -> str:
        return str(self.max) if self.is_static else f"{self.min}:{self.opt}:{self.max}"


def _shape(part: str, text: str) -> Shape:
    match = re.fullmatch(r"(?:([0-9]{1,9})x)?([0-9]{1,9})x([0-9]{1,9})", part.strip().lower())
    if match is None:
        raise InputError(f"the profile is {text!r}, of which {part!r} is no shape; {_HOW}")
    batch, height, width = match.groups()
    return Shape(int(batch or 1), int(height), int(width))
