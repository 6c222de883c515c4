from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from restore_rt.errors import ModelError
from restore_rt.model import registry as zoo
from restore_rt.model.manifest import check_intact, read_manifest
from restore_rt.model.precision import narrow, precision_of, to_half, widen
from tests.shipped import restoring
from tests.tensorrt.building.models import half_of

NAMES = [manifest.name for manifest in restoring()]
FLOAT, HALF = TensorProto.FLOAT, TensorProto.FLOAT16


def run(model: onnx.ModelProto, x: NDArray[Any]) -> NDArray[Any]:
    blob = model.SerializeToString()
    session = onnxruntime.InferenceSession(blob, providers=["CPUExecutionProvider"])
    result: NDArray[Any] = session.run(["y"], {"x": x})[0]
    return result


def psnr(a: NDArray[Any], b: NDArray[Any]) -> float:
    error = np.clip(a.astype(np.float64), 0, 1) - np.clip(b.astype(np.float64), 0, 1)
    return float(-10 * np.log10(np.mean(error**2) + 1e-30))


def kinds(model: onnx.ModelProto) -> tuple[set[int], int, int]:
    """Return the types of weights, of the input, and of the output.

    Scales of Resize, which are float32 always, are no weights.
    """
    graph = model.graph
    ports = (graph.input[0], graph.output[0])
    first, last = (port.type.tensor_type.elem_type for port in ports)
    scales = {name for node in graph.node if node.op_type == "Resize" for name in node.input[1:]}
    weights = {tensor.data_type for tensor in graph.initializer if tensor.name not in scales}
    return weights, first, last


def casts(model: onnx.ModelProto) -> int:
    return sum(node.op_type == "Cast" for node in model.graph.node)


def fits(model: onnx.ModelProto, expected: str) -> None:
    """Check the graph, and that its manifest is its own."""
    onnx.checker.check_model(model, full_check=True)
    manifest = read_manifest(model)
    assert manifest is not None
    check_intact(model, manifest, Path("model"))
    assert manifest.precision == precision_of(model) == expected


@pytest.mark.parametrize("name", NAMES)
def test_every_shipped_model_is_narrowed_and_widened_again(name: str) -> None:
    model = onnx.load(zoo.path_of(name))
    before = model.SerializeToString()
    rng = np.random.default_rng(5)
    # A smooth picture, with values that fp16 has.
    coarse = rng.random((1, model.graph.input[0].type.tensor_type.shape.dim[1].dim_value, 3, 5))
    x = np.kron(coarse, np.ones((8, 8))).astype(np.float16)
    wide = x.astype(np.float32)
    expected = run(model, wide)

    half = narrow(model)
    fits(half, "fp16")
    assert kinds(half) == ({HALF}, HALF, HALF)
    assert casts(half) == 0
    assert psnr(run(half, x), expected) > 55

    again = widen(half)
    fits(again, "fp32")
    assert kinds(again) == ({FLOAT}, FLOAT, FLOAT)
    assert casts(again) == 0
    # Only the weights were rounded.
    assert psnr(run(again, wide), expected) > 60

    outside = half_of(model, float_io=True)
    assert kinds(outside) == ({HALF}, FLOAT, FLOAT)
    narrowed = narrow(outside)
    fits(narrowed, "fp16")
    assert casts(narrowed) == 0
    assert np.array_equal(run(narrowed, x), run(half, x))
    widened = widen(outside)
    fits(widened, "fp32")
    assert casts(widened) == 0
    assert np.array_equal(run(widened, wide), run(again, wide))
    assert model.SerializeToString() == before


def test_what_is_narrow_or_wide_already_stays(model: onnx.ModelProto) -> None:
    assert widen(model).graph == model.graph
    half = narrow(model)
    assert [*narrow(half).graph.node] == [*half.graph.node]
    assert [*narrow(half).graph.initializer] == [*half.graph.initializer]
    assert read_manifest(narrow(half)) == read_manifest(half)


def test_nodes_that_stay_in_fp32_do_so(model: onnx.ModelProto) -> None:
    for node in model.graph.node:
        node.name = f"node_{node.output[0]}"
    kept = to_half(model, keep=["node_c1"], float_io=True)
    narrowed = narrow(kept)
    onnx.checker.check_model(narrowed, full_check=True)
    assert kinds(narrowed) == ({FLOAT, HALF}, HALF, HALF)
    # To fp32 before the node, and back behind it.
    assert casts(narrowed) == 2
    x = np.random.default_rng(1).random((1, 1, 9, 7)).astype(np.float16)
    assert psnr(run(narrowed, x), run(model, x.astype(np.float32))) > 60
    widened = widen(kept)
    onnx.checker.check_model(widened, full_check=True)
    assert kinds(widened) == ({FLOAT}, FLOAT, FLOAT)
    assert casts(widened) == 0


