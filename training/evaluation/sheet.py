"""Contact sheets: crops of clips as input, candidates and original, moment by moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from restore_rt.errors import InputError
from restore_rt.training.evaluation.candidates import ORIGINAL
from restore_rt.training.evaluation.crops import Crops, cut_clip

__all__ = ["FORMATS", "MOMENTS", "ZOOM", "Sheet", "Strip"]

U8 = NDArray[np.uint8]

# By a file's suffix; the second is animated.
FORMATS = {".png": "PNG", ".webp": "WEBP"}
# Rows of a clip on a sheet that is not animated.
MOMENTS = 4
ZOOM = 3
# Pixels of the sheet.
_GAP, _LINE, _FONT = 6, 22, 15
_NARROWEST = 120
# Milliseconds that a frame of an animation is shown: slower than it is, for the eye to follow.
_SHOWN = 125
_MOST_WEBP = 16383


@dataclass(frozen=True)
class Strip:
    """Crops of one place of a clip, one for each of `moments`: numbers of frames, from 0."""

    name: str
    moments: list[int]
    crops: list[Crops]
    scale: int


class Sheet:
    """Collects strips by name; draws them with a row for each moment, or one by one, animated."""

    def __init__(self, *, animated: bool = False) -> None:
        self.animated = animated
        self.strips: dict[str, Strip] = {}

    def moments(self, frames: int) -> list[int]:
        """Return the numbers of the frames that are shown of so many.

        These are all if the sheet is animated, otherwise up to `MOMENTS`, in the middle of parts of
        equal length.
        """
        rows = frames if self.animated else min(frames, MOMENTS)
        return [(2 * row + 1) * frames // (2 * rows) for row in range(rows)]

    def add(
        self,
        name: str,
        inputs: Sequence[U8],
        restored: Mapping[str, Sequence[U8]],
        originals: Sequence[U8],
        *,
        scale: int,
        moments: Sequence[int],
    ) -> None:
        """Cut a strip by `cut_clip`, which takes the frames of the `moments` alone, and keep it."""
        crops = cut_clip(inputs, restored, originals, scale=scale)
        self.strips[name] = Strip(name, [*moments], crops, scale)

    def save(self, file: Path | BinaryIO, names: Sequence[str]) -> None:
        """Write the strips of these names, in their order, as PNG or as animated, lossless WebP.

        Raises `InputError` if there is none, or WebP cannot be as large.
        """
        strips = [self.strips[name] for name in names if name in self.strips]
        if not strips:
            raise InputError("the sheet has nothing to show; give at least one picture or clip")
        if not self.animated:
            _stacked([_block(strip, range(len(strip.moments))) for strip in strips]).save(
                file, "PNG", optimize=True
            )
            return
        length = max(len(strip.moments) for strip in strips)
        # A shorter clip begins again.
        first, *others = [
            _stacked([_block(strip, [turn % len(strip.moments)]) for strip in strips])
            for turn in range(length)
        ]
        if max(first.size) > _MOST_WEBP:
            width, height = first.size
            raise InputError(
                f"the sheet is {width}x{height} pixels, and WebP takes {_MOST_WEBP} on a side at "
                "the most; show fewer clips or models, or write .png"
            )
        first.save(
            file,
            "WEBP",
            save_all=True,
            append_images=others,
            duration=_SHOWN,
            loop=0,
            lossless=True,
        )


def _block(strip: Strip, rows: Sequence[int]) -> Image.Image:
    """Draw some moments of a strip, with the clip's name and the columns' names above."""
    font = ImageFont.load_default(_FONT)
    first = strip.crops[0]
    height, width = first.original.shape[:2]
    cell, step = max(_NARROWEST, width * ZOOM), height * ZOOM + _GAP
    margin = 2 * _GAP + round(font.getlength("frame 000"))
    titles = ["input", *first.restored, ORIGINAL]
    size = (margin + len(titles) * (cell + _GAP), 2 * _LINE + len(rows) * step + _GAP)
    block = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(block)
    place = f"{width}x{height} pixels at x {first.left}, y {first.top}; {ZOOM} times as large"
    draw.text((_GAP, 3), _fitting(f"{strip.name}: {place}", size[0], font), "black", font)
    for column, title in enumerate(titles):
        x = margin + column * (cell + _GAP)
        draw.text((x, _LINE + 1), _fitting(title, cell, font), "black", font)
    for row, moment in enumerate(rows):
        crops, y = strip.crops[moment], 2 * _LINE + row * step
        if len(strip.moments) > 1:
            draw.text((_GAP, y), f"frame {strip.moments[moment]}", "black", font)
        pictures = [(crops.input, strip.scale), *((each, 1) for each in crops.restored.values())]
        for column, (picture, scale) in enumerate([*pictures, (crops.original, 1)]):
            shown = Image.fromarray(picture).convert("RGB")
            shown = shown.resize(
                (shown.width * scale * ZOOM, shown.height * scale * ZOOM), Image.Resampling.NEAREST
            )
            block.paste(shown, (margin + column * (cell + _GAP), y))
    return block


def _fitting(text: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """Return as much of the end of a text as fits; names of files need not be valid text."""
    text = text.encode("utf-8", "backslashreplace").decode()
    kept = text
    while len(kept) > 4 and font.getlength(kept) > width:
        kept = "..." + kept.removeprefix("...")[1:]
    return kept


def _stacked(blocks: Sequence[Image.Image]) -> Image.Image:
    width, height = max(block.width for block in blocks), sum(block.height for block in blocks)
    stacked, y = Image.new("RGB", (width, height), "white"), 0
    for block in blocks:
        stacked.paste(block, (0, y))
        y += block.height
    return stacked
