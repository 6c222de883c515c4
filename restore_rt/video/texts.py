"""Titles and other texts of a file, in whatever encoding they are."""

from __future__ import annotations

from typing import Any

import av

__all__ = ["AS_BYTES", "decoded", "repair_texts", "repaired_chapters"]

# To open a file with: so no text of it can be wrong, since each character is a byte.
AS_BYTES = "latin-1"


def decoded(data: bytes) -> tuple[str, bool]:
    """Return a text of an unknown encoding, and whether it had to be guessed.

    What is not UTF-8 is Windows' Cyrillic if its letters beyond ASCII come in rows, as they do in
    words of another script, else Windows' Latin, where they stand among others.
    """
    try:
        return data.decode(), False
    except UnicodeDecodeError:
        pass
    high = sum(byte >= 0xC0 for byte in data)
    plain = sum(chr(byte).isalpha() for byte in data if byte < 0x80)
    return data.decode("cp1251" if high > plain else "cp1252", "replace"), True


def repair_texts(container: av.container.InputContainer) -> bool:
    """Decode the texts of a file that was opened with ``metadata_encoding=AS_BYTES``.

    Returns
    -------
    bool
        Whether any had to be guessed.
    """
    tables: list[dict[str, str]] = [container.metadata]
    tables += [stream.metadata for stream in container.streams]
    guessed = [_repair(table) for table in tables]
    return any(guessed)


def repaired_chapters(container: av.container.InputContainer) -> list[Any]:
    """Return the chapters of a file that was opened as for ``repair_texts``, likewise decoded."""
    chapters: list[Any] = container.chapters()
    for chapter in chapters:
        _repair(chapter["metadata"])
    return chapters


def _repair(table: dict[str, str]) -> bool:
    repaired: dict[Any, Any] = {}
    some_guessed = False
    for pair in table.items():
        (key, _), (text, guessed) = (decoded(each.encode(AS_BYTES)) for each in pair)
        repaired[key] = text
        some_guessed = some_guessed or guessed
    table.clear()
    table.update(repaired)
    return some_guessed
