"""Chroma networks in the native backend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from restore_rt import _ext
from restore_rt.chroma import ChromaInputs
from restore_rt.frames import Planes
from restore_rt.native.importer import read_layers
from restore_rt.unchanged import Box

if TYPE_CHECKING:
    import onnx

__all__ = ["NativeChroma"]


class NativeChroma:
    """A chroma network over whole frames; a ChromaNetwork.

    Parameters
    ----------
    model
        The network.

    Raises
    ------
    UnsupportedError
        The native backend cannot run it; the message names the node.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        self._network = read_layers(model).network("fp32")
        self._inputs = ChromaInputs()

    def find_changes(self, planes: Planes, before: Planes, *, scale: int) -> list[Box]:
        """Find what of the chroma may differ from that of the frame before; boxes of either plane.

        Parameters
        ----------
        planes, before
            Frames of one layout, as ``enlarge_into`` takes them.
        scale
            Of the luma.
        """
        _, chroma = planes.enlarged(scale)
        assert chroma is not None
        height, width = chroma
        return _ext.find_chroma_changes(
            self._network, planes.arrays, before.arrays, height=height, width=width
        )

    def enlarge_into(
        self,
        out: Planes,
        planes: Planes,
        *,
        threads: int,
        boxes: Sequence[Box] | None = None,
    ) -> bool:
        """See ``ChromaNetwork``; ``boxes`` are the parts to make, by default all."""
        assert out.cb is not None
        assert out.cr is not None
        if boxes is not None and not boxes:
            return True
        with self._inputs.of(planes, threads=threads) as inputs:
            return self._network.run_chroma_into(
                (out.cb, out.cr),
                inputs,
                bit_depth=planes.bit_depth,
                threads=threads,
                boxes=boxes,
            )
