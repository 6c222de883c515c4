"""Words for what is told to a user."""

__all__ = ["count_of"]


def count_of(number: int, thing: str) -> str:
    """Return a number of things in words; ``thing`` is the singular."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
