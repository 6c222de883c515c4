"""Chroma networks in the native backend."""

from __future__ import annotations

from typing import TYPE_CHECKING

from restore_rt.chroma import ChromaInputs
from restore_rt.frames import Planes
from restore_rt.native.importer import read_layers

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

    def enlarge_into(self, out: Planes, planes: Planes, *, threads: int) -> bool:
        """See ``ChromaNetwork``."""
        assert out.cb is not None
        assert out.cr is not None
        with self._inputs.of(planes, threads=threads) as inputs:
            return self._network.run_chroma_into(
                (out.cb, out.cr), inputs, bit_depth=planes.bit_depth, threads=threads
            )
