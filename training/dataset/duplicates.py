"""Pictures that two sets share, or that are near-duplicates of each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from restore_rt.errors import InputError
from restore_rt.training.dataset.fingerprints import (
    BITS,
    Fingerprint,
    compare,
    distances,
    signs,
)
from restore_rt.training.dataset.folders import Advance

__all__ = ["DISTANCE", "Duplicate", "candidates", "check_distance", "duplicates"]

# At 14 of 64 bits nearly all copies of the calibration were candidates (see fingerprints.py), and
# one pair of strangers in a thousand, which the second check refuses.
DISTANCE = 14

# So far apart are hashes of pictures that have nothing to do with each other.
_FURTHEST = BITS // 2 - 8

_ROWS = 256


@dataclass(frozen=True)
class Duplicate:
    """A picture of one set and its duplicate in the other.

    Their hashes differ in `distance` of 64 bits, their thumbnails correlate by `agreement`, 0.65 to
    1, and one may be the mirror image of the other.
    """

    train: Path
    test: Path
    distance: int
    agreement: float
    mirrored: bool


def check_distance(distance: int) -> None:
    """Refuse (`InputError`) a distance below 0, or one at which any two pictures are candidates."""
    if not 0 <= distance <= _FURTHEST:
        raise InputError(
            f"distance is {distance}; it is a number of bits from 0 to {_FURTHEST}, "
            f"{DISTANCE} for most sets"
        )


def duplicates(
    left: Sequence[Fingerprint],
    right: Sequence[Fingerprint],
    train: Path,
    test: Path,
    *,
    distance: int = DISTANCE,
    advance: Advance | None = None,
) -> list[Duplicate]:
    """Return what two sets of pictures, in the folders `train` and `test`, both show.

    Found are the same file, reduced and enlarged copies, copies that were coded anew, made grey,
    brighter or darker, that lost up to a tenth at an edge, mirror images, and several of these at
    once. Not found are pictures turned by 90 degrees or upside down, and small parts of a picture.
    They are ordered by the names in `train`, then in `test`.

    `distance` is in how many of 64 bits perceptual hashes may differ for a closer look, fewer miss
    crops; see `check_distance`. For `advance` see `candidates`.
    """
    check_distance(distance)
    found = []
    for i, j in candidates(left, right, distance, advance):
        match = compare(left[i], right[j], distance)
        if match is not None:
            files = train / left[i].file, test / right[j].file
            found.append(Duplicate(*files, match.distance, match.agreement, match.mirrored))
    return found


def candidates(
    left: Sequence[Fingerprint],
    right: Sequence[Fingerprint],
    distance: int,
    advance: Advance | None = None,
) -> Iterator[tuple[int, int]]:
    """Yield the index in `left` and in `right` of each pair that is worth a closer look.

    A view of one, or of its mirror image, has about the hash of the other as a whole; or the two
    are the same file. `advance` is called with the number of pictures of `left` that were compared
    since the last call.
    """
    done = 0
    for i, j in _candidates(left, right, distance) if left and right else ():
        if advance is not None and i > done:
            advance(i - done)
            done = i
        yield i, j
    if advance is not None:
        advance(len(left) - done)


def _candidates(
    left: Sequence[Fingerprint], right: Sequence[Fingerprint], distance: int
) -> Iterator[tuple[int, int]]:
    others = np.stack([signs(item.hashes[0]) for item in right])
    digests = np.array([item.sha256 for item in right])
    blank = np.array([item.blank for item in right])
    for first in range(0, len(left), _ROWS):
        rows = left[first : first + _ROWS]
        own = np.stack([signs(item.hashes) for item in rows])
        near = np.zeros((len(rows), len(right)), bool)
        for side in (0, 1):
            for view in range(own.shape[2]):
                near |= distances(own[:, side, view], others[:, 0]) <= distance
                near |= distances(own[:, side, 0], others[:, view]) <= distance
        near &= ~blank & ~np.array([[item.blank] for item in rows])
        near |= np.array([[item.sha256] for item in rows]) == digests
        for i, j in np.argwhere(near):
            yield first + int(i), int(j)
