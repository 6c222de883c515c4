"""Whether lettering can still be read: character error rates with Tesseract.

Two rates are measured, both against what Tesseract reads on the undamaged original.

By lines: the original's lines of text are found once, and the same boxes are read from each
picture. This is the rate to go by: where lines are found does not change from one picture to the
next, and figures stay near each other when a picture is merely enlarged before it is read.

By page: Tesseract reads the whole page. On a comic its layout analysis finds another set of
bubbles each time, and a bubble that is missed costs more than every letter that is misread: the
rate tells less of the letters than of the layout, and enlarging the page alone can reverse which of
two pictures is better. It is here because figures elsewhere are measured so: for three lettered
comic pages reduced by 2 and saved as JPEG at quality 70, 50 and 60, Pillow's bicubic has a rate by
page of 0.38.
"""

from __future__ import annotations

import csv
import io
import os
import shutil
import subprocess
import tempfile
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from restore_rt.errors import BackendError, InputError
from restore_rt.training.needed import needed

__all__ = ["Misread", "ReferenceText", "Tesseract", "normalised"]

U8 = NDArray[np.uint8]
Box = tuple[int, int, int, int]

# Tesseract's page segmentation modes.
_PAGE, _SPARSE, _LINE = 3, 12, 7
# A word counts as found from this confidence, of 100, and a line is lettering where it reads alike
# alone and on the page: textures of artwork are read as letters too, but not twice the same.
_CONFIDENT = 60.0
_ALIKE = 0.75
_LEAST_IN_LINE = 3
# In heights of a line, on each side.
_MARGIN = 0.3
# What Tesseract calls a word, among its kinds of rows.
_WORD = "5"


@dataclass(frozen=True)
class ReferenceText:
    """Reference text: lines with their boxes (left, top, right, bottom), and the page.

    Texts are `normalised`.
    """

    boxes: tuple[Box, ...]
    lines: tuple[str, ...]
    page: str

    @property
    def characters(self) -> int:
        """Length of all lines together."""
        return sum(map(len, self.lines))


@dataclass(frozen=True)
class Misread:
    """Characters to insert, delete or replace until lines, and the page, read as they should."""

    lines: int
    page: int


