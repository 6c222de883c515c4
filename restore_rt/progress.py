"""How long work tells what it is and how far it has come."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

__all__ = ["Progress", "silent"]

Progress = Callable[[str], AbstractContextManager[Callable[[int], None]]]
"""Gets what is done, and gives a context of what is told how many steps were done."""


def silent(label: str) -> AbstractContextManager[Callable[[int], None]]:
    """Show no progress."""
    return nullcontext(lambda count: None)
