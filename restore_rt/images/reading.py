"""From an image file to a picture."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from restore_rt.errors import MediaError
from restore_rt.images import deep
from restore_rt.images.metadata import ORIENTATION, upright_xmp
from restore_rt.images.picture import PNG_XMP, Picture

if TYPE_CHECKING:
    from PIL.Image import Exif, Image
    from PIL.ImageFile import ImageFile

__all__ = ["MAX_PIXELS", "READABLE", "read_picture"]

READABLE = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif")
MAX_PIXELS = 178_956_970

_FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF")

# TIFF tags that say something of the picture, not of how it is stored.
_DESCRIPTIVE = {269, 270, 271, 272, 285, 305, 306, 315, 316, 33432}
_SUB_DIRECTORIES = (0x8769, 0x8825)
_NEW_SUBFILE_TYPE = 254
_IMAGE_WIDTH, _IMAGE_LENGTH = 256, 257
_RESOLUTION, _RESOLUTION_UNIT = (282, 283), 296
_PIXELS_PER_INCH = {2: 1.0, 3: 2.54}
_XMP_TAG, _ICC_TAG = 700, 34675


def read_picture(path: Path, *, max_pixels: int = MAX_PIXELS) -> Picture:
    """Read a PNG, JPEG, WebP, TIFF, BMP or GIF file.

    Parameters
    ----------
    path
        The file; its contents, not its suffix, say what it is.
    max_pixels
        Larger pictures are refused: a small file can decode to more than fits in memory.

    Returns
    -------
    Picture
        Turned the right way up. Palettes become RGB, CMYK becomes sRGB, 1-bit becomes grey; all
        other samples are those of the file.

    Raises
    ------
    MediaError
        The file is missing, is not a picture, is damaged or ends early, is an animation, or holds
        samples that are neither 8 nor 16 bits.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        reason = "there is no such file" if isinstance(error, FileNotFoundError) else error.strerror
        raise MediaError(f"cannot read {path}: {reason}") from error
    try:
        return _decode(data, path, max_pixels)
    except (MediaError, MemoryError):
        raise
    except Exception as error:  # decoders raise whatever a damaged file makes them trip over
        raise MediaError(
            f"{path} cannot be decoded, it is damaged or ends early ({error}); get it again"
        ) from error


def _decode(data: bytes, path: Path, max_pixels: int) -> Picture:
    pages = deep.tiff_directories(data)
    if pages and deep.has_deep_tiff_samples(pages[0]):
        _check_size(pages[0][_IMAGE_WIDTH], pages[0][_IMAGE_LENGTH], path, max_pixels)
        notes = _check_pages(pages, path)
        orientation = pages[0].get(ORIENTATION, 1)
        pixels, more = deep.decode_tiff(data, pages[0], path)
        picture = _described(_tiff_exif(data, pages[0]), dict(_tiff_info(pages[0])))
    else:
        with _UNLIMITED, _opened(data, path) as image:
            _check_size(image.width, image.height, path, max_pixels)
            notes = _check_pages(pages, path) if pages else _check_frames(image, path)
            image.load()  # before its EXIF is read, which would load it and hide an error
            exif = _exif(image)
            orientation = exif.get(ORIENTATION, 1)
            picture = replace(_described(exif, image.info), text=_text(image))
            if deep.has_deep_png_samples(data):
                pixels, more = deep.decode_png(data), ()
            else:
                pixels, more, icc = _plain(image, path)
                picture = replace(picture, icc=icc)
            if pages:
                orientation = 1  # Pillow has turned it
                if 0 in pages[0].get(deep.EXTRA_SAMPLES, ()):
                    more += ("a channel that is neither colour nor alpha was left out",)
    if pixels.ndim not in (2, 3) or 0 in pixels.shape:
        raise MediaError(f"{path} holds no pixels")
    return replace(
        picture,
        pixels=np.ascontiguousarray(_turned(pixels, orientation)),
        notes=(*notes, *more),
    )


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


_UNLIMITED = _Unlimited()


def _opened(data: bytes, path: Path) -> ImageFile:
    from PIL import Image, UnidentifiedImageError

    try:
        return Image.open(io.BytesIO(data), formats=_FORMATS)
    except UnidentifiedImageError as error:
        raise MediaError(
            f"{path} is not a picture that can be read; allowed are PNG, JPEG, WebP, TIFF, BMP, GIF"
        ) from error


