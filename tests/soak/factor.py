"""How much of the soak tests is to be run: RESTORE_RT_SOAK says it."""

from __future__ import annotations

import os

__all__ = ["factor", "share"]

_NAME = "RESTORE_RT_SOAK"


def factor() -> float:
    """Return what RESTORE_RT_SOAK says: 1 for all, 0.1 for a tenth, 0 where it is not set."""
    text = os.environ.get(_NAME, "")
    try:
        found = float(text or 0)
    except ValueError:
        found = -1
    if not 0 <= found <= 1:
        raise ValueError(f"{_NAME} is {text!r}; it must be a number from 0 to 1, the whole")
    return found


def share(count: int) -> int:
    """Return how many of a number of cases are to be run; one where none is, to be skipped."""
    return max(1, round(count * factor()))
