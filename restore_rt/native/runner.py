"""Whole frames through the native backend, on the CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from restore_rt.chroma import ChromaNetwork, takes_network
from restore_rt.errors import RestoreError
from restore_rt.frames import Planes, not_finite
from restore_rt.model.manifest import Manifest
from restore_rt.timing import StageTimes

if TYPE_CHECKING:
    from restore_rt.native.network import NativeNetwork

__all__ = ["NativeRunner"]


class NativeRunner:
    """Restores frames without tiles, in one pass, which is the stage ``network``; a FrameRunner.

    Parameters
    ----------
    network
        May be shared with other runners.
    manifest
        The manifest of the network.
    threads
        CPU threads for a frame.
    chroma
        Enlarges the chroma of the frames that it takes, which then is the stage ``chroma``.
    """

    device = "cpu"
    tile = None

    def __init__(
        self,
        network: NativeNetwork,
        manifest: Manifest,
        threads: int,
        *,
        chroma: ChromaNetwork | None = None,
    ) -> None:
        self.threads = threads
        self.backend = network.name
        self.precision = network.precision
        self.description = f"{network.description}, {threads} threads"
        self._network: NativeNetwork | None = network
        self._manifest = manifest
        self._chroma = chroma

    def restore_into(
        self,
        out: NDArray[Any],
        frame: NDArray[Any],
        *,
        stages: StageTimes,
        peak: float | None = None,
    ) -> None:
        """See ``FrameRunner``."""
        network = self._opened()
        with stages.measure("network"):
            finite = network.run_into(out, frame, threads=self.threads, peak=peak)
        if not finite:
            raise not_finite(self._manifest.name, frame)

    def restore_colour_into(
        self, out: NDArray[Any], frame: NDArray[Any], *, stages: StageTimes
    ) -> None:
        """See ``FrameRunner``; everything is the stage ``network``."""
        network = self._opened()
        with stages.measure("network"):
            finite = network.run_colour_into(out, frame, threads=self.threads)
        if not finite:
            raise not_finite(self._manifest.name, frame)

    def restore_planes_into(self, out: Planes, planes: Planes, *, stages: StageTimes) -> None:
        """See ``FrameRunner``."""
        network = self._opened()
        if self._chroma is not None and takes_network(planes):
            with stages.measure("network"):
                finite = network.run_into(out.y, planes.y, threads=self.threads, peak=planes.peak)
            with stages.measure("chroma"):
                finite &= self._chroma.enlarge_into(out, planes, threads=self.threads)
        else:
            with stages.measure("network"):
                finite = network.run_planes_into(out, planes, threads=self.threads)
        if not finite:
            raise not_finite(self._manifest.name, planes.y)

    def close(self) -> None:
        """See ``FrameRunner``."""
        self._network = None

    def _opened(self) -> NativeNetwork:
        if self._network is None:
            raise RestoreError("this Restorer is closed; load the model again")
        return self._network
