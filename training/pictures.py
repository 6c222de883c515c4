"""Picture files: which ones a folder holds, and their pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from restore_rt.errors import InputError

__all__ = ["SUFFIXES", "find_pictures", "read_bytes", "read_rgb"]

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")


def find_pictures(folder: Path) -> list[Path]:
    """Return the picture files right in a folder, ordered by name.

    Raises
    ------
    InputError
        If the folder is missing, cannot be listed, or holds none.
    """
    try:
        files = sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES)
    except OSError as error:
        raise InputError(
            f"cannot list the folder {folder}: {error.strerror}; name a folder of pictures"
        ) from None
    if not files:
        raise InputError(f"no pictures in {folder}; it should hold {', '.join(SUFFIXES)} files")
    return files


def read_bytes(path: Path) -> bytes:
    """Read a file.

    Raises
    ------
    InputError
        If it cannot be read: a link to nothing, no permission, a folder.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}; remove or mend it") from None


def read_rgb(path: Path) -> NDArray[np.uint8]:
    """Read an image file as (H, W, 3) 8-bit RGB.

    Raises
    ------
    InputError
        If Pillow cannot read it.
    """
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except Exception as error:
        # Pillow's decoders raise whatever a damaged file makes them trip over.
        raise InputError(f"{path} cannot be read as an image: {error}; remove or mend it") from None