class Tesseract:
    """Reads English lettering with the ``tesseract`` program.

    A page on which fewer characters than `least` can be read counts as not lettered: so few say
    nothing. Raises `InputError` if ``tesseract``, its English data or RapidFuzz is missing.
    """

    def __init__(self, least: int = 16) -> None:
        needed("rapidfuzz", "RapidFuzz", "measuring character error rates")
        program = shutil.which("tesseract")
        if program is None:
            raise InputError(
                "character error rates need the program tesseract, which is not installed; on "
                "Debian and Ubuntu: apt install tesseract-ocr"
            )
        self._program = program
        self._least = least
        if "eng" not in self._run("--list-langs").split():
            raise InputError(
                "tesseract lacks its English data; on Debian and Ubuntu: apt install "
                "tesseract-ocr-eng"
            )
        self.version = self._run("--version").splitlines()[0]

    def reference(self, original: U8) -> ReferenceText | None:
        """Read an undamaged picture (H, W, 3) or (H, W); None where there is too little to read."""
        found = [*self._find_lines(original)]
        alone = self._read_lines(original, [box for box, _ in found])
        kept = [
            (box, text)
            for (box, on_page), text in zip(found, alone, strict=True)
            if len(text) >= _LEAST_IN_LINE and _likeness(on_page, text) >= _ALIKE
        ]
        boxes, lines = tuple(box for box, _ in kept), tuple(text for _, text in kept)
        if sum(map(len, lines)) < self._least:
            return None
        return ReferenceText(boxes, lines, self._read_page(original))

    def misread(self, picture: U8, reference: ReferenceText) -> Misread:
        """Count what is misread on a picture of the original's size.

        A line counts at most as lost altogether.
        """
        lines = sum(
            min(_distance(text, right), len(right))
            for text, right in zip(
                self._read_lines(picture, reference.boxes), reference.lines, strict=True
            )
        )
        return Misread(lines, _distance(self._read_page(picture), reference.page))

    def _read_page(self, picture: U8) -> str:
        return normalised(self._run("stdin", "stdout", "--psm", str(_PAGE), picture=picture))

    def _find_lines(self, picture: U8) -> Iterator[tuple[Box, str]]:
        table = self._run("stdin", "stdout", "--psm", str(_SPARSE), "tsv", picture=picture)
        lines: dict[tuple[str, ...], list[tuple[Box, str]]] = {}
        for row in csv.DictReader(io.StringIO(table), delimiter="\t", quoting=csv.QUOTE_NONE):
            word = row["text"]
            if row["level"] != _WORD or float(row["conf"]) < _CONFIDENT:
                continue
            if any(character.isalnum() for character in word):
                left, top, width, height = (
                    int(row[key]) for key in ("left", "top", "width", "height")
                )
                line = (row["block_num"], row["par_num"], row["line_num"])
                box = (left, top, left + width, top + height)
                lines.setdefault(line, []).append((box, word))
        for words in lines.values():
            lefts, tops, rights, bottoms = zip(*(box for box, _ in words), strict=True)
            box = (min(lefts), min(tops), max(rights), max(bottoms))
            yield box, normalised(" ".join(word for _, word in words))

    def _read_lines(self, picture: U8, boxes: Sequence[Box]) -> list[str]:
        if not boxes:
            return []
        image = Image.fromarray(picture)
        with tempfile.TemporaryDirectory(prefix="restore-rt-") as name:
            folder = Path(name)
            files = []
            for number, (left, top, right, bottom) in enumerate(boxes):
                margin = round(_MARGIN * (bottom - top))
                box = (
                    max(0, left - margin),
                    max(0, top - margin),
                    min(image.width, right + margin),
                    min(image.height, bottom + margin),
                )
                files.append(folder / f"{number}.png")
                image.crop(box).save(files[-1])
            # One process for all lines: starting it takes longer than reading a line.
            listed = folder / "lines.txt"
            listed.write_text("".join(f"{file}\n" for file in files), encoding="utf-8")
            texts = self._run(str(listed), "stdout", "--psm", str(_LINE)).split("\f")
        if len(texts) != len(boxes):
            raise BackendError(f"tesseract read {len(texts)} of {len(boxes)} lines; update it")
        return [normalised(text) for text in texts]

    def _run(self, *arguments: str, picture: U8 | None = None) -> str:
        given = b""
        if picture is not None:
            buffer = io.BytesIO()
            Image.fromarray(picture).save(buffer, "PNG", compress_level=1)
            given = buffer.getvalue()
        # Its own threads gain little, and slow down what runs beside it.
        environment = {**os.environ, "OMP_THREAD_LIMIT": "1"}
        done = subprocess.run(
            [self._program, *arguments],
            input=given,
            capture_output=True,
            env=environment,
            check=False,
        )
        if done.returncode:
            said = " ".join(done.stderr.decode(errors="replace").split())
            raise BackendError(f"tesseract failed ({said}); see whether it runs by itself")
        return done.stdout.decode(errors="replace")


def normalised(text: str) -> str:
    """Return text as it is compared: no matter of case, kind of quotes, or how it is broken."""
    plain = unicodedata.normalize("NFKC", text)
    return " ".join(plain.replace("\u2019", "'").replace("\u2018", "'").casefold().split())


def _distance(text: str, right: str) -> int:
    from rapidfuzz.distance import Levenshtein

    return int(Levenshtein.distance(text, right))


def _likeness(text: str, other: str) -> float:
    from rapidfuzz.distance import Levenshtein

    return float(Levenshtein.normalized_similarity(text, other))
