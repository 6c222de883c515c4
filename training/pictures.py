"""Picture files: which ones a folder holds, and their pixels."""

from __future__ import annotations

import re
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from restore_rt.errors import InputError, RestoreError
from restore_rt.images import read_picture

__all__ = [
    "SUFFIXES",
    "Library",
    "PictureFile",
    "crc_of_name",
    "find_pictures",
    "held_out",
    "read_bytes",
    "read_rgb",
    "survey",
]

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
    """Read an image file as (H, W, 3) 8-bit RGB, turned as its EXIF orientation says.

    16 bits are rounded to 8 and transparency is left out.

    Raises
    ------
    MediaError
        It cannot be read, is damaged, or is an animation.
    """
    pixels = read_picture(path).pixels
    if pixels.dtype == np.uint16:
        # 65535 is 257 times 255; half of that rounds.
        pixels = (pixels.astype(np.uint32) + 128) // 257
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    colours = pixels[..., :1] if pixels.shape[2] < 3 else pixels[..., :3]
    height, width = pixels.shape[:2]
    return np.ascontiguousarray(np.broadcast_to(colours, (height, width, 3)), dtype=np.uint8)


@dataclass(frozen=True)
class PictureFile:
    """A picture that was found whole: its folder and name, size in pixels, and contents' CRC."""

    folder: str
    path: Path
    height: int
    width: int
    crc: int

    @property
    def name(self) -> str:
        """Folder and file name, the same on every machine."""
        return f"{self.folder}/{self.path.name}"


def survey(
    root: Path,
    folders: Iterable[str],
    *,
    smallest: int,
    exclude: Sequence[str] = (),
    say: Callable[[str], None],
    threads: int = 2,
) -> list[PictureFile]:
    """Look through folders: which pictures can be decoded and are large enough.

    A file that cannot be read is named, left out and counted, and so is what is too small.

    Parameters
    ----------
    root
        Where the folders are.
    folders
        Their names.
    smallest
        Least height and width in pixels.
    exclude
        Patterns of names (``folder/E05*``) that are left out.
    say
        Takes a line for the user.
    threads
        How many files are decoded at a time.

    Raises
    ------
    InputError
        If a folder is missing or empty, or has no picture that can be used.
    """
    files = [
        (folder, path)
        for folder in folders
        for path in find_pictures(root / folder)
        if not any(fnmatchcase(f"{folder}/{path.name}", pattern) for pattern in exclude)
    ]

    def look(item: tuple[str, Path]) -> PictureFile | str:
        folder, path = item
        try:
            content = read_bytes(path)
            height, width = read_rgb(path).shape[:2]
        except RestoreError as error:
            return str(error)
        return PictureFile(folder, path, height, width, zlib.crc32(content))

    found: list[PictureFile] = []
    broken = small = 0
    with ThreadPoolExecutor(threads) as pool:
        for result in pool.map(look, files):
            if isinstance(result, str):
                broken += 1
                # Names of files need not be valid text, which `print` would refuse.
                say(f"skipped: {result.encode('utf-8', 'backslashreplace').decode()}")
            elif min(result.height, result.width) < smallest:
                small += 1
            else:
                found.append(result)
    if broken:
        say(f"{broken} of {len(files)} files could not be read and were skipped")
    if small:
        say(f"{small} of {len(files)} pictures are smaller than {smallest} pixels and were skipped")
    for folder in folders:
        if not any(file.folder == folder for file in found):
            raise InputError(
                f"folder {root / folder} has no picture that can be used; it needs ones of at "
                f"least {smallest}x{smallest} pixels"
            )
    return found


def held_out(name: str, one_in: int, groups: str = "") -> bool:
    """Tell whether a picture is kept for validation; the same on every machine.

    Where the pattern `groups` matches in the name, only what it matches counts, so that pages of
    one comic stay together.
    """
    match = re.search(groups, name) if groups else None
    return crc_of_name(match.group() if match else name) % one_in == 0


def crc_of_name(name: str) -> int:
    """Give a number for a file's name, which need not be valid text."""
    return zlib.crc32(name.encode("utf-8", "surrogateescape"))


class Library:
    """Pictures by file, kept decoded while they fit into `limit` bytes; for several threads."""

    def __init__(self, limit: int = 2 << 30) -> None:
        self.limit = limit
        self._kept: OrderedDict[Path, NDArray[np.uint8]] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def __call__(self, file: PictureFile) -> NDArray[np.uint8]:
        """Return a picture (H, W, 3), 8 bit RGB, which must not be changed."""
        with self._lock:
            picture = self._kept.get(file.path)
            if picture is not None:
                self._kept.move_to_end(file.path)
                return picture
        picture = read_rgb(file.path)
        with self._lock:
            if file.path not in self._kept:
                self._kept[file.path] = picture
                self._bytes += picture.nbytes
            while self._bytes > self.limit and len(self._kept) > 1:
                self._bytes -= self._kept.popitem(last=False)[1].nbytes
        return picture
