"""Picture files and clips: which ones a folder holds, and their pixels."""

from __future__ import annotations

import stat
import zlib
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from restore_rt.errors import InputError, RestoreError
from restore_rt.folders import files_below
from restore_rt.images import read_picture
from restore_rt.training.data.clips import CLIP_SUFFIXES, is_clip, read_clip

__all__ = [
    "SUFFIXES",
    "Library",
    "PictureFile",
    "Tree",
    "crc_of_name",
    "find_pictures",
    "find_tree",
    "read_bytes",
    "read_rgb",
    "survey",
]

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")


@dataclass(frozen=True)
class Tree:
    """Pictures in the folder `root` and below: their relative paths, ordered by name."""

    root: Path
    files: tuple[Path, ...]

    def __len__(self) -> int:
        return len(self.files)


def find_tree(
    root: Path,
    *,
    avoid: Path | None = None,
    suffixes: Collection[str] = SUFFIXES,
    what: str = "pictures",
) -> Tree:
    """Find the pictures in a folder and below; hidden files and folders are passed over.

    So are pipes and devices that are named like pictures, and the folder `avoid`: results of an
    earlier run are no input of this one. Linked folders are entered, each once. A link that leads
    nowhere is returned: to be told of when it cannot be read. Other files are found by their
    `suffixes`, in lower case; `what` says in words what they are.

    Raises `InputError` if the folder is missing, it or one below cannot be listed, there are no
    pictures, or it is the one to avoid.
    """
    if avoid is not None and avoid.resolve() == root.resolve():
        raise InputError(f"{root} is both input and output; give another output folder")
    try:
        found = [path for path in files_below(root, suffixes, avoid=avoid) if _may_be_read(path)]
    except OSError as error:
        raise InputError(
            f"cannot list the folder {error.filename}: {error.strerror}; name a folder of {what}, "
            "with permission to read it"
        ) from error
    if not found:
        allowed = ", ".join(sorted(suffixes))
        raise InputError(f"no {what} in {root}; it should hold {allowed} files")
    return Tree(root, tuple(sorted((p.relative_to(root) for p in found), key=Path.as_posix)))


def _may_be_read(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return True


def find_pictures(folder: Path) -> list[Path]:
    """Return the pictures that `find_tree` finds, as paths that can be opened."""
    tree = find_tree(folder)
    return [tree.root / file for file in tree.files]


def read_bytes(path: Path) -> bytes:
    """Read a file; `InputError` if that fails: a link to nothing, no permission, a folder."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}; remove or mend it") from None


def read_rgb(path: Path) -> NDArray[np.uint8]:
    """Read an image file as (H, W, 3) 8-bit RGB, turned as its EXIF orientation says.

    16 bits are rounded to 8 and transparency is left out. Raises `MediaError` if it cannot be read,
    is damaged, or is an animation.
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
    """A picture or clip that was found whole, with its size in pixels and its contents' CRC.

    `name` is the folder of the recipe and the path below it, the same on every machine.
    """

    folder: str
    name: str
    path: Path
    height: int
    width: int
    crc: int
    frames: int = 1


def survey(
    root: Path,
    folders: Iterable[str],
    *,
    smallest: int,
    exclude: Sequence[str] = (),
    say: Callable[[str], None],
    threads: int = 2,
) -> list[PictureFile]:
    """Look through folders in `root`: which pictures and clips can be decoded and are large enough.

    A clip is decoded whole, on one of `threads` threads. A file that cannot be read is named to
    `say`, left out and counted, and so is what has a side below `smallest` pixels. Files whose
    names fit a pattern of `exclude` (``folder/E05*``) are left out; a pattern that fits none is
    told of.

    Raises `InputError` if a folder is missing or empty, or has no picture that can be used, or two
    of them hold the same file.
    """
    folders = list(folders)
    readable = (*SUFFIXES, *CLIP_SUFFIXES)
    listed = [
        (folder, f"{folder}/{file.as_posix()}", root / folder / file)
        for folder in folders
        for file in find_tree(root / folder, suffixes=readable).files
    ]
    names = [name for _, name, _ in listed]
    for pattern in exclude:
        if not any(fnmatchcase(name, pattern) for name in names):
            say(f"nothing is excluded by {pattern!r}; it fits no name, such as {names[0]!r}")
    files = [
        item for item in listed if not any(fnmatchcase(item[1], pattern) for pattern in exclude)
    ]
    _refuse_overlap(files)

    def look(item: tuple[str, str, Path]) -> PictureFile | str:
        folder, name, path = item
        try:
            content = read_bytes(path)
            frames, height, width = _read(path).shape[:3]
        except RestoreError as error:
            return str(error)
        return PictureFile(folder, name, path, height, width, zlib.crc32(content), frames)

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


def _refuse_overlap(files: Iterable[tuple[str, str, Path]]) -> None:
    """Refuse a file that lies in two folders: one name may be trained on, the other held out."""
    owners: dict[Path, str] = {}
    for folder, name, path in files:
        owner = owners.setdefault(path.resolve(), folder)
        if owner != folder:
            raise InputError(
                f"the folders {owner!r} and {folder!r} both hold {name!r}; name folders that do "
                "not lie in each other"
            )


def crc_of_name(name: str) -> int:
    """Return the CRC of a file's name, which need not be valid text."""
    return zlib.crc32(name.encode("utf-8", "surrogateescape"))


def _read(path: Path) -> NDArray[np.uint8]:
    """Read a picture or a clip as (N, H, W, 3); a picture is one frame."""
    return read_clip(path) if is_clip(path) else read_rgb(path)[None]


class Library:
    """Pictures and clips, kept decoded while they fit into `limit` bytes; for several threads."""

    def __init__(self, limit: int = 2 << 30) -> None:
        self.limit = limit
        self._kept: OrderedDict[Path, NDArray[np.uint8]] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def __call__(self, file: PictureFile) -> NDArray[np.uint8]:
        """Return the frames (N, H, W, 3), 8 bit RGB, of which a picture has one; read only."""
        with self._lock:
            picture = self._kept.get(file.path)
            if picture is not None:
                self._kept.move_to_end(file.path)
                return picture
        picture = _read(file.path)
        with self._lock:
            if file.path not in self._kept:
                self._kept[file.path] = picture
                self._bytes += picture.nbytes
            while self._bytes > self.limit and len(self._kept) > 1:
                self._bytes -= self._kept.popitem(last=False)[1].nbytes
        return picture
