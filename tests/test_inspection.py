"""What is found of a model agrees with what was worked out by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from restore_rt.errors import InputError, ModelError
from restore_rt.inspection import inspect_model
from restore_rt.model.counting import count_tensors, multiply_adds
from restore_rt.model.manifest import read_manifest, weights_sha256, write_manifest
from restore_rt.model.sizing import size_network
from tests.networks import MakeModel, nearest, network

FLOAT, HALF, BYTE = TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.UINT8


def saved(
    path: Path,
    nodes: list[onnx.NodeProto],
    tensors: dict[str, Any],
    *,
    shape: tuple[int | str, ...] = (1, 3, "h", "w"),
    kind: int = FLOAT,
    out_kind: int | None = None,
) -> Path:
    x = helper.make_tensor_value_info("x", kind, shape)
    y = helper.make_tensor_value_info("y", out_kind or kind, ["a", "b", "c", "d"])
    weights = [numpy_helper.from_array(np.asarray(value), name) for name, value in tensors.items()]
    graph = helper.make_graph(nodes, "network", [x], [y], weights)
    sets = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(graph, opset_imports=sets, ir_version=10), path)
    return path


def conv(source: str, out: str, *weights: str, pad: int = 1, **settings: Any) -> onnx.NodeProto:
    return helper.make_node("Conv", [source, *weights], [out], pads=[pad] * 4, **settings)


def test_video_x2() -> None:
    found = inspect_model("video-x2", size=(100, 200))
    assert found.manifest is not None
    assert found.intact is True
    assert (found.parameters, found.constants) == (23_940, 0)
    assert found.weight_types == {"float32": 23_940}
    assert found.operators == {"Conv": 12, "Relu": 11, "Add": 1, "DepthToSpace": 1}
    assert found.opsets == {"ai.onnx": 18}
    assert found.file_size == found.path.stat().st_size
    cost = found.cost
    assert cost.output_size == (200, 400)
    # Eleven layers make 16 channels and the last makes 4 (2 x 2 pixels).
    each = 9 * (1 * 16 + 10 * 16 * 16 + 16 * 4)
    assert cost.multiply_adds == 100 * 200 * each
    assert cost.per_output_pixel == each / 4 == 5940
    plane = 100 * 200 * 4
    # What a layer reads and what it makes, of 16 channels each.
    assert cost.memory.activations == 2 * 16 * plane
    assert (cost.memory.input, cost.memory.output) == (plane, 4 * plane)
    assert cost.memory.weights == 4 * 23_940
    assert cost.memory.total == 4 * 23_940 + (1 + 4 + 32) * plane
    assert found.runs_on["native on cpu"].runs
    assert found.runs_on["native on cpu"].reason.startswith("video-x2 on native backend, ")
    assert not found.runs_on["onnxruntime on cuda"].runs
    assert "backend 'onnxruntime'" in found.runs_on["onnxruntime on cuda"].reason


def test_the_card_of_photo_x2_is_right() -> None:
    found = inspect_model("photo-x2")
    assert found.manifest is not None
    assert found.cost.size == found.manifest.tile
    assert found.cost.per_output_pixel is not None
    # 3 to 64 channels, fourteen layers of 64, 64 to 12, and 1 x 1 from 3 to 12 beside them.
    each = 9 * (3 * 64 + 14 * 64 * 64 + 64 * 12) + 3 * 12
    assert 4 * found.cost.per_output_pixel == each
    assert round(each, -3) == 525_000
    assert found.parameters == 525_744


def test_what_is_no_weight_is_counted_apart() -> None:
    found = inspect_model("photo-x4")
    # Three times four scales of Resize, but the exporter made of equal ones a single tensor.
    model = onnx.load(found.path)
    scales = {node.input[2] for node in model.graph.node if node.op_type == "Resize"}
    assert found.constants == 4 * len(scales)
    everything = sum(int(np.prod(tensor.dims)) for tensor in model.graph.initializer)
    assert found.parameters + found.constants == everything


def test_an_int8_graph_has_as_many_weights_as_the_float_one(tmp_path: Path) -> None:
    tensors = {
        "in_scale": np.float32(1 / 255),
        "in_zero": np.uint8(0),
        "w": np.ones((8, 3, 3, 3), np.int8),
        "w_scale": np.full(8, 0.01, np.float32),
        "w_zero": np.zeros(8, np.int8),
        "b": np.ones(8, np.int32),
        "b_scale": np.full(8, 1e-4, np.float32),
        "slope": np.ones((8, 1, 1), np.float32),
        "unread": np.ones((5, 5), np.float32),
    }
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "in_scale", "in_zero"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "in_scale", "in_zero"], ["d"]),
        helper.make_node("DequantizeLinear", ["w", "w_scale", "w_zero"], ["wd"], axis=0),
        helper.make_node("DequantizeLinear", ["b", "b_scale"], ["bd"], axis=0),
        conv("d", "c", "wd", "bd"),
        helper.make_node("PRelu", ["c", "slope"], ["y"]),
    ]
    path = saved(tmp_path / "int8.onnx", nodes, tensors)
    found = inspect_model(path, size=(10, 20))
    assert found.parameters == 8 * 27 + 8 + 8
    assert found.constants == 1 + 1 + 8 + 8 + 8 + 25
    assert found.weight_types == {"int8": 216, "int32": 8, "float32": 8}
    assert found.cost.multiply_adds == 10 * 20 * 8 * 27
    assert found.cost.memory.weights == 216 + 4 * 8 + 4 * 8 + (4 + 1 + 32 + 8 + 32 + 100)
    # At the convolution: its input and its output as floats, its weights and biases as floats.
    assert found.cost.memory.activations == 4 * (3 * 200 + 8 * 200 + 216 + 8)
    assert found.manifest is None
    assert found.intact is None


def test_frames_of_bytes_are_recognized(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Cast", ["x"], ["float"], to=FLOAT),
        helper.make_node("Transpose", ["float"], ["planes"], perm=[0, 3, 1, 2]),
        conv("planes", "c", "w"),
        helper.make_node("DepthToSpace", ["c"], ["large"], blocksize=2),
        helper.make_node("Transpose", ["large"], ["back"], perm=[0, 2, 3, 1]),
        helper.make_node("Cast", ["back"], ["y"], to=BYTE),
    ]
    weights = {"w": np.ones((12, 3, 3, 3), np.float32)}
    shape = ("n", "h", "w", 3)
    path = saved(tmp_path / "bytes.onnx", nodes, weights, shape=shape, kind=BYTE)
    model = onnx.load(path)
    model.graph.output[0].type.tensor_type.shape.dim[3].dim_value = 3
    onnx.save(model, path)
    found = inspect_model(path, size=(6, 5))
    assert found.inputs[0].shape == ("n", "h", "w", 3)
    assert found.inputs[0].type == "uint8"
    assert found.cost.output_size == (12, 10)
    assert found.cost.per_output_pixel == 27 * 12 / 4
    assert found.cost.memory.input == 6 * 5 * 3
    assert found.cost.memory.output == 12 * 10 * 3
    assert not found.runs_on["native on cpu"].runs


def test_half_precision(tmp_path: Path) -> None:
    weights = {"w": np.ones((3, 3, 3, 3), np.float16), "b": np.ones(3, np.float16)}
    nodes = [conv("x", "y", "w", "b")]
    found = inspect_model(saved(tmp_path / "half.onnx", nodes, weights, kind=HALF), size=(8, 8))
    assert found.weight_types == {"float16": 84}
    assert found.cost.memory.weights == 168
    assert found.cost.memory.input == 8 * 8 * 3 * 2
    assert not found.runs_on["native on cpu"].runs


def test_half_precision_is_said_to_be_slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = {"w": np.ones((3, 3, 3, 3), np.float16)}
    path = saved(tmp_path / "half.onnx", [conv("x", "y", "w")], weights, kind=HALF)
    for machine, count in (("x86_64", 1), ("aarch64", 0)):
        monkeypatch.setattr("platform.machine", lambda name=machine: name)
        assert len(inspect_model(path).notes) == count
    assert inspect_model("video-x2").notes == ()


@pytest.mark.parametrize(
    ("node", "shape", "expected"),
    [
        (conv("x", "y", "k", pad=0), (4, 3, 5, 5), 6 * 16 * 4 * 75),
        (conv("x", "y", "k", pad=2, strides=[2, 2]), (4, 3, 5, 5), 5 * 10 * 4 * 75),
        (conv("x", "y", "k", pad=0, group=3), (6, 1, 5, 5), 6 * 16 * 6 * 25),
        (helper.make_node("ConvTranspose", ["x", "k"], ["y"]), (3, 7, 2, 2), 200 * 3 * 7 * 4),
        (helper.make_node("MatMul", ["x", "k"], ["y"]), (20, 9), 3 * 10 * 9 * 20),
    ],
)
def test_multiply_adds_of_a_node(
    tmp_path: Path, node: onnx.NodeProto, shape: tuple[int, ...], expected: int
) -> None:
    weights = {"k": np.ones(shape, np.float32)}
    path = saved(tmp_path / "node.onnx", [node], weights)
    assert inspect_model(path, size=(10, 20)).cost.multiply_adds == expected


def test_multiply_adds_of_gemm() -> None:
    def made(turned: int) -> onnx.ModelProto:
        x = helper.make_tensor_value_info("x", FLOAT, [6, 6])
        y = helper.make_tensor_value_info("y", FLOAT, None)
        weights = [numpy_helper.from_array(np.ones((6, 5), np.float32), "w")]
        nodes = [
            helper.make_node("Slice", ["x", "a", "b", "c"], ["s"]),
            helper.make_node("Gemm", ["s", "w"], ["y"], transA=turned),
        ]
        for name, value in (("a", 0), ("b", 4), ("c", turned)):
            weights.append(numpy_helper.from_array(np.array([value], np.int64), name))
        return helper.make_model(
            helper.make_graph(nodes, "g", [x], [y], weights),
            opset_imports=[helper.make_opsetid("", 20)],
        )

    # (4, 6) by (6, 5) either way: once as it is, and once turned.
    for turned in (0, 1):
        assert multiply_adds(size_network(made(turned), (1, 1))) == 4 * 5 * 6
    assert count_tensors(made(1)).constants == 3


@pytest.mark.parametrize("what", ["shape", "operator"])
def test_what_is_not_known_is_not_zero(tmp_path: Path, what: str) -> None:
    weights: dict[str, Any] = {"w": np.ones((3, 3, 3, 3), np.float32)}
    if what == "shape":
        # How many rows there are is for the picture to say.
        nodes = [
            helper.make_node("NonZero", ["x"], ["places"]),
            helper.make_node("Shape", ["places"], ["sides"], start=1),
            helper.make_node("Concat", ["head", "sides", "tail"], ["shape"], axis=0),
            helper.make_node("Expand", ["one", "shape"], ["z"]),
            conv("z", "y", "w"),
        ]
        weights |= {"head": np.array([1, 3]), "tail": np.array([4])}
        weights["one"] = np.ones((1, 3, 1, 1), np.float32)
    else:
        nodes = [
            helper.make_node("FusedConv", ["x", "w"], ["y"], domain="com.microsoft", pads=[1] * 4)
        ]
    cost = inspect_model(saved(tmp_path / "a.onnx", nodes, weights), size=(8, 8)).cost
    assert cost.multiply_adds is None
    assert cost.per_output_pixel is None
    assert cost.memory.output is None
    assert cost.memory.total is None
    assert cost.memory.input == 8 * 8 * 3 * 4


def test_functions_are_looked_into(tmp_path: Path) -> None:
    path = saved(
        tmp_path / "f.onnx",
        [helper.make_node("Twice", ["x", "w"], ["y"], domain="own")],
        {"w": np.ones((3, 3, 1, 1), np.float32)},
    )
    model = onnx.load(path)
    sets = [helper.make_opsetid("", 20)]
    nodes = [conv("a", "t", "k", pad=0), conv("t", "b", "k", pad=0)]
    model.functions.append(helper.make_function("own", "Twice", ["a", "k"], ["b"], nodes, sets))
    model.opset_import.append(helper.make_opsetid("own", 1))
    onnx.save(model, path)
    found = inspect_model(path, size=(10, 10))
    assert found.operators == {"Conv": 2, "own.Twice": 1}
    assert found.cost.multiply_adds == 2 * 100 * 9
    assert found.parameters == 9


def test_the_size_is_what_the_network_takes(make_model: MakeModel) -> None:
    fixed = make_model(nearest(1, 2), scale=2, size=("n", 24, 32))
    assert inspect_model(fixed).cost.size == (24, 32)
    assert inspect_model(fixed, size=(24, 32)).cost.output_size == (48, 64)
    with pytest.raises(InputError, match=r"size is 33x24; allowed are 32 \(width\) and 24"):
        inspect_model(fixed, size=(24, 33))
    coarse = make_model(nearest(1, 2), scale=2, multiple=8)
    assert inspect_model(coarse).cost.size == (64, 64)
    for size in ((12, 16), (0, 8), (8, 80000)):
        with pytest.raises(InputError, match=r"multiples of 8 from 8 to 65536 \(height\)"):
            inspect_model(coarse, size=size)


def test_a_file_without_a_manifest_gets_a_usual_size(make_model: MakeModel) -> None:
    found = inspect_model(make_model(nearest(3, 2), scale=2, manifest=False))
    assert found.cost.size == (360, 640)
    assert found.manifest is None


def test_more_inputs_than_one_have_no_cost(tmp_path: Path) -> None:
    model = network(nearest(3, 2), 2)
    model.graph.input.append(helper.make_tensor_value_info("z", FLOAT, [1]))
    onnx.save(model, tmp_path / "two.onnx")
    found = inspect_model(tmp_path / "two.onnx")
    assert [port.name for port in found.inputs] == ["x", "z"]
    assert found.cost.multiply_adds is None
    assert found.cost.memory.weights == 4 * 36
    with pytest.raises(InputError, match="does not take one batch of pictures"):
        inspect_model(tmp_path / "two.onnx", size=(8, 8))


def test_changed_weights_are_told(tmp_path: Path) -> None:
    model = onnx.load(inspect_model("video-x2").path)
    tensor = model.graph.initializer[0]
    tensor.raw_data = bytes(len(tensor.raw_data))
    onnx.save(model, tmp_path / "changed.onnx")
    found = inspect_model(tmp_path / "changed.onnx")
    assert found.intact is False
    assert "the weights in" in found.runs_on["native on cpu"].reason
    manifest = read_manifest(model)
    assert manifest is not None
    write_manifest(model, manifest)
    assert weights_sha256(model) != manifest.sha256


def test_what_is_no_model_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="'song-x9' is neither"):
        inspect_model("song-x9")
    (tmp_path / "text.onnx").write_text("just text")
    with pytest.raises(ModelError, match=r"text\.onnx cannot be read as an ONNX model"):
        inspect_model(tmp_path / "text.onnx")
