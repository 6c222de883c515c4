"""Conversion of a graph from fp32 to fp16, and from fp16 to fp32."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

import numpy as np

from restore_rt.errors import BackendError, ModelError
from restore_rt.model.casts import join_casts, rename, replace_nodes, simplify_casts, sort_nodes
from restore_rt.model.manifest import read_manifest, weights_sha256, write_manifest

if TYPE_CHECKING:
    import onnx

__all__ = ["narrow", "precision_of", "single", "to_half", "widen"]

# Attributes that hold an element type.
_TYPES_OF = ("to", "dtype", "output_dtype")


def precision_of(model: onnx.ModelProto) -> str:
    """Return ``"int8"`` if the graph quantises, otherwise the weights' ``"fp16"`` or ``"fp32"``."""
    from onnx import TensorProto

    if any("QuantizeLinear" in node.op_type for graph in _graphs(model) for node in graph.node):
        return "int8"
    kinds = {tensor.data_type for graph in _graphs(model) for tensor in graph.initializer}
    return "fp16" if TensorProto.FLOAT16 in kinds else "fp32"


def narrow(model: onnx.ModelProto) -> onnx.ModelProto:
    """Convert a network to fp16, with float16 input and output.

    Nodes that an fp16 network keeps in fp32 stay in fp32; an fp32 network keeps none. The caller
    must measure the loss: values beyond 65,504 become infinite.

    Parameters
    ----------
    model
        fp32, or fp16 with any input and output; not changed.

    Returns
    -------
    onnx.ModelProto
        With a manifest that fits, if `model` has one.

    Raises
    ------
    ModelError
        The network is int8.
    BackendError
        ONNX Runtime, whose converter is used, is not installed.
    """
    found = precision_of(model)
    _refuse_int8(found, "fp16")
    if found == "fp32":
        return _described(to_half(model, float_io=False), model, "fp16")
    made = _copy(model)
    _take_half(made.graph)
    simplify_casts(made)
    return _described(made, model, "fp16")


def widen(model: onnx.ModelProto) -> onnx.ModelProto:
    """Convert a network to fp32, with float32 input and output; weights keep their values.

    Parameters
    ----------
    model
        fp16, with any input and output, or fp32; not changed.

    Returns
    -------
    onnx.ModelProto
        With a manifest that fits, if `model` has one.

    Raises
    ------
    ModelError
        The network is int8.
    """
    from onnx import TensorProto

    _refuse_int8(precision_of(model), "fp32")
    return _described(_in_fp32(model, TensorProto.FLOAT16), model, "fp32")


def single(model: onnx.ModelProto) -> onnx.ModelProto:
    """Convert float64 in a network to float32; `model` is not changed.

    Libraries run pictures in float64 rarely or not at all, and 8 bits need no more than float32.
    """
    from onnx import TensorProto

    return _in_fp32(model, TensorProto.DOUBLE)


def to_half(
    model: onnx.ModelProto, *, keep: Collection[str] = (), float_io: bool = True
) -> onnx.ModelProto:
    """Return a graph whose weights and values are typed as fp16.

    Parameters
    ----------
    model
        fp32; not changed. A manifest is copied, and does not match the result.
    keep
        Names of nodes that stay in fp32, between casts.
    float_io
        Keep input and output in float32; otherwise they are float16.

    Raises
    ------
    BackendError
        ONNX Runtime, whose converter is used, is not installed.
    """
    try:
        from onnxruntime.transformers.float16 import convert_float_to_float16
    except ImportError as error:
        raise BackendError(
            f"making a network fp16 needs ONNX Runtime's converter, which cannot be imported "
            f"({error}): pip install 'restore-rt[gpu]' (or 'restore-rt[cpu]'), or load a model "
            "that is fp16"
        ) from error
    made = _copy(model)
    with warnings.catch_warnings():
        # Of weights that are nearly zero in fp16; what that costs is measured.
        warnings.simplefilter("ignore")
        half: onnx.ModelProto = convert_float_to_float16(
            made, keep_io_types=float_io, op_block_list=[], node_block_list=list(keep)
        )
    join_casts(half.graph)
    sort_nodes(half.graph)
    return half


def _refuse_int8(found: str, wanted: str) -> None:
    if found == "int8":
        raise ModelError(
            f"the network is int8, which cannot be made {wanted}; export it in fp32 or fp16"
        )


def _copy(model: onnx.ModelProto) -> onnx.ModelProto:
    made = type(model)()
    made.CopyFrom(model)
    return made


def _described(made: onnx.ModelProto, source: onnx.ModelProto, precision: str) -> onnx.ModelProto:
    manifest = read_manifest(source)
    if manifest is not None:
        checksum = weights_sha256(made)
        write_manifest(made, dataclasses.replace(manifest, precision=precision, sha256=checksum))
    return made


def _graphs(model: onnx.ModelProto) -> Iterator[onnx.GraphProto]:
    """Iterate over the graph and the branches of its nodes."""
    waiting = [model.graph]
    while waiting:
        graph = waiting.pop()
        yield graph
        for node in graph.node:
            for attribute in node.attribute:
                waiting += [attribute.g] if attribute.HasField("g") else []
                waiting += attribute.graphs


def _in_fp32(model: onnx.ModelProto, kind: int) -> onnx.ModelProto:
    """Return a copy in which everything of an element type is float32."""
    made = _copy(model)
    for graph in _graphs(made):
        for tensor in graph.initializer:
            _retype_tensor(tensor, kind)
        for value in (*graph.input, *graph.output, *graph.value_info):
            _retype_value(value, kind)
        for node in graph.node:
            _retype_node(node, kind)
    for function in made.functions:
        for node in function.node:
            _retype_node(node, kind)
    simplify_casts(made)
    return made


def _retype_tensor(tensor: onnx.TensorProto, kind: int) -> None:
    from onnx import numpy_helper

    if tensor.data_type == kind:
        values = numpy_helper.to_array(tensor).astype(np.float32)
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))


def _retype_value(value: onnx.ValueInfoProto, kind: int) -> None:
    from onnx import TensorProto

    if value.type.tensor_type.elem_type == kind:
        value.type.tensor_type.elem_type = TensorProto.FLOAT


def _retype_node(node: onnx.NodeProto, kind: int) -> None:
    from onnx import TensorProto

    for attribute in node.attribute:
        if attribute.name in _TYPES_OF and attribute.i == kind:
            attribute.i = TensorProto.FLOAT
        if attribute.HasField("t"):
            _retype_tensor(attribute.t, kind)
        for tensor in attribute.tensors:
            _retype_tensor(tensor, kind)


def _take_half(graph: onnx.GraphProto) -> None:
    """Change a graph's float32 input and output to float16, by casts."""
    from onnx import TensorProto, helper

    weights = {tensor.name for tensor in graph.initializer}
    front: list[onnx.NodeProto] = []
    back: list[onnx.NodeProto] = []
    for ports, casts, inside in ((graph.input, front, True), (graph.output, back, False)):
        for value in ports:
            kind = value.type.tensor_type
            if value.name in weights or kind.elem_type != TensorProto.FLOAT:
                continue
            kind.elem_type = TensorProto.FLOAT16
            inner = f"{value.name}_fp32"
            for node in graph.node:
                rename(node, value.name, inner)
            ends = (value.name, inner) if inside else (inner, value.name)
            to = TensorProto.FLOAT if inside else TensorProto.FLOAT16
            name = f"cast_{value.name}"
            casts.append(helper.make_node("Cast", [ends[0]], [ends[1]], name=name, to=to))
    replace_nodes(graph, [*front, *graph.node, *back])
