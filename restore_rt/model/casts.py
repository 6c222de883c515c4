"""Casts in a graph: removal of casts that change nothing, and ordering of nodes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

__all__ = ["join_casts", "rename", "replace_nodes", "simplify_casts", "sort_nodes"]


def simplify_casts(model: onnx.ModelProto) -> None:
    """Remove casts that change nothing: casts to the value's own type, or to fp32 and back."""
    import onnx
    from onnx import TensorProto

    graph = model.graph
    # What a file says of the types inside is to be found, not believed.
    del graph.value_info[:]
    inferred = onnx.shape_inference.infer_shapes(model).graph
    types = {
        value.name: value.type.tensor_type.elem_type
        for value in (*inferred.input, *inferred.output, *inferred.value_info)
    }
    types |= {tensor.name: tensor.data_type for tensor in graph.initializer}
    casts = {node.output[0]: node for node in graph.node if node.op_type == "Cast"}
    for node in casts.values():
        before = casts.get(node.input[0])
        if before is not None and (types.get(before.input[0]), _target(before)) == (
            TensorProto.FLOAT16,
            TensorProto.FLOAT,
        ):
            node.input[0] = before.input[0]
    for node in casts.values():
        if types.get(node.input[0]) == _target(node):
            _bypass(graph, node)
    _remove_idle(graph)


def join_casts(graph: onnx.GraphProto) -> None:
    """Pass fp32 between consecutive fp32 nodes, where the converter casts to fp16 and back."""
    from onnx import TensorProto

    casts = {
        node.output[0]: (node.input[0], node.attribute[0].i)
        for node in graph.node
        if node.op_type == "Cast"
    }
    there = {end: start for end, (start, kind) in casts.items() if kind == TensorProto.FLOAT16}
    back = {end: start for end, (start, kind) in casts.items() if kind == TensorProto.FLOAT}
    inputs = {value.name for value in graph.input}
    outputs = {value.name for value in graph.output}
    for end, start in back.items():
        if start not in there or (end in outputs and there[start] in inputs):
            continue
        source = there[start]
        is_output = end in outputs
        old, new = (source, end) if is_output else (end, source)
        for node in graph.node:
            node.input[:] = [new if name == old else name for name in node.input]
            if is_output and node.output[0] != end:
                node.output[:] = [new if name == old else name for name in node.output]
        if is_output:
            (last,) = (n for n in graph.node if n.op_type == "Cast" and n.output[0] == end)
            graph.node.remove(last)
    _remove_idle(graph)


def _remove_idle(graph: onnx.GraphProto) -> None:
    """Remove casts with unused results."""
    outputs = {value.name for value in graph.output}
    while True:
        used = outputs | {name for node in graph.node for name in _read_by(node)}
        idle = [n for n in graph.node if n.op_type == "Cast" and n.output[0] not in used]
        if not idle:
            return
        for node in idle:
            graph.node.remove(node)


def sort_nodes(graph: onnx.GraphProto) -> None:
    """Sort nodes topologically, otherwise keeping their order."""
    known = {"", *(value.name for value in (*graph.input, *graph.initializer))}
    left, nodes = [*graph.node], []
    while left:
        ready = [node for node in left if known.issuperset(node.input)]
        assert ready, "a graph has no cycles"
        first = ready[0]
        nodes.append(first)
        known.update(first.output)
        left.remove(first)
    replace_nodes(graph, nodes)


def replace_nodes(graph: onnx.GraphProto, nodes: Iterable[onnx.NodeProto]) -> None:
    """Replace the graph's nodes; the new list may contain nodes of the graph."""
    copies = [type(node).FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(copies)


def _bypass(graph: onnx.GraphProto, cast: onnx.NodeProto) -> None:
    """Remove a cast if its input and output can be one value."""
    start, end = cast.input[0], cast.output[0]
    outputs = {value.name for value in graph.output}
    made = {name for node in graph.node for name in node.output}
    if end in outputs and (start in outputs or start not in made):
        return
    graph.node.remove(cast)
    old, new = (start, end) if end in outputs else (end, start)
    for node in graph.node:
        rename(node, old, new)


def rename(node: onnx.NodeProto, old: str, new: str) -> None:
    """Rename a value in a node, and in branches that use it from outside."""
    node.input[:] = [new if name == old else name for name in node.input]
    node.output[:] = [new if name == old else name for name in node.output]
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            for inner in graph.node:
                rename(inner, old, new)


def _read_by(node: onnx.NodeProto) -> set[str]:
    names = set(node.input)
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            names.update(value.name for value in graph.output)
            for inner in graph.node:
                names |= _read_by(inner)
    return names


def _target(cast: onnx.NodeProto) -> int:
    return next((item.i for item in cast.attribute if item.name == "to"), 0)
