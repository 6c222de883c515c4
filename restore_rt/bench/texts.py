"""Figures, names and nested data as plain text that can steer no terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

__all__ = ["NOTHING", "figure", "plain", "title_of", "words"]

# What stands where there is no figure.
NOTHING = "-"
_SPELT = {"gpus": "GPUs", "mb": "MB", "mhz": "MHz"}


def plain(text: object) -> str:
    """Return a text on one line; what could steer a terminal becomes question marks."""
    joined = " ".join(str(text).split())
    return "".join(letter if letter.isprintable() else "?" for letter in joined)


def figure(value: float | None, like: float | None = None) -> str:
    """Return a figure with three digits that count, or with as many decimals as another has."""
    if value is None:
        return NOTHING
    size = abs(value if like is None else like)
    if not (math.isfinite(value) and math.isfinite(size)):
        return str(value)
    # Below a thousandth of a millisecond there is nothing to tell.
    decimals = 0 if size == 0 else min(max(2 - math.floor(math.log10(size)), 0), 3)
    return f"{value:.{decimals}f}"


def words(value: Any) -> str:
    """Return nested data in words; what is unknown or empty is left out."""
    if isinstance(value, Mapping):
        parts = ((title_of(name), each, words(each)) for name, each in value.items())
        return ", ".join(
            f"{name} ({text})" if isinstance(each, (Mapping, list, tuple)) else f"{name} {text}"
            for name, each, text in parts
            if text
        )
    if isinstance(value, (list, tuple)):
        return "; ".join(text for text in map(words, value) if text)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else plain(value)


def title_of(name: str) -> str:
    """Return a name in data as people write it."""
    return " ".join(_SPELT.get(word, word) for word in plain(name).replace("_", " ").split())
