"""How far a network looks: found by runs on two crops of a picture, whose results must agree."""

from __future__ import annotations

from collections.abc import Iterator
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
_LEVEL = 0.8
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

    A part of a picture is run by itself and beside other parts, dark, bright and coloured ones;
    where the size is fixed, it is run beside others alone. Pooling, attention and normalisation
    over the frame show as differences far from the cut.

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
    trial = _Trial(probe, channels, scale, multiple, fixed)
    found = [trial.along(axis) for axis in (0, 1)]
    return Reach(
        max(reach.distance for reach in found),
        all(reach.ends for reach in found),
        any(reach.everywhere for reach in found),
        max(reach.worst for reach in found),
    )


@dataclass(frozen=True)
class _Trial:
    probe: Probe
    channels: int
    scale: int
    multiple: int
    fixed: tuple[int | None, int | None]

    def along(self, axis: int) -> Reach:
        """Measure along one axis."""
        length = self.fixed[axis]
        if length is not None:
            return _judged(self._differences(axis, length, length - length // 2))
        for distance in _DISTANCES:
            kept = -(-distance // self.multiple) * self.multiple
            differences = self._differences(axis, 2 * kept, kept)
            reach = _judged(differences)
            # What does not fall off at all needs no larger distance.
            if reach.ends or reach.worst > _LEVEL * 255 * differences[kept // 4 :].max():
                break
        return reach

    def _differences(self, axis: int, length: int, kept: int) -> F32:
        """Return the largest difference by the distance from the cut, for the part that is kept."""
        rng = np.random.default_rng(0)
        across = self.fixed[1 - axis] or -(-_ACROSS // self.multiple) * self.multiple
        shape = (1, self.channels, across)
        part = 0.35 + 0.3 * rng.random((*shape, kept), np.float32)
        low = high = self._run(axis, part, part[..., : length - kept])
        if self.fixed[axis] is None:
            alone = self._run(axis, part, part[..., :0])
            low, high = np.minimum(low, alone), np.maximum(high, alone)
        for beside in self._others(rng, (*shape, length - kept)):
            made = self._run(axis, part, beside)
            low, high = np.minimum(low, made), np.maximum(high, made)
            spread = (high - low).max(axis=(0, 1, 2)).reshape(kept, self.scale).max(1)
            if _judged(spread).everywhere:
                break
        found: F32 = spread
        return found

    def _others(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Iterator[F32]:
        """Give other parts: each kind of pooling sees a difference between some of them."""
        yield np.zeros(shape, np.float32)
        yield (rng.random(shape, np.float32) < 0.5).astype(np.float32)
        # What is behind a ReLU may see a difference for some colours only.
        for colour in range(1, 2**self.channels):
            levels = [colour >> channel & 1 for channel in range(self.channels)]
            column = np.array(levels, np.float32)[None, :, None, None]
            yield np.broadcast_to(column, shape)

    def _run(self, axis: int, part: F32, beside: F32) -> F32:
        picture = np.concatenate([beside, part], 3)
        turned = picture if axis else picture.swapaxes(2, 3)
        made = self.probe.run(np.ascontiguousarray(turned)).astype(np.float32)
        kept: F32 = (made if axis else made.swapaxes(2, 3))[..., -part.shape[3] * self.scale :]
        return kept


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
