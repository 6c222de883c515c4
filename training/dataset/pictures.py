"""Picture files that lose nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from restore_rt.files import whole_file
from restore_rt.folders import make_folder

__all__ = ["LOSSLESS", "Lossless", "write_lossless"]

Lossless = Literal["png", "webp"]
LOSSLESS: Mapping[str, Mapping[str, Any]] = {"png": {}, "webp": {"lossless": True}}


def write_lossless(path: Path, rgb: NDArray[np.uint8], *, overwrite: bool = False) -> None:
    """Write (H, W, 3) 8-bit RGB to a PNG or lossless WebP file, whole or not at all.

    Raises `InputError` if it exists and may not be replaced, `OutputError` if it cannot be written.
    """
    make_folder(path.parent)
    name = path.suffix[1:]
    with whole_file(path, overwrite=overwrite) as temporary:
        Image.fromarray(rgb).save(temporary, format=name, **LOSSLESS[name])