def _check_size(width: int, height: int, path: Path, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise MediaError(
            f"{path} is refused: its {width}x{height} pixels are more than {max_pixels}; if that "
            f"is what it should be, allow it with --max-pixels {width * height}"
        )


def _check_pages(pages: list[deep.Tags], path: Path) -> tuple[str, ...]:
    full = [page for page in pages if not page.get(_NEW_SUBFILE_TYPE, 0) & 1]
    if len(full) > 1:
        raise MediaError(f"{path} has {len(full)} pages; give one page a file (tiffsplit does it)")
    return ("smaller versions in the file are left out",) if len(pages) > 1 else ()


def _check_frames(image: ImageFile, path: Path) -> tuple[str, ...]:
    count = getattr(image, "n_frames", 1)
    if count == 1:
        return ()
    if image.format == "MPO":
        return (f"the first of {count} pictures in the file is used, as viewers do",)
    raise MediaError(
        f"{path} is an animation of {count} frames; restore it with `restore-rt video {path}`"
    )


def _plain(image: Image, path: Path) -> tuple[NDArray[Any], tuple[str, ...], bytes]:
    """Return samples of 8 bits, notes, and the ICC profile that now holds."""
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
        kept = image.convert("RGBA" if transparent else "RGB")
    elif image.mode in ("PA", "RGBa"):
        kept = image.convert("RGBA")
    elif image.mode in ("RGBX", "YCbCr"):
        kept = image.convert("RGB")
    elif image.mode == "CMYK":
        kept, icc, note = _from_cmyk(image, icc)
        notes = (note,)
    else:
        raise MediaError(
            f"{path} has samples of Pillow's mode {image.mode!r}; allowed are grey, RGB, palette "
            "and CMYK of 8 bits, and grey and RGB of 16: convert it first"
        )
    return np.asarray(kept), notes, icc


def _from_cmyk(image: Image, icc: bytes) -> tuple[Image, bytes, str]:
    from PIL import ImageCms

    if icc:
        srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(icc))
            converted = ImageCms.profileToProfile(image, source, srgb, outputMode="RGB")
        except (ImageCms.PyCMSError, OSError):
            pass
        else:
            assert converted is not None
            return converted, srgb.tobytes(), "CMYK was converted to sRGB by its ICC profile"
    return image.convert("RGB"), b"", "CMYK without a usable ICC profile was converted to RGB"


def _turned(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Return the picture as EXIF's orientation says that it should be seen."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels


def _described(exif: Exif, info: Mapping[Any, Any]) -> Picture:
    """Return the metadata, without pixels."""
    block, xmp, dpi = info.get("exif"), info.get("xmp"), info.get("dpi")
    if not isinstance(block, bytes):
        block = _rebuilt(exif)
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
        xmp=upright_xmp(xmp or b""),
        dpi=dpi,
    )


def _text(image: ImageFile) -> Mapping[str, str]:
    """Return a PNG's text, without XMP and the blocks of metadata that old programs put there."""
    text: Mapping[str, str] = getattr(image, "text", {})
    blocks = (PNG_XMP, "Raw profile type ")
    return {key: value for key, value in text.items() if not key.startswith(blocks)}


def _exif(image: ImageFile) -> Exif:
    from PIL import Image

    try:
        return image.getexif()
    except Exception:  # damaged metadata is no reason to refuse the pixels; writing says so
        return Image.Exif()


def _rebuilt(exif: Exif) -> bytes:
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


def _tiff_exif(data: bytes, tags: deep.Tags) -> Exif:
    from PIL import Image

    exif = Image.Exif()
    if deep.is_big_tiff(data):
        # Pillow reads directories below the first one from small files only.
        for tag in tags.keys() & _DESCRIPTIVE:
            exif[tag] = tags[tag]
    else:
        exif.load(data)
    return exif


def _tiff_info(tags: deep.Tags) -> Iterator[tuple[str, Any]]:
    """Yield what Pillow would have put into ``Image.info``."""
    if _ICC_TAG in tags:
        yield "icc_profile", tags[_ICC_TAG]
    if _XMP_TAG in tags:
        yield "xmp", tags[_XMP_TAG]
    unit = _PIXELS_PER_INCH.get(tags.get(_RESOLUTION_UNIT, 2))
    if unit and all(tag in tags for tag in _RESOLUTION):
        yield "dpi", tuple(float(tags[tag]) * unit for tag in _RESOLUTION)
