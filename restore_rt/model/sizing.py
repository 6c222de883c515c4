"""A network at one input size: the shapes and memory of all its values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from restore_rt.model.graph import dimensions, inputs_of
from restore_rt.model.tensors import size_in_bytes

if TYPE_CHECKING:
    import onnx

__all__ = ["SizedNetwork", "Value", "image_axes", "size_network", "without_weights"]

# Larger tensors than this are weights; the values of smaller ones may be shapes.
_MOST_SHAPE_VALUES = 1024
_PIXEL_CHANNELS = (1, 2, 3, 4)


@dataclass(frozen=True)
class Value:
    """Element type (ONNX's number) and shape of a graph's value."""

    kind: int
    shape: tuple[int, ...]

    @property
    def count(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def bytes(self) -> int | None:
        """Memory in bytes; None for strings."""
        return size_in_bytes(self.kind, self.count)


@dataclass(frozen=True)
class SizedNetwork:
    """A graph with a fixed input size.

    Attributes
    ----------
    graph
        The graph, with local functions inlined, and inputs without data in place of large weights.
    values
        Values of known shape, by name.
    inputs, outputs
        Names of inputs and outputs.
    """

    graph: onnx.GraphProto
    values: Mapping[str, Value]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def bytes_of(self, names: tuple[str, ...]) -> int | None:
        """Return the total memory of these values; None if one is unknown."""
        total = 0
        for name in names:
            value = self.values.get(name)
            size = None if value is None else value.bytes
            if size is None:
                return None
            total += size
        return total

    def peak(self, *, known_only: bool = False) -> int | None:
        """Return the largest number of bytes of intermediate results at any time.

        Each result exists from the node that computes it to the last one that reads it; nodes run
        in the graph's order, and never in place. Inputs, outputs and weights are not counted.

        Parameters
        ----------
        known_only
            Skip unknown sizes, for a lower bound; otherwise these make the result None.
        """
        last: dict[str, int] = {}
        for place, node in enumerate(self.graph.node):
            for name in _read_by(node):
                last[name] = place
        kept = {*self.outputs, ""}
        alive: dict[str, int] = {}
        most = 0
        for place, node in enumerate(self.graph.node):
            for name in node.output:
                if name in kept:
                    continue
                value = self.values.get(name)
                size = None if value is None else value.bytes
                if size is None and not known_only:
                    return None
                alive[name] = size or 0
            most = max(most, sum(alive.values()))
            for name in {*_read_by(node), *node.output}:
                if last.get(name, -1) <= place:
                    alive.pop(name, None)
        return most


def image_axes(value: onnx.ValueInfoProto) -> tuple[int, int] | None:
    """Return the axes of height and width of a batch of pictures; None for other tensors.

    Channels are the second axis, or the last if only its size is a picture's number of channels.
    """
    sides = dimensions(value)
    if len(sides) != 4:
        return None
    last = sides[3] in _PIXEL_CHANNELS and sides[1] not in _PIXEL_CHANNELS
    return (1, 2) if last else (2, 3)


def without_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """Copy a model without its manifest, its shape annotations and the data of large tensors.

    These tensors become inputs, so that the copy is small and as valid as the model.
    """
    import onnx
    from onnx import helper

    copy = onnx.ModelProto(
        ir_version=model.ir_version, opset_import=model.opset_import, functions=model.functions
    )
    graph = copy.graph
    graph.name = "network"
    graph.node.extend(model.graph.node)
    graph.input.extend(model.graph.input)
    graph.output.extend(model.graph.output)
    listed = {value.name for value in model.graph.input}
    for tensor in model.graph.initializer:
        if math.prod(tensor.dims) <= _MOST_SHAPE_VALUES:
            graph.initializer.append(tensor)
        elif tensor.name not in listed:
            value = helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
            graph.input.append(value)
    return copy


def size_network(
    model: onnx.ModelProto, size: tuple[int, int], *, strict: bool = False
) -> SizedNetwork:
    """Infer all shapes for one size of the input.

    Parameters
    ----------
    model
        A network that passed ``check_network``.
    size
        Height and width for dynamic input sizes; a dynamic batch size becomes one.
    strict
        Raise if inference finds a contradiction; otherwise no shapes are then known.

    Raises
    ------
    Exception
        Of the many kinds that ``onnx`` raises, if ``strict``.
    """
    from onnx import inliner, shape_inference

    copy = without_weights(model)
    graph = copy.graph
    names = tuple(value.name for value in inputs_of(model))
    outputs = tuple(value.name for value in graph.output)
    by_name = {value.name: value for value in graph.input}
    for name in names:
        _fix(by_name[name], size)
    for value in graph.output:
        # What a file says of its output is to be found, not believed.
        value.type.tensor_type.ClearField("shape")
    try:
        if copy.functions:
            copy = inliner.inline_local_functions(copy)
        copy = shape_inference.infer_shapes(copy, data_prop=True)
    except Exception:
        if strict:
            raise
    graph = copy.graph
    values = {}
    for item in (*graph.input, *graph.output, *graph.value_info):
        known = _known(item)
        if known is not None:
            values[item.name] = known
    for tensor in graph.initializer:
        values[tensor.name] = Value(tensor.data_type, tuple(tensor.dims))
    return SizedNetwork(graph, values, names, outputs)


def _fix(value: onnx.ValueInfoProto, size: tuple[int, int]) -> None:
    axes = image_axes(value)
    if axes is None:
        return
    dims = value.type.tensor_type.shape.dim
    for axis, side in ((0, 1), *zip(axes, size, strict=True)):
        if not dims[axis].HasField("dim_value"):
            dims[axis].dim_value = side


def _known(item: onnx.ValueInfoProto) -> Value | None:
    kind = item.type.tensor_type
    if not item.type.HasField("tensor_type") or not kind.HasField("shape"):
        return None
    sides = dimensions(item)
    whole = tuple(side for side in sides if isinstance(side, int) and side >= 0)
    return Value(kind.elem_type, whole) if len(whole) == len(sides) else None


def _read_by(node: onnx.NodeProto) -> set[str]:
    """Return the names that a node reads, including those that its branches use from outside."""
    names = set(node.input)
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            for inner in graph.node:
                names |= _read_by(inner)
            names.update(value.name for value in graph.output)
    return names
