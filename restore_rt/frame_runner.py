"""The protocol between a Restorer and the backends that run its network."""

from __future__ import annotations

from typing import Any, Protocol

from numpy.typing import NDArray

from restore_rt.frames import Planes
from restore_rt.timing import StageTimes

__all__ = ["FrameRunner"]


class FrameRunner(Protocol):
    """A network with its buffers; restores one frame at a time.

    Implemented by ``NativeRunner`` (whole frames on the CPU), ``TiledRunner`` (tiles on the CPU),
    ``GpuRunner`` (tiles on a GPU) and ``InpaintRunner``, which takes frames with a mask alone.
    """

    threads: int
    """CPU threads that a frame may take."""

    device: str
    """Where the network runs: ``"cpu"``, or ``"cuda:N"`` for the GPU with number N."""

    backend: str
    """The software that runs the network: ``"native"``, ``"onnxruntime"`` or ``"tensorrt"``."""

    precision: str
    """The least precise type that any layer computes in."""

    @property
    def tile(self) -> tuple[int, int] | None:
        """The largest tile, height and width; None if frames are not cut into tiles."""

    @property
    def description(self) -> str:
        """Library, version and settings, for people."""

    def restore_into(
        self,
        out: NDArray[Any],
        frame: NDArray[Any],
        *,
        stages: StageTimes,
        peak: float | None = None,
    ) -> None:
        """Restore all channels of a frame.

        Parameters
        ----------
        out
            (s*H, s*W) or (s*H, s*W, C), the frame's dtype; written.
        frame
            (H, W) or (H, W, C) with the network's number of channels; shares no memory with
            ``out``.
        stages
            Receives the time of each stage; ``Restorer.stages`` lists them.
        peak
            The sample value that stands for white; by default 255, 65535 or 1.

        Raises
        ------
        BackendError
            The network failed, or memory ran out even with the smallest tile.
        NonFiniteError
            The network returned NaN or infinity; the contents of ``out`` are then undefined.
        """

    def restore_colour_into(
        self, out: NDArray[Any], frame: NDArray[Any], *, stages: StageTimes
    ) -> None:
        """Restore the luma of an RGB frame and enlarge its chroma.

        Parameters
        ----------
        out
            (s*H, s*W, 3), the frame's dtype, any strides; written.
        frame
            (H, W, 3), any strides, for a network with one channel; shares no memory with ``out``.
        stages
            As for ``restore_into``.

        Raises
        ------
        BackendError, NonFiniteError
            As ``restore_into``.
        """

    def restore_planes_into(self, out: Planes, planes: Planes, *, stages: StageTimes) -> None:
        """Restore the luma of a frame and enlarge its chroma.

        Parameters
        ----------
        out
            As ``planes.empty_like(scale)`` makes it; written.
        planes
            The frame, for a network with one channel.
        stages
            As for ``restore_into``.

        Raises
        ------
        BackendError, NonFiniteError
            As ``restore_into``.
        """

    def close(self) -> None:
        """Release everything, after the frame in work; closing twice is fine."""
