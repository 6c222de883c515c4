"""Smaller copies of pictures."""

from __future__ import annotations

import os
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

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
from restore_rt.training.degradations.resizing import FILTERS, Filter
from restore_rt.training.limits import one_of

__all__ = ["ReduceReport", "reduce_pictures", "reduced"]


@dataclass(frozen=True)
class ReduceReport:
    """What became of the pictures.

    `pictures` could be read and `written` were written, of which `kept` were no larger than asked
    for and kept their size; less than a pixel would be left of the pictures `small`.
    """

    pictures: int
    written: int
    kept: int
    small: tuple[Path, ...]


def reduced(
    rgb: NDArray[np.uint8], scale: Fraction, filter_name: Filter = "bicubic"
) -> NDArray[np.uint8]:
    """Reduce (H, W, 3) of 8 bits, on its values as they are (not in linear light).

    `scale` is result over picture, above 0 and at most 1: the result has (int(H * scale), int(W *
    scale), 3). A pixel of it stands for exactly ``1 / scale`` pixels of the picture; what would be
    less than a whole pixel at the end of an axis is cut off, so that the two stay aligned. All
    `FILTERS` but ``"nearest"`` widen with the reduction, and so do not alias.

    Raises `InputError` if the filter or the scale is not allowed, or less than a pixel would be
    left.
    """
    one_of(FILTERS)("filter", filter_name)
    if not 0 < scale <= 1:
        raise InputError(f"scale is {scale}; it is result over picture, above 0 and at most 1")
    height, width = rgb.shape[:2]
    rows, columns = int(height * scale), int(width * scale)
    if min(rows, columns) < 1:
        raise InputError(f"nothing is left of a picture of {width}x{height} at scale {scale}")
    box = (0.0, 0.0, min(float(columns / scale), width), min(float(rows / scale), height))
    image = Image.fromarray(rgb).resize((columns, rows), FILTERS[filter_name], box=box)
    return np.asarray(image)


def reduce_pictures(
    tree: Tree,
    target: Path,
    *,
    scale: Fraction | None = None,
    size: int | None = None,
    filter_name: Filter = "bicubic",
    format_name: Lossless = "png",
    overwrite: bool = False,
    threads: int = 2,
    advance: Advance | None = None,
    broken: Broken | None = None,
) -> ReduceReport:
    """Reduce pictures and write them to `target`, lossless; ``a/b.jpg`` becomes ``a/b.png``.

    Either `scale` is given, result over picture, above 0 and below 1; or `size`, the longer side of
    each result in pixels, where smaller pictures keep their size. For `threads`, `advance` and
    `broken` see `for_each`.

    Raises
    ------
    InputError
        A value is not allowed, an output exists and `overwrite` is not given, an output is an
        input, or two pictures differ in their suffix only.
    MediaError
        A picture cannot be read and `broken` is not given.
    OutputError
        A picture cannot be written.
    """
    one_of(LOSSLESS)("format", format_name)
    one_of(FILTERS)("filter", filter_name)
    if (scale is None) == (size is None):
        raise InputError("give either a scale or a size")
    if scale is not None and not 0 < scale < 1:
        raise InputError(
            f"scale is {scale}; it is result over picture, above 0 and below 1: 1/2 halves"
        )
    if size is not None and size < 1:
        raise InputError(f"size is {size}; it is the longer side in pixels, at least 1")
    stems = without_suffix(tree)
    targets = {file: target / f"{stem}.{format_name}" for stem, file in stems.items()}
    refuse_existing((p for p in targets.values() if os.path.lexists(p)), overwrite=overwrite)
    refuse_inputs(targets.values(), tree)

    def work(path: Path) -> str:
        rgb = read_rgb(path)
        longer, shorter = max(rgb.shape[:2]), min(rgb.shape[:2])
        wanted = scale if size is None else Fraction(size, longer)
        assert wanted is not None
        if wanted < 1 and shorter * wanted < 1:
            return "small"
        output = targets[path.relative_to(tree.root)]
        small = reduced(rgb, wanted, filter_name) if wanted < 1 else rgb
        write_lossless(output, small, overwrite=overwrite)
        return "reduced" if wanted < 1 else "kept"

    results = for_each(tree, work, threads=threads, advance=advance, broken=broken)
    kinds = [kind for _, kind in results]
    return ReduceReport(
        pictures=len(results),
        written=len(results) - kinds.count("small"),
        kept=kinds.count("kept"),
        small=tuple(file for file, kind in results if kind == "small"),
    )
