"""int8 graphs: static, per channel, calibrated on pictures; which layers, is measured."""

from __future__ import annotations

import logging
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from restore_rt.export.conversion import open_session, run
from restore_rt.export.cost import psnr, time_ratio
from restore_rt.export.faults import ExportError

__all__ = ["choose_layers", "to_int8"]

Batch = NDArray[np.float32]
# What ONNX Runtime's kernels compute at once; with fewer, a layer takes longer than with so many.
LANES = 16


def choose_layers(
    model: onnx.ModelProto,
    calibration: Sequence[Batch],
    samples: Sequence[Batch],
    *,
    floor: float,
    say: Callable[[str], None],
) -> onnx.ModelProto:
    """Make int8 graphs with and without the first and the last layer, and give the fastest.

    Parameters
    ----------
    model
        fp32; not changed.
    calibration
        Inputs (N, C, H, W) from which the ranges of values are learned.
    samples
        Inputs to measure on.
    floor
        Least PSNR of each sample against fp32, in dB.
    say
        Takes a line for each graph.

    Raises
    ------
    ExportError
        If the network has no layers that can be int8, or no graph reaches the floor.
    """
    layers = _layers(model)
    if not layers:
        raise ExportError("the network has no convolution that can be int8; export it in fp16")
    candidates = {"all layers": layers}
    if len(layers) > 2:
        candidates |= {
            "all but the first layer": layers[1:],
            "all but the last layer": layers[:-1],
            "all but the first and the last layer": layers[1:-1],
        }
    graphs = {what: to_int8(model, chosen, calibration) for what, chosen in candidates.items()}
    reference = open_session(model)
    expected = [run(reference, x) for x in samples]
    qualities = {}
    for what, graph in graphs.items():
        session = open_session(graph)
        qualities[what] = min(
            psnr(run(session, x), y) for x, y in zip(samples, expected, strict=True)
        )
    times = dict(zip(graphs, time_ratio(model, [*graphs.values()], samples[0]), strict=True))
    for what in graphs:
        say(f"int8 in {what}: at least {qualities[what]:.1f} dB, {times[what]:.0%} of the time")
    good = [what for what in graphs if qualities[what] >= floor]
    if not good:
        best = max(qualities.values())
        raise ExportError(
            f"int8 gives at most {best:.1f} dB against fp32 on the worst picture, allowed is "
            f"{floor:.1f}; lower --tolerance, give more --images, or export in fp16"
        )
    chosen = min(good, key=lambda what: times[what])
    say(f"int8 in {chosen} is taken")
    if times[chosen] >= 1:
        say("on this CPU, with what else it does now, int8 is no faster than fp32")
    return graphs[chosen]


def _layers(model: onnx.ModelProto) -> list[str]:
    """Name the convolutions that compute; those by zeros and ones alone only move values."""
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    return [
        node.name
        for node in model.graph.node
        if node.op_type == "Conv"
        and node.input[1] in weights
        and not np.isin(numpy_helper.to_array(weights[node.input[1]]), (0, 1)).all()
    ]


def to_int8(
    model: onnx.ModelProto, layers: Sequence[str], calibration: Sequence[Batch]
) -> onnx.ModelProto:
    """Quantise convolutions: 7-bit weights by output channel, uint8 values, in QDQ form.

    Parameters
    ----------
    model
        fp32; not changed.
    layers
        Names of convolutions; a ReLU behind one becomes part of it.
    calibration
        Inputs whose ranges of values are taken.
    """
    from onnxruntime.quantization import (
        CalibrationDataReader,
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._left: Iterator[Batch] = iter(calibration)

        def get_next(self) -> dict[str, Any] | None:
            x = next(self._left, None)
            return None if x is None else {"x": x}

    filled = _filled(model, layers)
    behind = {name: node for node in filled.graph.node for name in node.input}
    chosen = list(layers)
    for node in filled.graph.node:
        follower = behind.get(node.output[0])
        if node.name in layers and follower is not None and follower.op_type == "Relu":
            chosen.append(follower.name)
    root = logging.getLogger()
    level = root.level
    # The library advises to run a step that would make shapes static.
    root.setLevel(logging.ERROR)
    try:
        with tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder, "fp32.onnx"), Path(folder, "int8.onnx")
            onnx.save(filled, source)
            quantize_static(
                source,
                target,
                Reader(),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                # Weights of -64 to 64: on a CPU without VNNI, ONNX Runtime adds two products in 16
                # bits, where 2 * 255 * 64 = 32640 still fits, and those of 8-bit weights may not.
                reduce_range=True,
                nodes_to_quantize=chosen,
                calibrate_method=CalibrationMethod.MinMax,
            )
            made = onnx.load(target)
    finally:
        root.setLevel(level)
    del made.metadata_props[:], made.graph.value_info[:]
    made.producer_name, made.producer_version = model.producer_name, model.producer_version
    return made


def _filled(model: onnx.ModelProto, layers: Sequence[str]) -> onnx.ModelProto:
    """Give convolutions with few outputs as many as the kernels compute anyway, and cut them off.

    The outputs that are added are zero.
    """
    made = onnx.ModelProto()
    made.CopyFrom(model)
    graph = made.graph
    weights = {tensor.name: tensor for tensor in graph.initializer}
    uses = Counter(name for node in graph.node for name in node.input)

    def can_be_filled(node: onnx.NodeProto) -> bool:
        own = all(name in weights and uses[name] == 1 for name in node.input[1:])
        # More outputs would belong to other groups.
        return own and all(item.i == 1 for item in node.attribute if item.name == "group")

    # Between the two a cut would keep them from being one.
    before_relu = {node.input[0] for node in graph.node if node.op_type == "Relu"}
    nodes = []
    for node in graph.node:
        nodes.append(node)
        if node.name not in layers or not can_be_filled(node):
            continue
        kernel = numpy_helper.to_array(weights[node.input[1]])
        if len(kernel) >= LANES or node.output[0] in before_relu:
            continue
        for name in node.input[1:]:
            values = numpy_helper.to_array(weights[name])
            more = np.zeros((LANES - len(values), *values.shape[1:]), values.dtype)
            weights[name].CopyFrom(numpy_helper.from_array(np.concatenate([values, more]), name))
        whole = node.output[0]
        node.output[0] = f"{whole}_filled"
        ends = {"first": 0, "end": len(kernel), "axis": 1}
        for end, value in ends.items():
            tensor = numpy_helper.from_array(np.array([value], np.int64), f"{whole}_{end}")
            graph.initializer.append(tensor)
        inputs = [node.output[0], *(f"{whole}_{end}" for end in ends)]
        nodes.append(helper.make_node("Slice", inputs, [whole], f"{node.name}_cut"))
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(copies)
    return made
