"""The protocol of networks that enlarge chroma, and the frames that they take."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from restore_rt import _ext
from restore_rt.frames import Planes

__all__ = ["BICUBIC", "CHROMA_INPUTS", "ChromaInputs", "ChromaNetwork", "takes_network"]

# The choice of who wants no network.
BICUBIC = "bicubic"
# Channels of a chroma network's input.
CHROMA_INPUTS = 16
_KEPT = 4


class ChromaNetwork(Protocol):
    """A network that enlarges the chroma of 4:2:0 frames; safe to call from several threads."""

    def enlarge_into(self, out: Planes, planes: Planes, *, threads: int) -> bool:
        """Enlarge Cb and Cr.

        Parameters
        ----------
        out
            As ``planes.empty_like(scale)`` makes it; its chroma is written.
        planes
            A frame that ``takes_network`` allows.
        threads
            CPU threads.

        Returns
        -------
        bool
            False if the network made NaN or infinity: do not use ``out`` then.
        """


def takes_network(planes: Planes) -> bool:
    """Tell whether a chroma network is made for a frame: 4:2:0, chroma on the left luma samples."""
    if planes.cb is None or planes.siting != "left":
        return False
    height, width = planes.y.shape
    return planes.cb.shape == (-(-height // 2), -(-width // 2))


class ChromaInputs:
    """Buffers for what chroma networks read, kept for later frames; for several threads."""

    def __init__(self) -> None:
        self._idle: list[NDArray[np.float32]] = []
        self._lock = threading.Lock()

    @contextmanager
    def of(self, planes: Planes, *, threads: int) -> Iterator[NDArray[np.float32]]:
        """Lend what a network reads of a frame, (h, w, 16), see ``_ext.chroma_inputs_into``."""
        assert planes.cb is not None
        shape = (*planes.cb.shape, CHROMA_INPUTS)
        with self._lock:
            buffer = self._idle.pop() if self._idle else None
        if buffer is None or buffer.shape != shape:
            buffer = np.empty(shape, np.float32)
        _ext.chroma_inputs_into(
            buffer, (planes.y, planes.cb, planes.cr), bit_depth=planes.bit_depth, threads=threads
        )
        try:
            yield buffer
        finally:
            with self._lock:
                if len(self._idle) < _KEPT:
                    self._idle.append(buffer)
