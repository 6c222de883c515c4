"""What a lane is asked to do with a frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from restore_rt.gpu.array import DeviceArray

__all__ = ["Plane", "Task"]


@dataclass(frozen=True)
class Plane:
    """Chroma to be enlarged: one plane, or two that are interleaved."""

    target: DeviceArray
    source: DeviceArray


@dataclass(frozen=True)
class Task:
    """One frame's way through the network, in buffers that stay the same.

    Attributes
    ----------
    frame, out
        (H, W) or (H, W, C) and the same ``scale`` times as large.
    chroma
        Planes that go along.
    flag
        One uint32, which is not 0 afterwards if the network returned NaN or infinity.
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
        """What a recorded graph depends on: every address, layout and number."""
        arrays = [self.frame, self.out, self.flag]
        for plane in self.chroma:
            arrays += [plane.target, plane.source]
        described = [(a.pointer, a.shape, a.strides, str(a.dtype)) for a in arrays]
        return (*described, self.peak, self.shift, self.phase)
