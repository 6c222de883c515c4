"""The work of a lane on one frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from restore_rt.gpu.array import DeviceArray

__all__ = ["Plane", "Task"]


@dataclass(frozen=True)
class Plane:
    """Chroma to enlarge: one plane, or two interleaved ones."""

    target: DeviceArray
    source: DeviceArray


@dataclass(frozen=True)
class Task:
    """One frame's work, in constant buffers.

    Attributes
    ----------
    frame, out
        (H, W) or (H, W, C) and the same ``scale`` times as large.
    chroma
        Chroma planes to enlarge.
    flag
        One uint32, nonzero afterwards if the network returned NaN or infinity.
    peak, shift
        As in ``restore_rt._cuda.split_into``.
    phase
        Of the chroma, as in ``restore_rt._cuda.upsample_into``.
    """

    frame: DeviceArray
    out: DeviceArray
    flag: DeviceArray
    chroma: tuple[Plane, ...] = ()
    peak: float | None = None
    shift: int = 0
    phase: tuple[float, float] = (0.5, 0.5)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the frame."""
        return self.frame.shape[0], self.frame.shape[1]

    @property
    def key(self) -> tuple[Any, ...]:
        """Everything that a recorded graph depends on: addresses, layouts and numbers."""
        arrays = [self.frame, self.out, self.flag]
        for plane in self.chroma:
            arrays += [plane.target, plane.source]
        described = [(a.pointer, a.shape, a.strides, str(a.dtype)) for a in arrays]
        return (*described, self.peak, self.shift, self.phase)
