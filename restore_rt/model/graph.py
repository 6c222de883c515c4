"""The parts of an ONNX graph: inputs and their shapes, nodes, and graphs in graphs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from restore_rt.errors import ModelError

if TYPE_CHECKING:
    import onnx

__all__ = ["DEEPEST", "branches_of", "dimensions", "graphs_of", "inputs_of", "nodes_of"]

DEEPEST = 16
"""How deep graphs may lie in each other."""


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


def nodes_of(model: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    """Iterate over the nodes of the graph, its functions, and their branches."""
    for graph in graphs_of(model):
        yield from graph.node
    for function in model.functions:
        yield from function.node


def graphs_of(model: onnx.ModelProto) -> Iterator[onnx.GraphProto]:
    """Iterate over the graph, its functions, and the branches of their nodes."""
    yield model.graph
    waiting = [(node, 1) for node in model.graph.node]
    waiting += [(node, 1) for function in model.functions for node in function.node]
    while waiting:
        node, depth = waiting.pop()
        for graph in branches_of(node):
            if depth > DEEPEST:
                raise ModelError(f"its graphs lie more than {DEEPEST} deep in each other")
            yield graph
            waiting += [(inner, depth + 1) for inner in graph.node]


def branches_of(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """Iterate over the graphs in a node's attributes."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs
