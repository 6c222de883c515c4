"""What Pillow reads, as samples and metadata."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import io
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from restore_rt.errors import MediaError
from restore_rt.images.picture import Picture
from restore_rt.images.profiles import sRGB
from restore_rt.images.xmp import true_afterwards

if TYPE_CHECKING:
    from PIL.Image import Exif, Image
    from PIL.ImageFile import ImageFile

__all__ = [
    "UNLIMITED",
    "check_frames",
    "check_size",
    "described",
    "exif_of",
    "from_cmyk",
    "opened",
    "rebuilt",
    "samples_of",
]

# TIFF tags that say something of the picture, not of how it is stored.
_DESCRIPTIVE = {269, 270, 271, 272, 285, 305, 306, 315, 316, 33432}
_SUB_DIRECTORIES = (0x8769, 0x8825)


class _Unlimited:
    """Lifts Pillow's own limit on pixels while any thread decodes: ``max_pixels`` goes instead."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._limit: int | None = None

    def __enter__(self) -> None:
        from PIL import Image

        with self._lock:
            if self._users == 0:
                self._limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
            self._users += 1

    def __exit__(self, *exception: object) -> None:
        from PIL import Image

        with self._lock:
            self._users -= 1
            if self._users == 0:
                Image.MAX_IMAGE_PIXELS = self._limit


UNLIMITED = _Unlimited()


def opened(
    data: bytes,
    path: Path,
    formats: tuple[str, ...],
    *,
    others: str = "",
    reason: str = "its beginning, which says how, is damaged; get it again",
) -> ImageFile:
    """Return the image of a file; its pixels are not decoded yet.

    Parameters
    ----------
    data
        The file.
    path
        For messages.
    formats
        Those that it may have, in Pillow's words.
    others
        All formats that can be read, if the file may have another one.
    reason
        Why it cannot be decoded, if it is known to have one of the formats.

    Raises
    ------
    MediaError
        It has none of the formats, or is damaged.
    """
    from PIL import Image, UnidentifiedImageError

    if "TIFF" in formats:
        _silence_libtiff()
    try:
        return Image.open(io.BytesIO(data), formats=formats)
    except UnidentifiedImageError as error:
        if others:
            raise MediaError(
                f"{path} is not a picture that can be read; allowed are {others}"
            ) from error
        raise MediaError(f"{path} cannot be decoded: {reason}") from error


@functools.cache
def _silence_libtiff() -> None:
    """Keep Pillow's libtiff from writing to standard error, once for each error in a file.

    Pillow raises an error of its own then, and offers no way to do this. Where the symbol is not
    found, libtiff goes on writing.
    """
    from PIL import _imaging

    with contextlib.suppress(OSError, AttributeError):
        # In a shared library its symbols are those of what it is linked with, too.
        set_handler = ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler
        set_handler.argtypes, set_handler.restype = [ctypes.c_void_p], ctypes.c_void_p
        set_handler(None)


def check_size(width: int, height: int, path: Path, max_pixels: int) -> None:
    """Raise ``MediaError`` if a picture has more pixels than allowed."""
    if width * height > max_pixels:
        raise MediaError(
            f"{path} is refused: its {width}x{height} pixels are more than {max_pixels}; if that "
            f"is what it should be, allow it with --max-pixels {width * height}"
        )


def check_frames(image: ImageFile, path: Path) -> None:
    """Raise ``MediaError`` if a file is an animation."""
    count = getattr(image, "n_frames", 1)
    if count == 1:
        return
    if image.format in ("GIF", "PNG", "WEBP"):
        raise MediaError(
            f"{path} is an animation of {count} frames; restore it with `restore-rt video {path}`"
        )
    raise MediaError(
        f"{path} is an animation of {count} frames, and `restore-rt image` restores still "
        "pictures; convert it to an animated PNG or a GIF, which `restore-rt video` reads"
    )


def samples_of(image: Image, path: Path) -> tuple[NDArray[Any], tuple[str, ...], bytes]:
    """Return samples of 8 bits, notes, and the ICC profile that now holds.

    Raises
    ------
    MediaError
        It has another kind of samples.
    """
    icc: bytes = image.info.get("icc_profile") or b""
    notes: tuple[str, ...] = ()
    transparent = "transparency" in image.info
    if image.mode in ("L", "LA", "RGB", "RGBA") and not transparent:
        kept = image
    elif image.mode in ("1", "L"):
        kept = image.convert("LA" if transparent else "L")
    elif image.mode == "La":
        kept = image.convert("LA")
    elif image.mode in ("P", "RGB"):
        has_alpha = transparent or (image.palette is not None and image.palette.mode == "RGBA")
        kept = image.convert("RGBA" if has_alpha else "RGB")
    elif image.mode in ("PA", "RGBa"):
        kept = image.convert("RGBA")
    elif image.mode in ("RGBX", "YCbCr"):
        kept = image.convert("RGB")
    elif image.mode == "CMYK":
        kept, icc, note = from_cmyk(image, icc)
        notes = (note,)
    else:
        raise MediaError(
            f"{path} has samples of Pillow's mode {image.mode!r}; allowed are grey, RGB, palette "
            "and CMYK of 8 bits, and grey and RGB of 16: convert it first"
        )
    return np.asarray(kept), notes, icc


def from_cmyk(image: Image, icc: bytes) -> tuple[Image, bytes, str]:
    """Return a CMYK image as RGB, the ICC profile that now holds, and a note."""
    from PIL import ImageCms

    if icc:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(icc))
            target = ImageCms.ImageCmsProfile(io.BytesIO(sRGB()))
            converted = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
        except (ImageCms.PyCMSError, OSError):
            pass
        else:
            assert converted is not None
            return converted, sRGB(), "CMYK was converted to sRGB by its ICC profile"
    return image.convert("RGB"), b"", "CMYK without a usable ICC profile was converted to RGB"


def described(exif: Exif, info: Mapping[Any, Any]) -> Picture:
    """Return the metadata, without pixels."""
    block, xmp, dpi = info.get("exif"), info.get("xmp"), info.get("dpi")
    if not isinstance(block, bytes):
        block = rebuilt(exif)
    if isinstance(xmp, str):
        xmp = xmp.encode()
    if dpi is not None:
        dpi = (float(dpi[0]), float(dpi[1]))
        if not all(0 < side < 1e6 for side in dpi):
            dpi = None
    return Picture(
        np.empty(0),
        icc=info.get("icc_profile") or b"",
        exif=block.removeprefix(b"Exif\0\0"),
        xmp=true_afterwards(xmp or b""),
        dpi=dpi,
    )


def exif_of(image: Image) -> Exif:
    """Return an image's EXIF data, empty where it is damaged: that costs no pixels."""
    from PIL import Image as pillow  # noqa: N813

    try:
        return image.getexif()
    except Exception:  # decoders raise whatever a damaged block makes them trip over
        return pillow.Exif()


def rebuilt(exif: Exif) -> bytes:
    """Return a block with the tags that describe the picture."""
    from PIL import Image

    kept = Image.Exif()
    for tag in sorted(_DESCRIPTIVE):
        if tag in exif:
            kept[tag] = exif[tag]
    for tag in _SUB_DIRECTORIES:
        directory = exif.get_ifd(tag)
        if directory:
            kept[tag] = directory
    return kept.tobytes() if len(kept) else b""
