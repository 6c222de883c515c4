"""Chroma on the CPU, enlarged beside the luma that a network restores: bicubic, or by a network."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from restore_rt import _ext
from restore_rt.chroma import ChromaInputs
from restore_rt.frames import Planes
from restore_rt.tiled.session import OnnxRuntimeBackend

if TYPE_CHECKING:
    import onnx

__all__ = ["OnnxChroma", "enlarge_chroma"]

# Samples of chroma that go through the network at once: 16 MB of them for each of its layers.
_MOST_SAMPLES = 1 << 18


def enlarge_chroma(out: Planes, planes: Planes, *, scale: int, threads: int) -> None:
    """Write the chroma of a frame enlarged ``scale`` times, bicubic, with its siting kept.

    Parameters
    ----------
    out
        As ``planes.empty_like(scale)`` makes it.
    planes
        The frame; a grey one has none.
    scale
        1 to 8.
    threads
        CPU threads.
    """
    for source, target in ((planes.cb, out.cb), (planes.cr, out.cr)):
        if source is not None and target is not None:
            _ext.upsample_plane_into(
                target,
                source,
                scale=scale,
                phase=planes.chroma_phase,
                peak=planes.peak,
                threads=threads,
            )


class OnnxChroma:
    """A chroma network in ONNX Runtime, over strips of rows; a ChromaNetwork.

    Parameters
    ----------
    model
        The network.
    scale, halo
        As its manifest has them.
    threads
        CPU threads of the library.

    Raises
    ------
    MissingBackendError
        ONNX Runtime is not installed.
    """

    def __init__(self, model: onnx.ModelProto, *, scale: int, halo: int, threads: int) -> None:
        self._backend = OnnxRuntimeBackend(model, threads=threads)
        self._scale, self._halo = scale, halo
        self._inputs = ChromaInputs()
        self._lock = threading.Lock()

    def enlarge_into(self, out: Planes, planes: Planes, *, threads: int) -> bool:
        """See ``ChromaNetwork``."""
        assert out.cb is not None
        assert out.cr is not None
        with self._inputs.of(planes, threads=threads) as inputs, self._lock:
            height, width = inputs.shape[:2]
            each = max(1, _MOST_SAMPLES // width)
            return all(
                self._strip((out.cb, out.cr), inputs, top, min(top + each, height), planes.peak)
                for top in range(0, height, each)
            )

    def _strip(
        self,
        out: tuple[NDArray[np.generic], NDArray[np.generic]],
        inputs: NDArray[np.float32],
        top: int,
        bottom: int,
        peak: int,
    ) -> bool:
        """Make the rows of the chroma planes from `top` to `bottom`, in those of the frame."""
        scale = self._scale
        first, last = max(0, top - self._halo), min(len(inputs), bottom + self._halo)
        tile = np.ascontiguousarray(inputs[first:last].transpose(2, 0, 1))[None]
        made = np.empty((1, 2, tile.shape[2] * scale, tile.shape[3] * scale), np.float32)
        self._backend.run(tile, made)
        if not np.isfinite(made).all():
            return False
        rows = made[0, :, (top - first) * scale : (bottom - first) * scale]
        levels = np.clip(np.rint(rows * np.float32(peak) + (peak + 1) // 2), 0, peak)
        for plane, level in zip(out, levels, strict=True):
            part = plane[top * scale : bottom * scale]
            part[...] = level[: part.shape[0], : part.shape[1]]
        return True
