"""Words for what is told to a user."""

__all__ = ["count_of", "one_line"]

_LONGEST = 500


def count_of(number: int, thing: str) -> str:
    """Return a number of things in words; ``thing`` is the singular."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def one_line(error: Exception) -> str:
    """Return a library's error text as one short, printable line."""
    text = " ".join(str(error).split()) or type(error).__name__
    text = "".join(letter if letter.isprintable() else "?" for letter in text)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
