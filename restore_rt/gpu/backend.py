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
        """Get ready for tiles of a shape: all that is slow, or that takes memory.

        Parameters
        ----------
        shape
            (N, C, h, w). Where ``capturable``, it stays prepared until it is released: graphs
            depend on it. Elsewhere so do the last four.

        Raises
        ------
        OutOfMemoryError
            The device has too little memory for this shape.
        BackendError
            The library failed, or takes no such shape; the message says what it takes.

        Notes
        -----
        May wait for the stream, may build an engine. Not to be called within a capture.
        """

    def enqueue(self, tiles: DeviceArray, out: DeviceArray) -> None:
        """Queue the network on the stream that the backend was opened with.

        Parameters
        ----------
        tiles
            (N, C, h, w), C-contiguous, of ``dtype``, aligned to 256 bytes; not changed.
        out
            (N, C, s*h, s*w), likewise; written when the stream gets there.

        Raises
        ------
        OutOfMemoryError, BackendError
            As ``prepare``, which is called for a shape that has not been.

        Notes
        -----
        Waits for nothing and takes no device memory for a shape that is prepared. The arrays must
        stay as long as the stream works on them. Repeated calls with the same two arrays are the
        fast path.
        """

    def release(self, shape: tuple[int, int, int, int] | None = None) -> None:
        """Wait for the stream, and release what is kept for a shape, or for all.

        CUDA graphs in which ``enqueue`` was captured for it must not be launched any more.
        """

    def close(self) -> None:
        """Wait for the stream and release what the backend holds; closing twice is fine."""