def test_an_input_that_nodes_in_fp32_take_is_cast(model: onnx.ModelProto) -> None:
    for node in model.graph.node:
        node.name = f"node_{node.output[0]}"
    kept = to_half(model, keep=["node_c0", "node_y"], float_io=True)
    narrowed = narrow(kept)
    onnx.checker.check_model(narrowed, full_check=True)
    assert narrowed.graph.node[0].op_type == "Cast"
    assert narrowed.graph.node[-1].op_type == "Cast"
    assert kinds(narrowed)[1:] == (HALF, HALF)
    x = np.random.default_rng(1).random((1, 1, 9, 7)).astype(np.float16)
    assert psnr(run(narrowed, x), run(model, x.astype(np.float32))) > 60


def made(nodes: list[onnx.NodeProto], weights: list[onnx.TensorProto]) -> onnx.ModelProto:
    """Return an fp16 graph of one channel with float16 in and out, and no manifest."""
    x = helper.make_tensor_value_info("x", HALF, ["n", 1, "h", "w"])
    y = helper.make_tensor_value_info("y", HALF, ["n", 1, "h", "w"])
    graph = helper.make_graph(nodes, "graph", [x], [y], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def test_constants_branches_and_casts_from_whole_numbers_are_widened() -> None:
    half = numpy_helper.from_array(np.array(0.5, np.float16), "half")
    inner = helper.make_graph(
        [helper.make_node("Mul", ["x", "constant"], ["inside"])],
        "inner",
        [],
        [helper.make_tensor_value_info("inside", HALF, None)],
        [numpy_helper.from_array(np.array(2, np.float16), "unused")],
    )
    plain = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["plain"])],
        "plain",
        [],
        [helper.make_tensor_value_info("plain", HALF, None)],
    )
    model = made(
        [
            helper.make_node("Constant", [], ["constant"], value=half),
            helper.make_node("If", ["yes"], ["chosen"], then_branch=inner, else_branch=plain),
            helper.make_node("Cast", ["chosen"], ["wide"], to=FLOAT),
            helper.make_node("Relu", ["wide"], ["relu"]),
            helper.make_node("Cast", ["relu"], ["narrow"], to=HALF),
            helper.make_node("Shape", ["x"], ["shape"]),
            helper.make_node("Cast", ["shape"], ["sizes"], to=HALF),
            helper.make_node("ReduceMax", ["sizes"], ["most"], keepdims=0),
            helper.make_node("Div", ["narrow", "most"], ["y"]),
        ],
        [numpy_helper.from_array(np.array(True), "yes")],
    )
    widened = widen(model)
    onnx.checker.check_model(widened, full_check=True)
    assert HALF not in {node.attribute[0].i for node in widened.graph.node if node.attribute}
    # Of the three casts the one from whole numbers is left.
    assert casts(widened) == 1
    x = np.random.default_rng(1).random((1, 1, 4, 8)).astype(np.float16)
    assert np.allclose(run(widened, x.astype(np.float32)), x.astype(np.float32) / 16, atol=1e-7)


def test_a_cast_between_input_and_output_stays_where_both_have_names() -> None:
    model = made([helper.make_node("Cast", ["x"], ["y"], to=HALF)], [])
    widened = widen(model)
    onnx.checker.check_model(widened, full_check=True)
    x = np.ones((1, 1, 2, 2), np.float32)
    assert np.array_equal(run(widened, x), x)


def test_int8_is_refused(model: onnx.ModelProto) -> None:
    scale = numpy_helper.from_array(np.array(0.1, np.float32), "scale")
    model.graph.initializer.append(scale)
    model.graph.node.insert(0, helper.make_node("QuantizeLinear", ["x", "scale"], ["q"]))
    assert precision_of(model) == "int8"
    for change, wanted in ((narrow, "fp16"), (widen, "fp32")):
        with pytest.raises(ModelError, match=f"int8, which cannot be made {wanted}"):
            change(model)


def test_a_model_that_says_nothing_of_itself_keeps_silent(model: onnx.ModelProto) -> None:
    del model.metadata_props[:]
    assert read_manifest(narrow(model)) is None
