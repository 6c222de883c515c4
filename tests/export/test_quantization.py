from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper

from restore_rt.export import ExportError
from restore_rt.export.conversion import open_session, run
from restore_rt.export.cost import psnr
from restore_rt.export.quantization import choose_layers, to_int8
from restore_rt.export.samples import synthetic_samples
from restore_rt.model import registry as zoo
from tests.networks import nearest, network

SAMPLES = [sample[:, :, :40, :56] for sample in synthetic_samples(1)]


def without_manifest(path: Path) -> Path:
    """Write a network that says nothing of itself."""
    onnx.save(network(nearest(1, 2), 2), path)
    return path


@pytest.fixture(scope="module")
def model() -> onnx.ModelProto:
    """Return a shipped model: six convolutions, of which the last has four outputs."""
    return onnx.load(zoo.path_of("video-x2-fast"))


def convolutions(model: onnx.ModelProto) -> list[str]:
    """Name a model's convolutions."""
    return [node.name for node in model.graph.node if node.op_type == "Conv"]


def outputs_of(model: onnx.ModelProto) -> list[NDArray[np.float32]]:
    """Return what a model gives for each sample."""
    session = open_session(model)
    return [run(session, x) for x in SAMPLES]


def test_layers_become_int8_and_others_stay(model: onnx.ModelProto) -> None:
    layers = convolutions(model)
    made = to_int8(model, layers[1:-1], SAMPLES)
    onnx.checker.check_model(made, full_check=True)
    weights = {tensor.name: tensor for tensor in made.graph.initializer}
    whole = [tensor for tensor in weights.values() if tensor.data_type == onnx.TensorProto.FLOAT]
    quantised = [t for t in weights.values() if t.data_type == onnx.TensorProto.INT8 and t.dims]
    kernels = [t for t in quantised if len(t.dims) == 4]
    assert [list(t.dims) for t in kernels] == [[16, 16, 3, 3]] * 4
    assert sorted([*t.dims] for t in whole if len(t.dims) == 4) == [[4, 16, 3, 3], [16, 1, 3, 3]]
    # By channel: a scale for each output.
    scales = [name for name in weights if name.endswith("weight_scale")]
    assert all(list(weights[name].dims) == [16] for name in scales)
    assert len(scales) == 4
    # A ReLU became a part of the layer before it: what follows is quantised once.
    kinds = [node.op_type for node in made.graph.node]
    assert kinds.count("Relu") <= 2
    for expected, actual in zip(outputs_of(model), outputs_of(made), strict=True):
        assert actual.shape == expected.shape
        assert 38 < psnr(actual, expected) < 100


def test_a_last_layer_with_few_outputs_is_filled_and_cut(model: onnx.ModelProto) -> None:
    made = to_int8(model, convolutions(model), SAMPLES)
    last = [t for t in made.graph.initializer if t.name.startswith("layers.5.weight_quantized")]
    (kernel,) = (numpy_helper.to_array(tensor) for tensor in last)
    assert kernel.shape == (16, 16, 3, 3)
    assert not kernel[4:].any()
    assert kernel[:4].any()
    assert [node.op_type for node in made.graph.node].count("Slice") == 1
    for expected, actual in zip(outputs_of(model), outputs_of(made), strict=True):
        assert psnr(actual, expected) > 38


def test_two_products_of_a_byte_and_a_weight_fit_in_16_bits(model: onnx.ModelProto) -> None:
    """So that ONNX Runtime does not saturate on a CPU without VNNI."""
    made = to_int8(model, convolutions(model), SAMPLES)
    kernels = [
        numpy_helper.to_array(tensor).astype(int)
        for tensor in made.graph.initializer
        if tensor.data_type == onnx.TensorProto.INT8 and len(tensor.dims) == 4
    ]
    largest = max(np.abs(kernel).max() for kernel in kernels)
    assert 2 * 255 * largest <= np.iinfo(np.int16).max
    # Of all that is allowed, so that no bit of precision is lost.
    assert largest >= 63


def test_the_fastest_choice_that_is_good_enough_is_taken(
    model: onnx.ModelProto, monkeypatch: pytest.MonkeyPatch
) -> None:
    from restore_rt.export import quantization

    said: list[str] = []
    ratios = [0.4, 0.3, 0.5, 0.6]
    monkeypatch.setattr(quantization, "time_ratio", lambda *_: ratios)
    made = choose_layers(model, SAMPLES, SAMPLES, floor=30, say=said.append)
    assert said[-1] == "int8 in all but the first layer is taken"
    assert len(said) == 5
    assert "layers.0.weight" in {tensor.name for tensor in made.graph.initializer}
    ratios[1] = 0.7
    choose_layers(model, SAMPLES, SAMPLES, floor=30, say=said.append)
    assert said[-1] == "int8 in all layers is taken"


def test_what_costs_too_much_is_refused(model: onnx.ModelProto) -> None:
    with pytest.raises(ExportError, match=r"int8 gives at most \d\d\.\d dB .* allowed is 99\.0"):
        choose_layers(model, SAMPLES[:1], SAMPLES[:1], floor=99, say=lambda line: None)


def test_a_network_that_only_moves_values_has_no_layers() -> None:
    with pytest.raises(ExportError, match="no convolution that can be int8"):
        choose_layers(network(nearest(1, 2), 2), SAMPLES, SAMPLES, floor=1, say=lambda line: None)


def test_layers_of_groups_are_not_filled() -> None:
    rng = np.random.default_rng(0)
    nodes, weights, name = [], [], "x"
    for index, (outputs, inputs, group) in enumerate([(9, 1, 1), (9, 1, 9), (1, 9, 1)]):
        kernel = rng.normal(size=(outputs, inputs, 3, 3)).astype(np.float32) / 9
        weights.append(numpy_helper.from_array(kernel, f"w{index}"))
        out = "y" if index == 2 else f"c{index}"
        nodes.append(
            onnx.helper.make_node(
                "Conv", [name, f"w{index}"], [out], f"n{index}", pads=[1] * 4, group=group
            )
        )
        name = out
    sides: list[str | int | None] = ["n", 1, "h", "w"]
    graph = onnx.helper.make_graph(
        nodes,
        "groups",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, sides)],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, sides)],
        weights,
    )
    opsets = [onnx.helper.make_opsetid("", 18)]
    model = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=10)
    made = to_int8(model, ["n0", "n1", "n2"], SAMPLES)
    kinds = [node.op_type for node in made.graph.node]
    # The first and the last are.
    assert kinds.count("Slice") == 2
    for expected, actual in zip(outputs_of(model), outputs_of(made), strict=True):
        assert np.abs(actual - expected).max() <= 0.05 * np.abs(expected).max()
