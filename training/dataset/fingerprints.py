"""Fingerprints of pictures, which show whether two have the same content.

Two checks follow each other. Perceptual hashes (the signs of the lowest frequencies of a reduced
picture: C. Zauner, Implementation and Benchmarking of Perceptual Image Hash Functions, 2010; by
the library ImageHash) of the whole picture, of parts of it and of their mirror images
find candidates quickly. Then the two thumbnails are laid over each other, as they fit best, and
must agree in most places: hashes alone also agree for pictures that show next to nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from restore_rt.errors import MediaError
from restore_rt.training.data.pictures import read_rgb
from restore_rt.training.dataset.folders import Advance, Broken, Tree, for_each
from restore_rt.training.needed import needed

__all__ = [
    "BITS",
    "VIEWS",
    "Fingerprint",
    "Match",
    "compare",
    "distances",
    "fingerprints",
    "signs",
]

F32 = NDArray[np.float32]
Edges = tuple[float, float, float, float]

BITS = 64
_HASH = 8

# What a view leaves out at left, top, right and bottom: a copy that lost a strip there, or a
# margin all round, agrees with the view of the original that lacks about the same.
_MARGINS = (0.06, 0.12)
VIEWS: tuple[Edges, ...] = (
    (0.0, 0.0, 0.0, 0.0),
    *((margin / 2,) * 4 for margin in _MARGINS),
    *(
        (margin * (side == 0), margin * (side == 1), margin * (side == 2), margin * (side == 3))
        for margin in _MARGINS
        for side in range(4)
    ),
)

_SMALL = 128

# The thumbnails that are laid over each other; coarser than `_COARSE`, most pictures are alike:
# bright above and dark below.
_THUMBNAIL = 32
_COARSE = 4
_STEPS = (0.06, 0.03, 0.015, 0.0075)
_FURTHEST = 0.2
_ROUNDS = 4

# The larger ones that must agree, block by block: of pictures that share an edge, or the gutters
# of a comic page, only some blocks do.
_FINE = 64
_BLOCKS = 4
# Standard deviation of a block, in levels, above which it shows something.
_SOMETHING = 2.0
# Variance, in levels squared, that rounding alone may have: it never agrees by chance.
_ROUNDING = 0.25

# Calibrated at a distance of 14 bits. Of 52,650 pairs of 325 photographs, comic pages and drawings,
# five true twins were found, and besides them two pages of one comic that draw the same scene. Of
# 8,450 copies (scaled, coded as JPEG of quality 20, made grey, brighter or darker, mirrored,
# stretched, less up to a tenth at each edge or 15 % at one, or several of these), 5 were missed.
# Of 13.3 million pairs of squares of 128 pixels cut from such pictures, 9 were taken for twins.
_CORRELATION = 0.85
AGREEMENT = 0.65
_ENOUGH_BLOCKS = 6
_AGREEMENT_OF_FEW = 0.97


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """What is kept of a picture.

    `file` is its path in the tree, `sha256` that of the file. `hashes` (2, len(VIEWS), 8) has 64
    bits for each view, and for each view of the mirror image; `small` is (128, 128) 8-bit grey. A
    `blank` picture shows nothing that could be compared.
    """

    file: Path
    sha256: str
    hashes: NDArray[np.uint8]
    small: NDArray[np.uint8]
    blank: bool


@dataclass(frozen=True)
class Match:
    """Agreement of two pictures.

    `distance` is in how many bits the hashes of the two views differ that agree best. `agreement`,
    at most 1, is the correlation of the thumbnails as they fit best: the mean over all blocks in
    which one of them shows something. `mirrored` says that one is the mirror image of the other.
    """

    distance: int
    agreement: float
    mirrored: bool


def fingerprints(
    tree: Tree,
    *,
    threads: int = 2,
    advance: Advance | None = None,
    broken: Broken | None = None,
) -> list[Fingerprint]:
    """Return the fingerprints of pictures, in the order of the tree; for the rest see `for_each`.

    Raises `InputError` where the library ImageHash is not installed.
    """
    library = needed("imagehash", "ImageHash", "finding near-duplicates", extra="train")

    def work(path: Path) -> Fingerprint:
        return _fingerprint(path, path.relative_to(tree.root), library)

    results = for_each(tree, work, threads=threads, advance=advance, broken=broken)
    return [result for _, result in results]


def _fingerprint(path: Path, file: Path, library: ModuleType) -> Fingerprint:
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise MediaError(f"cannot read {path}: {error.strerror}") from error
    grey = Image.fromarray(read_rgb(path)).convert("L")
    small = grey.resize((_SMALL, _SMALL), Image.Resampling.LANCZOS)
    mirror = small.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    hashes = [[_hash(image, view, library) for view in VIEWS] for image in (small, mirror)]
    blank = not bool((_blocks(_float(small), VIEWS[0]).std(axis=1) > _SOMETHING).any())
    return Fingerprint(file, digest, np.array(hashes), np.asarray(small), blank)


def _hash(image: Image.Image, view: Edges, library: ModuleType) -> NDArray[np.uint8]:
    part = image.resize((_SMALL // 2, _SMALL // 2), Image.Resampling.LANCZOS, box=_box(view))
    return np.packbits(library.phash(part, hash_size=_HASH).hash)


def _box(edges: Edges) -> Edges:
    left, top, right, bottom = (_SMALL * max(0.0, edge) for edge in edges)
    return left, top, _SMALL - right, _SMALL - bottom


def _float(image: Image.Image) -> Image.Image:
    return image.convert("F")


def signs(hashes: NDArray[np.uint8]) -> F32:
    """Return hashes (..., 8) as (..., 64) of -1 and 1."""
    return 2 * np.unpackbits(hashes, axis=-1).astype(np.float32) - 1


def distances(left: F32, right: F32) -> F32:
    """Return in how many bits hashes differ, as `signs`: (N, 64) and (M, 64) give (N, M)."""
    return np.asarray((BITS - left @ right.T) / 2, np.float32)


def compare(left: Fingerprint, right: Fingerprint, distance: int) -> Match | None:
    """Tell how two pictures agree that show the same; None if they do not.

    Of their hashes two may differ in at most `distance` bits. Files with the same bytes always show
    the same; others that show very little must agree almost wholly, and blank ones never do.
    """
    if left.sha256 == right.sha256:
        return Match(0, 1.0, mirrored=False)
    if left.blank or right.blank:
        return None
    nearest = _nearest(left, right)
    # From one start the search may end beside the summit, from two it has not.
    for bits, mirrored, start in nearest[:2]:
        if bits > distance:
            break
        grey = np.ascontiguousarray(left.small[:, ::-1]) if mirrored else left.small
        first, second = (_float(Image.fromarray(small)) for small in (grey, right.small))
        edges, correlation = _fitted(first, second, start)
        agreement, blocks = _agreement(first, second, edges)
        needed = AGREEMENT if blocks >= _ENOUGH_BLOCKS else _AGREEMENT_OF_FEW
        if correlation >= _CORRELATION and agreement >= needed:
            return Match(int(nearest[0][0]), agreement, mirrored)
    return None


def _nearest(left: Fingerprint, right: Fingerprint) -> list[tuple[float, bool, Edges]]:
    """Return the distance of each view to the other's whole, the least one first.

    With each the edges that fit: positive ones are cut off the left picture, others off the right.
    """
    found: list[tuple[float, bool, Edges]] = []
    whole = signs(right.hashes[0, :1])
    parts = signs(right.hashes[0])
    for mirrored in (False, True):
        own = signs(left.hashes[int(mirrored)])
        for bits, edges in zip(distances(own, whole)[:, 0], VIEWS, strict=True):
            found.append((float(bits), mirrored, edges))
        for bits, edges in zip(distances(own[:1], parts)[0], VIEWS, strict=True):
            found.append((float(bits), mirrored, _turned(edges)))
    return sorted(found, key=lambda item: item[0])


def _fitted(left: Image.Image, right: Image.Image, start: Edges) -> tuple[Edges, float]:
    """Return the edges at which the thumbnails correlate best, and by how much.

    They are moved one at a time and in ever smaller steps, while that helps.
    """
    edges, best = start, _correlation(left, right, start)
    for step in _STEPS:
        for _ in range(_ROUNDS):
            before = best
            for side in range(4):
                for change in (step, -step):
                    moved = _moved(edges, side, change)
                    value = _correlation(left, right, moved)
                    if value > best:
                        edges, best = moved, value
            if best - before < 1e-4:
                break
    return edges, best


def _moved(edges: Sequence[float], side: int, change: float) -> Edges:
    new = [*edges]
    new[side] = min(_FURTHEST, max(-_FURTHEST, new[side] + change))
    return new[0], new[1], new[2], new[3]


def _correlation(left: Image.Image, right: Image.Image, edges: Edges) -> float:
    first, second = _thumbnail(left, edges), _thumbnail(right, _turned(edges))
    return float((first * second).mean() / (first.std() * second.std() + _ROUNDING))


def _turned(edges: Edges) -> Edges:
    left, top, right, bottom = edges
    return -left, -top, -right, -bottom


def _thumbnail(image: Image.Image, edges: Edges) -> F32:
    """Return the part within the edges as (32, 32), without its mean and its coarse part."""
    side = (_THUMBNAIL, _THUMBNAIL)
    part = image.resize(side, Image.Resampling.BOX, box=_box(edges))
    coarse = part.resize((_COARSE, _COARSE), Image.Resampling.BOX)
    fine = np.asarray(part) - np.asarray(coarse.resize(side, Image.Resampling.BICUBIC))
    return np.asarray(fine - fine.mean(), np.float32)


def _agreement(left: Image.Image, right: Image.Image, edges: Edges) -> tuple[float, int]:
    """Return how well the blocks agree on average, and how many there are that show something."""
    first, second = _blocks(left, edges), _blocks(right, _turned(edges))
    deviations = first.std(axis=1), second.std(axis=1)
    agreements = (first * second).mean(axis=1) / (deviations[0] * deviations[1] + _ROUNDING)
    shown = np.maximum(*deviations) > _SOMETHING
    return float(agreements[shown].mean()) if shown.any() else 0.0, int(shown.sum())


def _blocks(image: Image.Image, edges: Edges) -> F32:
    """Return the part within the edges as (16, 256), 4x4 blocks, each without its mean."""
    part = image.resize((_FINE, _FINE), Image.Resampling.BOX, box=_box(edges))
    size = _FINE // _BLOCKS
    split = np.asarray(part, np.float32).reshape(_BLOCKS, size, _BLOCKS, size)
    blocks = split.swapaxes(1, 2).reshape(_BLOCKS * _BLOCKS, size * size)
    return np.asarray(blocks - blocks.mean(axis=1, keepdims=True), np.float32)
