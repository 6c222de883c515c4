"""The inputs of an ONNX graph and their shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

__all__ = ["dimensions", "inputs_of"]


def inputs_of(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    """Return a network's inputs, without the weights that old files list among them."""
    weights = {tensor.name for tensor in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in weights]


def dimensions(value: onnx.ValueInfoProto) -> tuple[int | str | None, ...]:
    """Return the shape of an input: sizes, names of dynamic axes, ``None`` where unnamed."""
    return tuple(
        side.dim_value if side.HasField("dim_value") else side.dim_param or None
        for side in value.type.tensor_type.shape.dim
    )
