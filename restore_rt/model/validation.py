"""Checks of a model's file before a C++ library reads its graph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from restore_rt.errors import ModelError
from restore_rt.model.graph import (
    DEEPEST,
    branches_of,
    dimensions,
    graphs_of,
    inputs_of,
    nodes_of,
)
from restore_rt.model.sizing import image_axes, size_network, without_weights
from restore_rt.model.tensors import check_tensor
from restore_rt.wording import one_line

if TYPE_CHECKING:
    import onnx
    from google.protobuf.message import Message

__all__ = ["MOST_FIXED_PIXELS", "check_network"]

_MOST_NODES = 100_000
# A frame of 8K: a network of a larger size alone does not run on tiles.
MOST_FIXED_PIXELS = 2**25
# Where height and width are free, memory is looked at for a tile of this side.
_SIDE = 32
# Far more than real networks need: 1,024 channels of float32 at 8 times the height and width.
_MOST_BYTES_PER_PIXEL = 1024 * 8 * 8 * 4
_ALWAYS_ALLOWED = 2**30

# How long they run is for values to say, and no picture needs them.
_ENDLESS = ("Loop", "Scan", "SequenceMap")


def check_network(model: onnx.ModelProto) -> None:
    """Refuse a graph that is invalid, unbounded, or lacks weights.

    A backend may still refuse a graph that passes, but the graph cannot crash the backend, keep it
    busy for ever, or, where shapes can be inferred, make it allocate excessive memory.

    Raises
    ------
    ModelError
        The graph fails a check; the message says where.
    """
    import onnx

    _check_texts(model)
    if not model.graph.node:
        raise ModelError("it holds no network")
    _check_names(model)
    for graph in graphs_of(model):
        for tensor in graph.initializer:
            check_tensor(tensor)
        if graph.sparse_initializer:
            raise ModelError("it has sparse weights, which are not read: save them as dense ones")
    for node in nodes_of(model):
        _check_node(node)
    _check_functions(model)
    try:
        onnx.checker.check_model(without_weights(model))
    except Exception as error:
        raise ModelError(one_line(error)) from error
    _check_memory(model)


def _check_texts(message: Message) -> None:
    """Refuse names and other texts, read as bytes, that are not UTF-8."""
    for kind, value in message.ListFields():
        if kind.type not in (kind.TYPE_STRING, kind.TYPE_MESSAGE):
            continue
        for item in value if hasattr(value, "append") else (value,):
            if isinstance(item, bytes):
                raise ModelError(f"its {kind.name} {item[:80]!r} is no text: the file is damaged")
            if not isinstance(item, str):
                _check_texts(item)


def _check_names(model: onnx.ModelProto) -> None:
    for what, names in (
        ("weights", [tensor.name for tensor in model.graph.initializer]),
        ("entries of its description", [entry.key for entry in model.metadata_props]),
        ("inputs", [value.name for value in model.graph.input]),
        ("outputs", [value.name for value in model.graph.output]),
    ):
        twice = [name for name, count in Counter(names).items() if count > 1]
        if twice:
            raise ModelError(f"two {what} are called {twice[0][:80]!r}; names must differ")


def _check_node(node: onnx.NodeProto) -> None:
    if node.op_type in _ENDLESS:
        raise ModelError(
            f"it has the operator {node.op_type}, whose end cannot be foreseen: export the model "
            "without loops"
        )
    for attribute in node.attribute:
        if attribute.HasField("sparse_tensor") or attribute.sparse_tensors:
            raise ModelError(f"the node {node.name[:80]!r} has a sparse tensor; save a dense one")
        for tensor in (attribute.t, *attribute.tensors):
            if tensor.ByteSize():
                check_tensor(tensor)


def _check_functions(model: onnx.ModelProto) -> None:
    """Refuse functions that are recursive or expand to too many nodes."""
    functions = {(item.domain, item.name): item for item in model.functions}
    if len(functions) < len(model.functions):
        raise ModelError("two functions have one name; names must differ")
    sizes: dict[tuple[str, str], int] = {}
    running: set[tuple[str, str]] = set()

    def unfolded(nodes: Iterable[onnx.NodeProto], depth: int) -> int:
        total = 0
        for node in nodes:
            key = (node.domain, node.op_type)
            total += 1
            if key in functions:
                if key in running or depth > DEEPEST:
                    raise ModelError(
                        f"its function {node.op_type[:80]!r} calls itself, or lies more than "
                        f"{DEEPEST} deep in others"
                    )
                if key not in sizes:
                    running.add(key)
                    sizes[key] = unfolded(functions[key].node, depth + 1)
                    running.remove(key)
                total += sizes[key]
            for graph in branches_of(node):
                total += unfolded(graph.node, depth)
            if total > _MOST_NODES:
                raise ModelError(f"its graph unfolds to more than {_MOST_NODES} nodes")
        return total

    unfolded(model.graph.node, 0)


def _check_memory(model: onnx.ModelProto) -> None:
    """Refuse a graph whose activations are disproportionate to its input."""
    inputs = inputs_of(model)
    axes = image_axes(inputs[0]) if inputs else None
    if axes is None:
        return
    sides = dimensions(inputs[0])
    height, width = (
        side if isinstance(side, int) else _SIDE for side in (sides[axes[0]], sides[axes[1]])
    )
    if not (height > 0 and width > 0 and height * width <= MOST_FIXED_PIXELS):
        raise ModelError(
            f"it takes frames of {width}x{height} alone; allowed are up to {MOST_FIXED_PIXELS} "
            "pixels"
        )
    try:
        network = size_network(model, (height, width), strict=True)
    except Exception as error:
        raise ModelError(f"the shapes in it contradict each other: {one_line(error)}") from error
    allowed = max(height * width * _MOST_BYTES_PER_PIXEL, _ALWAYS_ALLOWED)
    needed = network.peak(known_only=True) or 0
    if needed > allowed:
        raise ModelError(
            f"it computes {needed / 2**30:.1f} GiB of values for a frame of {width}x{height}; "
            f"allowed are {allowed / 2**30:.1f}"
        )
