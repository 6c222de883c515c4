"""The native backend's network: whole frames, all layers in one pass, no other library."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from restore_rt import _ext
from restore_rt.errors import InputError
from restore_rt.frames import Planes
from restore_rt.native.importer import read_layers
from restore_rt.native.nodes import UnsupportedError
from restore_rt.unchanged import Box

if TYPE_CHECKING:
    import onnx

__all__ = ["NativeNetwork", "UnsupportedError", "open_native"]

_HALF = frozenset({"winograd_bf16", "direct_amx"})
_INT8 = frozenset({"direct_int8", "direct_vnni"})
# An error of its own that is so small takes 0.09 dB from a result that is 38 dB off its original.
_LEAST_AGREEMENT = 55.0
_SIDE = 64


class NativeNetwork:
    """A network that takes frames and gives frames: there are no tiles, hence no seams.

    Safe to call from several threads.

    Attributes
    ----------
    channels, colours, scale
        Channels of the frames that it takes and gives, and output over input size.
    precision
        The least that any layer computes in, ``"fp32"``, ``"bf16"`` or ``"int8"``.
    plan
        How many layers each algorithm makes, for people.
    ring_bytes
        What the rows that a thread goes round in take, at most.
    description
        Backend, precision and instruction set, for people.
    """

    name = "native"

    def __init__(self, network: _ext.Network, *, why: str = "") -> None:
        self._network = network
        self.channels, self.colours = network.channels, network.colours
        self.scale = network.scale
        self.precision = _precision(network.plan)
        self.plan = _summary(network.plan)
        self.ring_bytes = network.ring_bytes
        isa = f"{_ext.isa()} vnni" if "direct_vnni" in network.plan else _ext.isa()
        self.description = f"native backend, {self.precision}{why}, {isa}"

    def run_into(
        self,
        out: NDArray[Any],
        frame: NDArray[Any],
        *,
        threads: int = 1,
        peak: float | None = None,
        boxes: Sequence[Box] | None = None,
    ) -> bool:
        """Restore one frame, or parts of it.

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
        boxes
            Parts of the result to make, as ``find_changes`` returns them; by default the whole.

        Returns
        -------
        bool
            False if the network made NaN or infinity: do not use ``out`` then.

        Raises
        ------
        InputError
            A shape, dtype or layout is not allowed.
        """
        return self._network.run_into(out, frame, threads=threads, peak=peak, boxes=boxes)

    def run_colour_into(
        self,
        out: NDArray[Any],
        frame: NDArray[Any],
        *,
        threads: int = 1,
        boxes: Sequence[Box] | None = None,
    ) -> bool:
        """Restore the luma of one RGB frame and enlarge its chroma, in one pass.

        Parameters
        ----------
        out
            (s*H, s*W, 3), the frame's dtype, any strides; written.
        frame
            (H, W, 3), uint8, uint16 or float32, any strides, for a network of one channel; shares
            no memory with ``out``.
        threads, boxes
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
        return self._network.run_colour_into(out, frame, threads=threads, boxes=boxes)

    def run_planes_into(
        self,
        out: Planes,
        planes: Planes,
        *,
        threads: int = 1,
        boxes: Sequence[Sequence[Box] | None] = (None, None, None),
    ) -> bool:
        """Restore the luma of one frame and enlarge its chroma, in one pass.

        Parameters
        ----------
        out
            As ``planes.empty_like(scale)`` makes it; written.
        planes
            The frame, for a network of one channel.
        threads
            As for ``run_into``.
        boxes
            For each plane the parts to make, boxes of chroma as wide as the result; by default
            all.

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
            return self.run_into(out.y, planes.y, threads=threads, peak=planes.peak, boxes=boxes[0])
        rows = [None if each is None else [(box[0], box[2]) for box in each] for each in boxes[1:]]
        return self._network.run_planes_into(
            (out.y, out.cb, out.cr),
            (planes.y, planes.cb, planes.cr),
            phase=planes.chroma_phase,
            threads=threads,
            peak=planes.peak,
            boxes=boxes[0],
            chroma_rows=rows,
        )

    def find_changes(self, frame: NDArray[Any], before: NDArray[Any]) -> list[Box]:
        """Find what of a result may differ, in any bit, from that of the frame before.

        Parameters
        ----------
        frame, before
            As for ``run_into`` or ``run_colour_into``, of one shape and dtype.

        Returns
        -------
        list
            Boxes that do not overlap; one with the whole result if leaving out the rest would gain
            little.
        """
        return _ext.find_changes(self._network, frame, before)

    def find_chroma_changes(self, planes: Planes, before: Planes) -> list[list[Box]]:
        """Find the same of bicubic chroma: for each plane of it boxes as wide as the result."""
        _, chroma = planes.enlarged(self.scale)
        if chroma is None:
            return []
        height, width = chroma
        return [
            [
                (begin, 0, end, width)
                for begin, end in _ext.find_row_changes(now, then, scale=self.scale, height=height)
            ]
            for now, then in zip(planes.arrays[1:], before.arrays[1:], strict=True)
        ]


def open_native(
    model: onnx.ModelProto,
    *,
    precision: str = "fp32",
    value_range: tuple[float, float] = (0.0, 1.0),
) -> NativeNetwork:
    """Get a network ready to run in the native backend.

    Parameters
    ----------
    model
        The network.
    precision
        Of layers that are not int8 in the file. ``"bf16"`` multiplies in 16 bits, for which the CPU
        needs AVX512_BF16, in the layers where it is faster. ``"auto"`` does so if the CPU can, and
        if a picture comes out within 55 dB of what fp32 makes of it.
    value_range
        Values that stand for black and white, as its manifest has them; the backend takes 0 to 1.

    Raises
    ------
    UnsupportedError
        The native backend cannot run it; the message names the node.
    InputError
        No such precision, or the CPU lacks what it needs.
    """
    if value_range != (0.0, 1.0):
        raise UnsupportedError(
            f"the native backend cannot run a network whose values range over {value_range}; it "
            "takes 0 to 1"
        )
    if precision not in ("auto", "fp32", "bf16"):
        raise InputError(f"precision is {precision!r}; allowed are 'auto', 'fp32' and 'bf16'")
    read = read_layers(model)
    if precision != "auto":
        return NativeNetwork(read.network(precision))
    exact = read.network("fp32")
    if not _ext.has_bf16():
        return NativeNetwork(exact, why=" (this CPU has no bf16)")
    near = read.network("bf16")
    if not _HALF.intersection(near.plan):
        return NativeNetwork(exact, why=" (bf16 is no faster here)")
    agreement = _agreement(exact, near)
    if agreement < _LEAST_AGREEMENT:
        return NativeNetwork(exact, why=f" (bf16 is off: {agreement:.0f} dB)")
    return NativeNetwork(near)


def _agreement(exact: _ext.Network, near: _ext.Network) -> float:
    """Return how near two networks come on a picture of slopes, edges and grain, in dB."""
    y, x = np.mgrid[:_SIDE, :_SIDE]
    edges = (x // 8 + y // 8) % 2
    grain = np.random.default_rng(0).normal(0, 0.02, (_SIDE, _SIDE))
    grey = np.clip(0.25 * x / _SIDE + 0.4 * edges + 0.15 + grain, 0, 1).astype(np.float32)
    frame = np.repeat(grey[..., np.newaxis], exact.channels, 2)
    shape = (_SIDE * exact.scale, _SIDE * exact.scale, exact.colours)
    made = [np.empty(shape, np.float32) for _ in range(2)]
    finite = [
        network.run_into(out, frame) for network, out in zip((exact, near), made, strict=True)
    ]
    error = float(np.mean((made[0] - made[1]) ** 2)) if all(finite) else np.inf
    return float(-10 * np.log10(max(error, 1e-12)))


def _precision(plan: list[str]) -> str:
    if _INT8.intersection(plan):
        return "int8"
    return "bf16" if _HALF.intersection(plan) else "fp32"


def _summary(plan: list[str]) -> str:
    """Return how often each algorithm is in a plan, in its order."""
    counts = Counter(name for name in plan if name)
    return ", ".join(f"{count} {name}" for name, count in counts.items())
