from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from restore_rt.errors import InputError, ModelError
from restore_rt.model import registry as zoo
from restore_rt.model.manifest import read_manifest, write_manifest
from restore_rt.tensorrt.building import build_engine
from restore_rt.tensorrt.building.network import read_network
from restore_rt.tensorrt.profile import Profile, Shape
from tests.networks import nearest, save_model
from tests.shipped import restoring
from tests.tensorrt.building.fake_tensorrt import FakeTensorRt
from tests.tensorrt.building.models import Change, altered, half_of


@pytest.mark.parametrize("name", [manifest.name for manifest in restoring()])
def test_shipped_models_are_read(name: str) -> None:
    network = read_network(zoo.path_of(name))
    assert network.manifest.name == name
    assert (network.input.name, network.output.name) == ("x", "y")
    assert network.fixed == (None, None, None)
    assert network.input_shape(Shape(2, 8, 12)) == (2, network.manifest.channels, 8, 12)


def test_weights_decide_the_precision(model: Path, tmp_path: Path) -> None:
    half = tmp_path / "half.onnx"
    onnx.save(half_of(onnx.load(model)), half)
    assert read_network(model).precision == "fp32"
    assert read_network(half).precision == "fp16"


def says(**fields: object) -> Change:
    def change(model: onnx.ModelProto) -> None:
        manifest = read_manifest(model)
        assert manifest is not None
        write_manifest(model, dataclasses.replace(manifest, **fields))  # type: ignore[arg-type]

    return change


def second_output(model: onnx.ModelProto) -> None:
    shape: list[int | str | None] = ["n", 8, "h", "w"]
    model.graph.output.append(helper.make_tensor_value_info("c0", TensorProto.FLOAT, shape))


def int_input(model: onnx.ModelProto) -> None:
    model.graph.node.insert(0, helper.make_node("Cast", ["x"], ["f"], to=TensorProto.FLOAT))
    model.graph.node[1].input[0] = "f"
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.INT32


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (says(scale=3), r"gives \(1, 1, 128, 128\) .* would be \(1, 1, 192, 192\)"),
        (says(colour="rgb"), "takes 1 channels, but says that it is rgb"),
        (says(precision="fp16"), "says that it is fp16, and its weights are fp32"),
        (says(precision="int8"), "is int8, which is for CPUs"),
        (second_output, "has 1 inputs and 2 outputs"),
        (int_input, "'x' of .* is int32; allowed are float32, float16, uint8"),
    ],
)
def test_what_does_not_fit_its_manifest_is_refused(
    change: Change, said: str, model: Path, tmp_path: Path
) -> None:
    path = altered(model, tmp_path / "altered.onnx", change)
    with pytest.raises(ModelError, match=said):
        read_network(path)


def test_a_model_without_a_manifest_is_refused(tmp_path: Path) -> None:
    path = save_model(tmp_path / "bare.onnx", nearest(3, 2), scale=2, manifest=False)
    with pytest.raises(ModelError, match="has no manifest, which an engine needs"):
        read_network(path)


def test_damaged_models_never_reach_the_library(model: Path, tmp_path: Path) -> None:
    fake, source = FakeTensorRt(), model.read_bytes()
    weights = onnx.load(model).graph.initializer[1].raw_data
    flipped = bytearray(source)
    flipped[source.index(weights) + 5] ^= 1
    for damaged in (b"", source[:200], source[:-40], bytes(flipped), b"\0" * 5000):
        path = tmp_path / "damaged.onnx"
        path.write_bytes(damaged)
        with pytest.raises(ModelError, match=r"damaged\.onnx"):
            build_engine(path, tmp_path / "m.engine", library=fake.library())
    assert fake.seen == {}


def test_nodes_that_onnx_does_not_know_never_reach_the_library(model: Path, tmp_path: Path) -> None:
    def made_up(network: onnx.ModelProto) -> None:
        network.graph.node[0].op_type = "Frobnicate"

    path, fake = altered(model, tmp_path / "odd.onnx", made_up), FakeTensorRt()
    with pytest.raises(ModelError, match="Frobnicate"):
        build_engine(path, tmp_path / "m.engine", library=fake.library())
    assert fake.seen == {}


def test_profiles_must_fit_fixed_sizes(tmp_path: Path) -> None:
    kernels = [np.ones((4, 1, 3, 3))]
    path = save_model(tmp_path / "m.onnx", kernels, scale=2, size=("n", 24, "w"), tile=(24, 64))
    network = read_network(path)
    assert network.usual_profile() == Profile.parse("24x1:24x64:24x64")
    network.check_profile(Profile.parse("24x8:24x16:2x24x32"))
    with pytest.raises(InputError, match=r"max is 1x32x32, but .* takes a height of 24 alone"):
        network.check_profile(Profile.parse("24x8:24x16:32x32"))


def test_profiles_must_fit_the_models_multiple(tmp_path: Path) -> None:
    path = save_model(tmp_path / "m.onnx", nearest(3, 2), scale=2, multiple=4, tile=(64, 64))
    network = read_network(path)
    assert network.usual_profile().min == (1, 4, 4)
    with pytest.raises(InputError, match="multiples of 4"):
        network.check_profile(Profile.parse("6x8"))


def test_weights_of_another_type_inside_are_noticed(model: Path, tmp_path: Path) -> None:
    def mixed(network: onnx.ModelProto) -> None:
        weights = network.graph.initializer[0]
        half = numpy_helper.to_array(weights).astype(np.float16)
        weights.CopyFrom(numpy_helper.from_array(half, weights.name))

    path = altered(model, tmp_path / "mixed.onnx", mixed)
    with pytest.raises(ModelError, match="says that it is fp32, and its weights are fp16"):
        read_network(path)
