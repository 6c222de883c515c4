"""The input and output of a network, read from its graph without running it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from restore_rt.errors import ModelError
from restore_rt.model.graph import dimensions, inputs_of
from restore_rt.model.tensors import type_name

if TYPE_CHECKING:
    import onnx

__all__ = ["Interface", "read_interface"]

# onnx.TensorProto.FLOAT, known before onnx is imported.
_FLOAT = 1

# Operators that ONNX defines, and those that ONNX Runtime has besides.
_DOMAINS = frozenset(["", "ai.onnx", "ai.onnx.ml", "com.microsoft", "com.microsoft.nchwc"])


@dataclass(frozen=True)
class Interface:
    """Fixed sizes of a network's input; ``None`` for dynamic ones."""

    count: int | None
    channels: int | None
    height: int | None
    width: int | None


def read_interface(network: onnx.ModelProto, path: Path) -> Interface:
    """Check that input and output are float32 planes, and return the input's fixed sizes.

    Raises
    ------
    ModelError
        Input or output differ, or the network needs a library of operators.
    """
    own = {function.domain for function in network.functions}
    foreign = sorted(
        {f"{n.domain}.{n.op_type}" for n in network.graph.node if n.domain not in _DOMAINS | own}
    )
    if foreign:
        raise ModelError(
            f"{path} has operators that ONNX does not define ({', '.join(foreign[:4])}): export "
            "the network alone, without what reads or writes pictures around it"
        )
    inputs, outputs = inputs_of(network), network.graph.output
    shape = dimensions(inputs[0]) if inputs else ()
    if len(inputs) != 1 or len(outputs) != 1 or len(shape) != 4:
        raise ModelError(
            f"{path} has {len(inputs)} inputs and {len(outputs)} outputs; a model has one of "
            "each, of shape (N, C, H, W)"
        )
    for value in (inputs[0], outputs[0]):
        kind = value.type.tensor_type.elem_type
        if kind != _FLOAT:
            raise ModelError(
                f"{value.name!r} of {path} is {type_name(kind)}; networks on the CPU take and give "
                "float32: export the model with --io float32"
            )
    return Interface(*(side if isinstance(side, int) else None for side in shape))
