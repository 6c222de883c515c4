"""The engine in this package: whole frames, all layers in one pass, with nothing else installed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from numpy.typing import NDArray

from restore_rt import _ext
from restore_rt.backends.native_graph import read_layers
from restore_rt.backends.native_nodes import UnsupportedError
from restore_rt.errors import InputError
from restore_rt.frames import Planes
from restore_rt.manifest import read_manifest

if TYPE_CHECKING:
    import onnx

__all__ = ["NativeNetwork", "UnsupportedError", "open_native"]


class NativeNetwork:
    """A network that takes frames and gives frames: there are no tiles, hence no seams.

    Safe to call from several threads.

    Attributes
    ----------
    channels, colours, scale
        Channels of the frames that it takes and gives, and output over input size.
    description
        Engine, precision and instruction set, for people.
    """

    provider = "cpu"

    def __init__(self, network: _ext.Network, *, precision: str) -> None:
        self._network = network
        self.channels, self.colours = network.channels, network.colours
        self.scale = network.scale
        self.description = f"native engine, {precision}, {_ext.isa()}"

    def run_into(
        self,
        out: NDArray[Any],
        frame: NDArray[Any],
        *,
        threads: int = 1,
        peak: float | None = None,
    ) -> bool:
        """Restore one frame.

        Parameters
        ----------
        out
            (s*H, s*W) or (s*H, s*W, C), the frame's dtype, any strides; written.
        frame
            (H, W) or (H, W, C), uint8, uint16 or float32, any size and strides; shares no memory
            with ``out``.
        threads
            CPU threads to use; the result does not depend on them.
        peak
            The sample value that stands for white; by default 255, 65535 or 1.

        Returns
        -------
        bool
            False if the network made NaN or infinity: do not use ``out`` then.

        Raises
        ------
        InputError
            A shape, dtype or layout is not allowed.
        """
        return self._network.run_into(out, frame, threads=threads, peak=peak)

    def run_planes_into(self, out: Planes, planes: Planes, *, threads: int = 1) -> bool:
        """Restore the luma of one frame and enlarge its chroma, in one pass.

        Parameters
        ----------
        out
            As ``planes.empty_like(scale)`` makes it; written.
        planes
            The frame, for a network of one channel.
        threads
            As for ``run_into``.

        Returns
        -------
        bool
            As ``run_into``.

        Raises
        ------
        InputError
            A shape, dtype or layout is not allowed.
        """
        if planes.cb is None or planes.cr is None or out.cb is None or out.cr is None:
            return self.run_into(out.y, planes.y, threads=threads, peak=planes.peak)
        return self._network.run_planes_into(
            (out.y, out.cb, out.cr),
            (planes.y, planes.cb, planes.cr),
            phase=planes.chroma_phase,
            threads=threads,
            peak=planes.peak,
        )


def open_native(
    model: onnx.ModelProto, *, precision: Literal["fp32", "bf16"] = "fp32"
) -> NativeNetwork:
    """Get a network ready to run in the native engine.

    Parameters
    ----------
    model
        The network; with a manifest, its values must range from 0 to 1.
    precision
        ``"bf16"`` multiplies in 16 bits, for which the CPU needs AVX512_BF16.

    Raises
    ------
    UnsupportedError
        The engine cannot run it; the message names the node.
    InputError
        No such precision, or the CPU lacks what it needs.
    """
    manifest = read_manifest(model)
    if manifest is not None and tuple(manifest.value_range) != (0.0, 1.0):
        raise UnsupportedError(
            f"the native engine cannot run a network whose values range over "
            f"{manifest.value_range}; it takes 0 to 1"
        )
    if precision not in ("fp32", "bf16"):
        raise InputError(f"precision is {precision!r}; allowed are 'fp32' and 'bf16'")
    read = read_layers(model)
    network = _ext.Network(
        read.layers, channels=read.channels, shuffle=read.shuffle, precision=precision
    )
    return NativeNetwork(network, precision=precision)
