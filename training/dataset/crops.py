"""Squares cut from pictures: the middle, or a grid without blank squares."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from restore_rt.errors import InputError
from restore_rt.training.data.pictures import read_rgb
from restore_rt.training.dataset.folders import (
    Advance,
    Broken,
    Tree,
    for_each,
    refuse_existing,
    refuse_inputs,
    without_suffix,
)
from restore_rt.training.dataset.pictures import LOSSLESS, Lossless, write_lossless
from restore_rt.training.limits import one_of

__all__ = ["FLAT_BELOW", "CropReport", "crop_pictures", "detail", "squares"]

U8 = NDArray[np.uint8]

# Blank paper and clear sky lie below, soft material such as cloth and clouds above.
FLAT_BELOW = 0.5

_POSITION = re.compile(r"(?P<stem>.+)_y\d{5,}_x\d{5,}\.(png|webp)", re.DOTALL)


@dataclass(frozen=True)
class CropReport:
    """What became of the pictures.

    `pictures` could be read and gave the squares `written`; `flat` squares were left out because
    they show too little, and the pictures `small` because they are smaller than a square. `stale`
    squares of an earlier run, of the same pictures, were not replaced.
    """

    pictures: int
    written: int
    flat: int
    small: tuple[Path, ...]
    stale: int


def squares(height: int, width: int, size: int) -> list[tuple[int, int]]:
    """Return where the squares of a grid begin, in (y, x); they do not overlap.

    What is left over is shared out between the two ends of an axis, so that the grid of one
    square is the middle. A picture that is too small has none.
    """
    tops, lefts = (
        [(side - side // size * size) // 2 + size * index for index in range(side // size)]
        for side in (height, width)
    )
    return [(y, x) for y in tops for x in lefts]


def detail(rgb: U8) -> float:
    """Return how much (H, W, 3) of 8 bits, at least 2x2, shows: 0 to 255 levels.

    It is the mean of absolute differences between samples that are neighbours in a row, and in a
    column, over all channels. Blank paper has 0, clear sky 0.1 to 0.5, most of a photograph 2 to
    10.
    """
    values = rgb.astype(np.int16)
    across, down = (float(np.abs(np.diff(values, axis=axis)).mean()) for axis in (1, 0))
    return (across + down) / 2


def crop_pictures(
    tree: Tree,
    target: Path,
    *,
    size: int,
    per_image: int | None = 1,
    flat_below: float = FLAT_BELOW,
    format_name: Lossless = "png",
    overwrite: bool = False,
    threads: int = 2,
    advance: Advance | None = None,
    broken: Broken | None = None,
) -> CropReport:
    """Cut squares of `size` pixels from pictures and write them to `target`, lossless.

    A square of ``a/b.jpg`` is called ``a/b_y00064_x00128.png``, after its first row and column.
    With a `per_image` of 1 it is the middle of each picture; with more, that many squares of a
    grid, those of the most `detail`; with ``None`` the whole grid. Squares of less `detail` than
    `flat_below` are left out; 0 keeps all. For `threads`, `advance` and `broken` see `for_each`.

    Raises
    ------
    InputError
        A value is not allowed, squares of these pictures exist and `overwrite` is not given, or two
        pictures differ in their suffix only.
    MediaError
        A picture cannot be read and `broken` is not given.
    OutputError
        A square cannot be written.
    """
    one_of(LOSSLESS)("format", format_name)
    if size < 2:
        raise InputError(f"size is {size}; a square has a side of at least 2 pixels")
    if per_image is not None and per_image < 1:
        raise InputError(f"per_image is {per_image}; at least 1 square is cut from a picture")
    if not 0 <= flat_below <= 255:
        raise InputError(f"flat_below is {flat_below}; it is a mean of levels, 0 to 255")
    stems = without_suffix(tree)
    old = {target / name for name in _existing(target, stems)}
    refuse_existing(sorted(old), overwrite=overwrite)
    refuse_inputs(old, tree)

    def work(path: Path) -> tuple[list[Path], int, bool]:
        rgb = read_rgb(path)
        base = target / path.relative_to(tree.root).with_suffix("")
        height, width = rgb.shape[:2]
        if min(height, width) < size:
            return [], 0, True
        if per_image == 1:
            places = [((height - size) // 2, (width - size) // 2)]
        else:
            places = squares(height, width, size)
        rated = [(detail(rgb[y : y + size, x : x + size]), y, x) for y, x in places]
        kept = [square for square in rated if square[0] >= flat_below]
        flat = len(rated) - len(kept)
        if per_image is not None:
            kept = sorted(kept, key=lambda square: -square[0])[:per_image]
        written = []
        for _, y, x in kept:
            file = base.with_name(f"{base.name}_y{y:05d}_x{x:05d}.{format_name}")
            square = np.ascontiguousarray(rgb[y : y + size, x : x + size])
            write_lossless(file, square, overwrite=overwrite)
            written.append(file)
        return written, flat, False

    results = for_each(tree, work, threads=threads, advance=advance, broken=broken)
    new = {file for _, (files, _, _) in results for file in files}
    return CropReport(
        pictures=len(results),
        written=len(new),
        flat=sum(flat for _, (_, flat, _) in results),
        small=tuple(file for file, (_, _, small) in results if small),
        stale=len(old - new),
    )


def _existing(target: Path, stems: dict[Path, Path]) -> Iterator[Path]:
    """Yield the squares that were cut from these pictures before, relative to the target."""
    for parent in sorted({stem.parent for stem in stems}):
        folder = target / parent
        for name in sorted(p.name for p in folder.iterdir()) if folder.is_dir() else ():
            match = _POSITION.fullmatch(name)
            if match and parent / match["stem"] in stems:
                yield parent / name
