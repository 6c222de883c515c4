"""Small helpers for drawings in SVG: elements, axes, and texts that fit."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

__all__ = ["LETTER", "Axis", "Points", "element", "fitting", "path_of", "text_at"]

# The mean width of a letter at the size that the page's style gives texts in drawings.
LETTER = 6.6
# A range that spans more is drawn by its logarithm.
_LINEAR_SPAN = 5.0
_MOST_TICKS = 9

Points = Sequence[tuple[float, float]]


def element(name: str, content: str = "", **attributes: str | float) -> str:
    """Return an element.

    Parameters
    ----------
    name
        Of the element.
    content
        Markup; texts must have been escaped.
    **attributes
        Escaped here. ``_`` in their names stands for ``-``, and one at the end is left out.
    """
    parts = [name]
    for key, value in attributes.items():
        text = f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
        parts.append(f'{key.rstrip("_").replace("_", "-")}="{html.escape(text)}"')
    return f"<{' '.join(parts)}>{content}</{name}>"


def text_at(x: float, y: float, text: str, **attributes: str | float) -> str:
    """Return a text."""
    return element("text", html.escape(text), x=float(x), y=float(y), **attributes)


def fitting(text: str, width: float) -> str:
    """Return a text, cut if it would be wider than ``width`` pixels."""
    letters = max(int(width / LETTER), 1)
    return text if len(text) <= letters else f"{text[: letters - 1].rstrip()}…"


def path_of(points: Iterable[tuple[float, float]]) -> str:
    """Return points as a polyline has them."""
    return " ".join(f"{x:.2f},{y:.2f}" for x, y in points)


@dataclass(frozen=True)
class Axis:
    """Places figures along a line.

    Attributes
    ----------
    low, high
        The figures at its ends.
    begin, end
        Pixels of its ends.
    log
        Whether equal ratios are equally long.
    """

    low: float
    high: float
    begin: float
    end: float
    log: bool = False

    @classmethod
    def around(cls, values: Sequence[float], begin: float, end: float) -> Axis:
        """Return one on which positive figures lie with some room; by logarithm if they need it."""
        low, high = min(values), max(values)
        if high > _LINEAR_SPAN * low:
            room = (high / low) ** 0.04
            return cls(low / room, high * room, begin, end, log=True)
        room = 0.04 * (high - low) or 0.05 * high
        return cls(low - room, high + room, begin, end)

    def __call__(self, value: float) -> float:
        """Return the pixel of a figure."""
        if self.log:
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.begin + share * (self.end - self.begin)

    def holds(self, value: float) -> bool:
        """Tell whether a figure lies on it."""
        return self.low <= value <= self.high

    def ticks(self) -> list[float]:
        """Return round figures on it."""
        if self.log and self.high > _LINEAR_SPAN * self.low:
            powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            for steps in ((1, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
                found = [step * 10.0**power for power in powers for step in steps]
                found = [value for value in found if self.holds(value)]
                if len(found) <= _MOST_TICKS:
                    break
            return found
        rough = (self.high - self.low) / 6
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(each * power for each in (1, 2, 2.5, 5, 10) if each * power >= rough)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [round(at * step, 12) for at in range(first, last + 1)]
