"""Masks in image files: what of a picture is to be replaced."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from restore_rt.errors import InputError
from restore_rt.images.metadata import ORIENTATION
from restore_rt.images.picture import FORMATS, Picture, format_of
from restore_rt.images.reading import MAX_PIXELS, read_picture
from restore_rt.images.writing import write_picture
from restore_rt.inpaint import as_mask

__all__ = ["LOSSLESS", "check_mask_target", "is_turned", "read_mask", "write_mask"]

# Formats that keep a mask as it is.
LOSSLESS = ("png", "tiff")


def read_mask(path: Path, *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """Read a mask: white marks what is to be replaced.

    Parameters
    ----------
    path
        A picture in grey, or in colours that are all grey. Samples of 16 bits count by their
        higher byte.
    max_pixels
        As for ``read_picture``.

    Returns
    -------
    ndarray
        (H, W), 255 where the grey value is above 127, else 0; the right way up.

    Raises
    ------
    InputError
        The picture is coloured or has transparent parts.
    MediaError
        It cannot be read.
    """
    picture = read_picture(path, max_pixels=max_pixels)
    pixels = picture.pixels
    if picture.alpha:
        if (pixels[..., -1] != np.iinfo(pixels.dtype).max).any():
            raise InputError(
                f"the mask {path} has transparent parts, and which of them are to be replaced "
                "cannot be told; save it in grey without transparency, white for what is replaced"
            )
        pixels = pixels[..., :-1]
    if pixels.ndim == 3:
        if (pixels != pixels[..., :1]).any():
            raise InputError(
                f"the mask {path} is coloured; save it in grey, white for what is replaced"
            )
        pixels = pixels[..., 0]
    return as_mask((pixels >> 8).astype(np.uint8) if pixels.dtype == np.uint16 else pixels)


def check_mask_target(path: Path) -> None:
    """Refuse the name of a file whose format would blur a mask.

    Raises
    ------
    InputError
        Its suffix is not one of PNG or TIFF.
    """
    if format_of(path).name not in LOSSLESS:
        raise InputError(
            f"the mask is to be saved as {path}, which would change it; allowed are "
            f"{' and '.join(LOSSLESS)}"
        )


def write_mask(path: Path, mask: NDArray[Any], *, overwrite: bool = False) -> None:
    """Write a mask as a grey picture, PNG or TIFF.

    Raises
    ------
    InputError, OutputError
        See ``write_picture``.
    """
    target = format_of(path) if path.suffix else FORMATS["png"]
    write_picture(path, Picture(as_mask(mask)), target, overwrite=overwrite)


def is_turned(path: Path) -> bool:
    """Tell whether a camera marked a picture as turned (EXIF), so that it is turned when read.

    Files that Pillow cannot open count as not turned.
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            return image.getexif().get(ORIENTATION, 1) not in (0, 1)
    except Exception:  # a decoder raises whatever a damaged file makes it trip over
        return False
