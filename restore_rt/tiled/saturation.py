"""int8 weights with which ONNX Runtime's sums can saturate on a CPU without VNNI."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from restore_rt import _ext

if TYPE_CHECKING:
    import onnx

__all__ = ["warn_of_saturation"]

# Two products with a byte fit in 16 bits: 2 * 255 * 64 = 32640.
_LARGEST_SAFE = 64


def warn_of_saturation(model: onnx.ModelProto, path: Path) -> None:
    """Warn if a model that ONNX Runtime is to run on this CPU may give wrong results there.

    Without VNNI, ONNX Runtime adds pairs of products of bytes in 16 bits, where those of 8-bit
    weights may not fit: the sums are then cut off, and the result differs from that of other CPUs.

    Parameters
    ----------
    model
        The network.
    path
        Its file, for the warning.
    """
    if not _ext.cpu_adds_bytes_in_16_bits():
        return
    from onnx import TensorProto, numpy_helper

    constants = [
        attribute.t
        for node in model.graph.node
        if node.op_type == "Constant"
        for attribute in node.attribute
    ]
    for tensor in (*model.graph.initializer, *constants):
        if tensor.data_type != TensorProto.INT8 or len(tensor.dims) < 2:
            continue
        largest = int(np.abs(numpy_helper.to_array(tensor).astype(np.int16)).max(initial=0))
        if largest > _LARGEST_SAFE:
            warnings.warn(
                f"{path} has int8 weights of up to {largest} ({tensor.name!r}), and this CPU has "
                f"no VNNI: with weights beyond {_LARGEST_SAFE}, ONNX Runtime's sums may saturate "
                "here, and the result may be wrong. Run it with backend='native' if that can, or "
                "quantise the fp32 model again with 7-bit weights (`restore-rt export --precision "
                "int8`, or reduce_range=True in ONNX Runtime's quantize_static)",
                RuntimeWarning,
                stacklevel=5,
            )
            return
