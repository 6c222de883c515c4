"""int8 graphs in QDQ form: which tensors of an ONNX graph are bytes, and by what scale."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from restore_rt.native.nodes import attributes, refusal

if TYPE_CHECKING:
    import onnx

__all__ = ["Constants", "Int8Weights", "Quantisation", "quantisation_of", "rounds_in_place"]

Array = NDArray[Any]


@dataclass(frozen=True)
class Quantisation:
    """Bytes that stand for ``(byte - zero) * scale``."""

    scale: float
    zero: int


@dataclass(frozen=True)
class Int8Weights:
    """Whole numbers from -128 to 127, and for each output the scale that they are multiplied by."""

    values: NDArray[np.int8]
    scales: NDArray[np.float32]


class Constants:
    """Tensors of a graph that are known before it runs.

    Attributes
    ----------
    int8
        Those that are int8 weights behind a DequantizeLinear, by the name of its output.
    """

    def __init__(self, tensors: Iterable[onnx.TensorProto]) -> None:
        from onnx import numpy_helper

        self._known = {tensor.name: numpy_helper.to_array(tensor) for tensor in tensors}
        self.int8: dict[str, Int8Weights] = {}

    def take(self, node: onnx.NodeProto) -> bool:
        """Take a node in if what it gives is constant."""
        from onnx import numpy_helper

        if node.op_type == "Constant":
            given = attributes(node)
            if set(given) != {"value"}:
                raise refusal(node, "only constants that are tensors are read")
            self._known[node.output[0]] = numpy_helper.to_array(given["value"])
            return True
        if node.op_type != "DequantizeLinear" or node.input[0] not in self._known:
            return False
        values = self._known[node.input[0]]
        real, int8 = _dequantised(node, values, self.get(node, 1), self.get(node, 2))
        self._known[node.output[0]] = real
        if int8 is not None:
            self.int8[node.output[0]] = int8
        return True

    def get(self, node: onnx.NodeProto, position: int) -> Array | None:
        """Return an input of a node, or ``None`` if it is left out; it must be constant."""
        if position >= len(node.input) or not node.input[position]:
            return None
        name = node.input[position]
        if name not in self._known:
            raise refusal(node, f"its input {name!r} is not constant")
        return self._known[name]


def quantisation_of(node: onnx.NodeProto, scale: Array | None, zero: Array | None) -> Quantisation:
    """Read a QuantizeLinear or DequantizeLinear of values.

    Parameters
    ----------
    node
        The node, for the error.
    scale, zero
        Its second and third input, if they are there.

    Raises
    ------
    UnsupportedError
        Its values are not bytes without a sign, of one scale.
    """
    if scale is None or scale.size != 1 or not scale.reshape(()) > 0:
        raise refusal(node, "it takes one scale for all channels of values, above 0")
    if zero is None or zero.dtype != np.uint8 or zero.size != 1:
        found = "no type" if zero is None else zero.dtype
        raise refusal(node, f"its zero point has {found}; it must be one number in uint8")
    if attributes(node).get("block_size"):
        raise refusal(node, "its scales are by block")
    return Quantisation(float(scale.reshape(())), int(zero.reshape(())))


def _dequantised(
    node: onnx.NodeProto, values: Array, scale: Array | None, zero: Array | None
) -> tuple[NDArray[np.float32], Int8Weights | None]:
    """Read a DequantizeLinear of a constant.

    Returns
    -------
    tuple
        What it stands for, and where it can be int8 weights, these.

    Raises
    ------
    UnsupportedError
        It is not by tensor, or by the first axis.
    """
    options = attributes(node)
    count = 0 if scale is None else scale.size
    by_axis = scale is not None and scale.ndim == 1 and count > 1
    first = values.ndim > 0 and options.get("axis", 1) in (0, -values.ndim)
    if (
        scale is None
        or options.get("block_size")
        or (count != 1 and not (by_axis and first and count == len(values)))
    ):
        raise refusal(node, "a constant's scale must be for all of it, or for each output")
    sides = (-1, *[1] * (values.ndim - 1)) if values.ndim else ()
    shift = np.zeros(1, values.dtype) if zero is None else zero
    if shift.size not in (1, count):
        raise refusal(node, f"it has {shift.size} zero points and {count} scales")
    scales = scale.astype(np.float32).reshape(-1)
    shifts = shift.astype(np.int64).reshape(sides if shift.size > 1 else ())
    steps = (values.astype(np.int64) - shifts).astype(np.float32)
    real = steps * scales.reshape(sides if count > 1 else ())
    if values.dtype != np.int8 or values.ndim != 4 or shift.any():
        return real, None
    return real, Int8Weights(values, np.broadcast_to(scales, (len(values),)).copy())


def rounds_in_place(layer: Mapping[str, Any]) -> bool:
    """Return whether a layer can make bytes of its own result: one that multiplies bytes, alone."""
    plain = layer.get("activation", "none") in ("none", "relu") and "residual" not in layer
    return "scales" in layer and "result" not in layer and plain
