"""The protocol of backends that run a network on a GPU, over tiles in its memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from restore_rt.gpu.array import DeviceArray

__all__ = ["DeviceBackend"]


class DeviceBackend(Protocol):
    """Runs a network over batches of tiles that lie in a GPU's memory, on one stream.

    Not safe to call from two threads at once.
    """

    name: str
    """The software that runs the network: ``"onnxruntime"`` or ``"tensorrt"``."""

    description: str
    """Library, version and settings, for people."""

    dtype: np.dtype[Any]
    """Of tiles and results: float32 or float16."""

    capturable: bool
    """Whether ``enqueue`` may be captured in a CUDA graph, once it has run outside of one with
    the same two arrays."""

    def prepare(self, shape: tuple[int, int, int, int]) -> None:
        """Do all slow or memory-taking work for tiles of a shape.

        Parameters
        ----------
        shape
            (N, C, h, w). If ``capturable``, a shape stays prepared until it is released, because
            graphs depend on it; otherwise the last four shapes do.

        Raises
        ------
        OutOfMemoryError
            The device has too little memory for this shape.
        BackendError
            The library failed or does not accept the shape; the message names the accepted ones.

        Notes
        -----
        May wait for the stream and may build an engine. Must not be called within a capture.
        """

    def enqueue(self, tiles: DeviceArray, out: DeviceArray) -> None:
        """Queue the network on the stream that the backend was opened with.

        Parameters
        ----------
        tiles
            (N, C, h, w), C-contiguous, of ``dtype``, aligned to 256 bytes; not changed.
        out
            (N, C, s*h, s*w), likewise; written when the stream reaches this work.

        Raises
        ------
        OutOfMemoryError, BackendError
            As ``prepare``, which is called first for an unprepared shape.

        Notes
        -----
        For a prepared shape, returns without waiting and allocates no device memory. The arrays
        must be kept until the stream has finished with them. Repeated calls with the same two
        arrays are the fast path.
        """

    def release(self, shape: tuple[int, int, int, int] | None = None) -> None:
        """Wait for the stream, and release the resources of one shape, or of all.

        CUDA graphs that captured ``enqueue`` for a released shape must not be launched any more.
        """

    def close(self) -> None:
        """Wait for the stream and release the backend's resources; closing twice is fine."""
