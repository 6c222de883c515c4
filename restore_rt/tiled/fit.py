"""The scale of a network and what it crops, found from the sizes of its results."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from restore_rt.model.interface import Interface
from restore_rt.model.manifest import MOST_SCALE
from restore_rt.tiled.probe import Probe, ProbeError

__all__ = ["CHANNELS", "Fit", "find_fit"]

CHANNELS = {"rgb": 3, "luma": 1}

_MULTIPLES = (1, 2, 4, 8, 16, 32, 64)
# Least side of an input that is tried: real networks pad by less.
_LEAST_SIDE = 17
# What is tried of networks that crop, the second for those that crop more than the first.
_LEAST_CROPPED = (33, 161)

# What stands for mid-grey, and what no network makes of it whose white is 1.
_GREY = 0.5
_FAR_FROM_GREY = 4.0
# A network that restores a ramp is no farther off from it, on average.
_NEAR = 0.01

Size = tuple[int, int]


@dataclass(frozen=True)
class Fit:
    """What a network makes of an input.

    Attributes
    ----------
    scale
        Output over input, apart from what is missing.
    multiple
        Sides of the input must be multiples of this.
    missing
        Rows and columns by which the output is smaller than ``scale`` times the input.
    grey
        The middle of what it makes of mid-grey.
    """

    scale: int
    multiple: int
    missing: Size
    grey: float


def find_fit(
    probe: Probe, interface: Interface, colour: str, scale: int | None = None
) -> Fit | list[str]:
    """Return a network's fit, or why it has none, by each trial.

    Parameters
    ----------
    probe
        The network.
    interface
        Its fixed sizes.
    colour
        Its channels.
    scale
        The scale that the caller expects, which decides where a single size leaves it open.
    """
    trial = _Trial(probe, interface, CHANNELS[colour])
    free = None in (interface.height, interface.width)
    multiples = _MULTIPLES if free else (1,)
    reasons = []
    # A network that crops nothing at a larger multiple is not one that crops.
    for exact in (True, False):
        for multiple in multiples:
            try:
                return trial.exact(multiple, scale) if exact else trial.cropped(multiple, scale)
            except ProbeError as error:
                reasons.append(str(error))
    return reasons


class _Trial:
    def __init__(self, probe: Probe, interface: Interface, channels: int) -> None:
        self._probe = probe
        self._channels = channels
        self._count = interface.count or 1
        self._fixed = (interface.height, interface.width)

    def exact(self, multiple: int, expected: int | None) -> Fit:
        """Return the scale at sides that are odd multiples of one number."""
        # Odd, so that a larger multiple does not pass for a smaller one.
        times = -(-_LEAST_SIDE // multiple) | 1
        short, long = multiple * times, multiple * (times + 2)
        scales = set()
        grey = 0.0
        # Two sizes, since a network may give one size whatever it gets.
        for size in self._sizes((short, long), (long, short)):
            made = self._run_grey(size)
            scale = made.shape[2] // size[0] if made.ndim == 4 else 0
            wanted = (self._count, self._channels, scale * size[0], scale * size[1])
            if made.shape != wanted or not 1 <= scale <= MOST_SCALE:
                raise ProbeError(f"of an input of {self._shape(size)} it makes {made.shape}")
            grey = self._grey_of(made)
            scales.add(scale)
        if len(scales) > 1:
            raise ProbeError(f"it enlarges by {sorted(scales)}")
        # At a single size it may as well enlarge more, and crop.
        best = None if None in self._fixed else self._best_of_one_size(expected)
        return best or Fit(scales.pop(), multiple, (0, 0), grey)

    def cropped(self, multiple: int, expected: int | None) -> Fit:
        """Return the scale and what is missing, the same at sides of three sizes."""
        if None not in self._fixed:
            best = self._best_of_one_size(expected)
            if best is None:
                raise ProbeError("no scale of 1 to 8 explains the size that it makes")
            return best
        failure = ProbeError("")
        for least in _LEAST_CROPPED:
            times = -(-least // multiple)
            a, b, c = (multiple * (times + more) for more in (0, 1, 3))
            try:
                return self._cropped_at(multiple, list(self._sizes((a, b), (b, c), (c, a))))
            except ProbeError as error:
                failure = error
        raise failure

    def _cropped_at(self, multiple: int, sizes: list[Size]) -> Fit:
        results = []
        grey = 0.0
        for size in sizes:
            made = self._run_grey(size)
            if made.ndim != 4 or made.shape[:2] != (self._count, self._channels):
                raise ProbeError(f"of an input of {self._shape(size)} it makes {made.shape}")
            grey = self._grey_of(made)
            results.append(made.shape[2:])
        axis = 0 if self._fixed[0] is None else 1
        taken, gave = sizes[1][axis] - sizes[0][axis], results[1][axis] - results[0][axis]
        scale = gave // taken
        missing = {
            tuple(scale * side - out for side, out in zip(size, result, strict=True))
            for size, result in zip(sizes, results, strict=True)
        }
        if len(missing) > 1 or not 1 <= scale <= MOST_SCALE:
            raise ProbeError(
                f"of inputs of {', '.join(f'{w}x{h}' for h, w in sizes)} it makes "
                f"{', '.join(f'{w}x{h}' for h, w in results)}"
            )
        rows, columns = missing.pop()
        if min(rows, columns) < 0 or rows % 2 or columns % 2:
            raise ProbeError(
                f"its result is {rows} rows and {columns} columns smaller than {scale} times the "
                "input, which must be even numbers from 0 on, half on each side"
            )
        return Fit(scale, multiple, (rows, columns), grey)

    def _best_of_one_size(self, expected: int | None) -> Fit | None:
        """Return the scale that explains a ramp's result at the only size best.

        Where none does, that is the one that the caller expects, else the least crop.
        """
        height, width = self._fixed
        assert height is not None
        assert width is not None
        made = self._run_grey((height, width))
        if made.ndim != 4 or made.shape[:2] != (self._count, self._channels):
            return None
        fits = []
        for scale in range(1, MOST_SCALE + 1):
            missing = (scale * height - made.shape[2], scale * width - made.shape[3])
            if all(rows >= 0 and rows % 2 == 0 for rows in missing):
                fits.append(Fit(scale, 1, missing, self._grey_of(made)))
        if not fits:
            return None
        errors = [self._ramp_error(fit.scale, fit.missing) for fit in fits]
        best = int(np.argmin(errors))
        if errors[best] > _NEAR:
            return next((fit for fit in fits if fit.scale == expected), fits[0])
        return fits[best if errors[best] < errors[0] / 2 else 0]

    def _ramp_error(self, scale: int, missing: Size) -> float:
        """Return how far a ramp's result is from the ramp at a scale, on average."""
        height, width = self._fixed
        assert height is not None
        assert width is not None
        y, x = np.linspace(0, 1, height), np.linspace(0, 1, width)
        ramp = (0.2 + 0.4 * x[None] + 0.2 * y[:, None]).astype(np.float32)
        shape = (self._count, self._channels, height, width)
        made = self._probe.run(np.ascontiguousarray(np.broadcast_to(ramp, shape)))
        rows, columns = (
            ((np.arange(side) + 0.5 + miss / 2) / scale - 0.5) / max(1, whole - 1)
            for side, miss, whole in zip(made.shape[2:], missing, (height, width), strict=True)
        )
        wanted = 0.2 + 0.4 * columns[None] + 0.2 * rows[:, None]
        inner = tuple(slice(side // 4, side - side // 4) for side in wanted.shape)
        return float(np.abs(made.mean(axis=(0, 1))[inner] - wanted[inner]).mean())

    def _run_grey(self, size: Size) -> NDArray[Any]:
        return self._probe.run(np.full(self._shape(size), _GREY, np.float32))

    def _shape(self, size: Size) -> tuple[int, ...]:
        return (self._count, self._channels, *size)

    def _sizes(self, *sizes: Size) -> Iterator[Size]:
        """Give sizes with what is fixed in place of what is not, each once."""
        fixed = self._fixed
        yield from dict.fromkeys((fixed[0] or height, fixed[1] or width) for height, width in sizes)

    @staticmethod
    def _grey_of(made: NDArray[Any]) -> float:
        if made.size == 0 or not np.isfinite(made).all():
            raise ProbeError(
                "of mid-grey it makes NaN or infinity" if made.size else "it makes nothing"
            )
        middle = float(np.median(made))
        if abs(middle) > _FAR_FROM_GREY:
            raise ProbeError(
                f"of mid-grey, {_GREY}, it makes {middle:.4g}, so its values are not 0 to 1"
            )
        return middle
