"""How far a network looks: found by runs on two crops of a picture, whose results must agree."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from restore_rt.tiled.probe import Probe

__all__ = ["Reach", "measure_reach"]

F32 = NDArray[np.float32]

# Differences of less than a quarter of a step of 8 bits are none.
_NONE = 0.25 / 255
# What a halo keeps out is more than half of a step.
_HALF_STEP = 0.5 / 255
# A local network's differences fall off with the distance, a global one's do not.
_FLAT = 0.7
# Distances that are looked at, the second if the first does not settle it.
_DISTANCES = (64, 192)
_ACROSS = 16


@dataclass(frozen=True)
class Reach:
    """The distance from which on content makes no difference, in input pixels.

    Attributes
    ----------
    distance
        What is farther away changes a result by at most half a step of 8 bits.
    ends
        Whether the differences were found to end; otherwise the network looks farther, and what
        it sees there counts less and less.
    everywhere
        Whether the network looks at the whole frame: the differences do not fall off.
    worst
        The largest difference, in steps of 8 bits, at the largest distance.
    """

    distance: int
    ends: bool
    everywhere: bool
    worst: float


def measure_reach(
    probe: Probe,
    *,
    channels: int,
    scale: int,
    multiple: int,
    fixed: tuple[int | None, int | None],
) -> Reach:
    """Find out how far a network looks, along both axes; the larger reach is returned.

    A part of a picture is run by itself and beside a dark, and a bright, other part; where the
    size is fixed, it is run beside both. Pooling, attention and normalisation over the frame show
    as differences far from the cut.

    Parameters
    ----------
    probe
        The network.
    channels, scale, multiple, fixed
        Its channels, its scale, what its sides must be multiples of, and its fixed height and
        width.

    Raises
    ------
    ProbeError
        The network fails on a picture of the sizes that were tried.
    """
    found = [_along(axis, probe, channels, scale, multiple, fixed) for axis in (0, 1)]
    return Reach(
        max(reach.distance for reach in found),
        all(reach.ends for reach in found),
        any(reach.everywhere for reach in found),
        max(reach.worst for reach in found),
    )


def _along(
    axis: int,
    probe: Probe,
    channels: int,
    scale: int,
    multiple: int,
    fixed: tuple[int | None, int | None],
) -> Reach:
    across = fixed[1 - axis] or -(-_ACROSS // multiple) * multiple
    length = fixed[axis]
    if length is not None:
        kept = length - length // 2
        return _judged(_differences(axis, probe, (channels, across), scale, length, kept, True))
    for distance in _DISTANCES:
        kept = -(-distance // multiple) * multiple
        shape = (channels, across)
        reach = _judged(_differences(axis, probe, shape, scale, 2 * kept, kept, False))
        if reach.ends:
            break
    return reach


def _differences(
    axis: int,
    probe: Probe,
    shape: tuple[int, int],
    scale: int,
    length: int,
    kept: int,
    whole: bool,
) -> F32:
    """Return the largest difference by the distance from the cut, for the part that is kept."""
    rng = np.random.default_rng(0)
    channels, across = shape
    part = 0.35 + 0.3 * rng.random((1, channels, across, kept), np.float32)
    # Its mean and its extremes are others, so that each kind of pooling shows.
    spots = rng.random((1, 1, across, length - kept), np.float32) < 0.1
    dark = np.broadcast_to(spots, (1, channels, across, length - kept)).astype(np.float32)

    def run(picture: F32) -> F32:
        turned = picture if axis else picture.swapaxes(2, 3)
        made = probe.run(np.ascontiguousarray(turned)).astype(np.float32)
        made = made if axis else made.swapaxes(2, 3)
        return made[..., -kept * scale :]

    results = [run(np.concatenate([beside, part], 3)) for beside in (dark, 1 - dark)]
    if not whole:
        results.append(run(part))
    spread = np.max(results, 0) - np.min(results, 0)
    columns: F32 = spread.max(axis=(0, 1, 2)).reshape(kept, scale).max(1)
    return columns


def _judged(differences: F32) -> Reach:
    """Tell from differences by distance how far a network looks."""
    kept = len(differences)
    last = max(1, kept // 8)
    far, before = differences[-last:].max(), differences[-2 * last : -last].max(initial=0)
    seen = np.flatnonzero(differences > _HALF_STEP)
    distance = int(seen[-1]) + 1 if len(seen) else 0
    ends = bool(far <= _NONE)
    return Reach(
        distance if ends else kept,
        ends,
        not ends and bool(far > _FLAT * before),
        float(far) * 255,
    )
