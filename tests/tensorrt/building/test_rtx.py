"""TensorRT-RTX's parser and ahead-of-time builder accept these networks; nothing is run here."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

from restore_rt.errors import EngineError, InputError, ModelError
from restore_rt.export.interface import take_bytes
from restore_rt.gpu.properties import Gpu
from restore_rt.model import registry as zoo
from restore_rt.tensorrt.building import build as building
from restore_rt.tensorrt.building import build_engine
from restore_rt.tensorrt.building.builder import build_plan
from restore_rt.tensorrt.building.network import Network, read_network
from restore_rt.tensorrt.building.target import choose_target
from restore_rt.tensorrt.library import Library
from restore_rt.tensorrt.pair import read_engine
from restore_rt.tensorrt.profile import Profile
from restore_rt.tensorrt.sidecar import Port
from tests.shipped import restoring
from tests.tensorrt.building.models import altered, described, half_of

TARGETS = ("sm75", "sm86", "sm89", "sm120")
NAMES = [manifest.name for manifest in restoring()]


@functools.cache
def shipped(name: str, precision: str, folder: Path) -> Network:
    path = zoo.path_of(name)
    if precision == "fp16":
        model = half_of(onnx.load(path))
        path = folder / f"{name}.onnx"
        onnx.save(model, path)
    return read_network(path)


@pytest.mark.parametrize(
    "target",
    [TARGETS[0], *(pytest.param(target, marks=pytest.mark.long) for target in TARGETS[1:])],
)
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("name", NAMES)
def test_every_shipped_model_is_built_for_every_target(
    name: str, precision: str, target: str, rtx: Library, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp()
    network = shipped(name, precision, folder)
    assert network.precision == precision
    profile = network.usual_profile()
    assert profile.max == (1, *network.manifest.tile)
    steps: list[None] = []
    plan = build_plan(
        rtx, network, profile, choose_target(rtx, target, None), follow=lambda: steps.append(None)
    )
    # The weights are in it, and the name of the target that it was compiled for, alone.
    assert len(plan.blob) > 0.9 * len(network.blob)
    assert [name for name in TARGETS if name.encode() in plan.blob] == [target]
    assert len(steps) > 20
    assert plan.timing == b""


def test_fp16_weights_stay_fp16(rtx: Library, tmp_path_factory: pytest.TempPathFactory) -> None:
    sizes = {}
    for precision in ("fp32", "fp16"):
        network = shipped("comic-x2", precision, tmp_path_factory.getbasetemp())
        target = choose_target(rtx, "sm89", None)
        plan = build_plan(rtx, network, network.usual_profile(), target)
        sizes[precision] = len(plan.blob)
    assert sizes["fp16"] < 0.8 * sizes["fp32"]


def half_io(model: onnx.ModelProto) -> onnx.ModelProto:
    return half_of(model, float_io=False)


def of_bytes(model: onnx.ModelProto) -> onnx.ModelProto:
    return described(take_bytes(model), of=model)


@pytest.mark.parametrize(
    ("change", "dtype", "layout"), [(half_io, "float16", "nchw"), (of_bytes, "uint8", "nhwc")]
)
@pytest.mark.parametrize("name", ["comic-x2", "video-x2"])
def test_other_inputs_and_outputs_are_built(
    name: str,
    change: Callable[[onnx.ModelProto], onnx.ModelProto],
    dtype: str,
    layout: str,
    rtx: Library,
    tmp_path: Path,
) -> None:
    path = tmp_path / "model.onnx"
    onnx.save(change(onnx.load(zoo.path_of(name))), path)
    profile = Profile.parse("1x16x16:2x64x96:4x128x128")
    out = tmp_path / "model.engine"
    built = build_engine(path, out, profile=profile, target="sm86", library=rtx)
    plan, sidecar = read_engine(out, rtx, onnx=path)
    assert sidecar == built.sidecar
    assert sidecar.input == Port("x", dtype, layout)
    assert sidecar.output == Port("y", dtype, layout)
    assert sidecar.profile == profile
    assert len(plan) == sidecar.plan_bytes


def test_a_static_profile_and_a_static_model_are_built(
    rtx: Library, model: Path, tmp_path: Path
) -> None:
    def fix(network: onnx.ModelProto) -> None:
        for side, value in zip(
            network.graph.input[0].type.tensor_type.shape.dim, (2, 1, 24, 40), strict=True
        ):
            side.dim_value = value

    profile = Profile.parse("1x32x48")
    built = build_engine(model, tmp_path / "a.engine", profile=profile, target="sm120", library=rtx)
    assert built.sidecar.profile.is_static
    fixed = altered(model, tmp_path / "fixed.onnx", fix)
    built = build_engine(fixed, tmp_path / "b.engine", target="sm120", library=rtx)
    assert built.sidecar.profile == Profile.parse("2x24x40")


def unchecked(path: Path, model: onnx.ModelProto) -> Network:
    """Return a network that the checks in Python would not have let pass."""
    manifest = read_network(path).manifest
    return Network(
        path=path,
        sha256="0" * 64,
        blob=model.SerializeToString(),
        manifest=manifest,
        input=Port("x", "float32", "nchw"),
        output=Port("y", "float32", "nchw"),
        fixed=(None, None, None),
        precision="fp32",
    )


def made_up(model: onnx.ModelProto) -> None:
    model.graph.node[0].op_type = "Frobnicate"
    model.graph.node[0].name = "first"


def of_two_types(model: onnx.ModelProto) -> None:
    weights = model.graph.initializer[0]
    half = numpy_helper.to_array(weights).astype(np.float16)
    weights.CopyFrom(numpy_helper.from_array(half, weights.name))


def wrong_block(model: onnx.ModelProto) -> None:
    model.graph.node[-1].attribute[0].i = 5


def wrong_shape(model: onnx.ModelProto) -> None:
    numbers = np.array([7, 11, 13, 17])
    model.graph.initializer.append(numpy_helper.from_array(numbers, "shape"))
    node = model.graph.node[-1]
    del node.attribute[:]
    node.op_type = "Reshape"
    node.input.append("shape")


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (made_up, ModelError, ["node first (Frobnicate)", "Plugin not found"]),
        (of_two_types, ModelError, ["(Conv)", "must be of same type"]),
        (wrong_block, EngineError, ["node_of_y: reshape of non-empty tensor to empty tensor"]),
        (wrong_shape, EngineError, ["reshape changes volume"]),
    ],
)
def test_what_the_library_refuses_is_told(
    change: Callable[[onnx.ModelProto], None],
    error: type[Exception],
    said: Sequence[str],
    rtx: Library,
    model: Path,
) -> None:
    network = onnx.load(model)
    change(network)
    target = choose_target(rtx, "sm86", None)
    with pytest.raises(error) as caught:
        build_plan(rtx, unchecked(model, network), Profile.parse("48x64"), target)
    text = str(caught.value)
    assert [part for part in said if part not in text] == [], text
    assert "catchCudaError" not in text
    assert "\n" not in text


def test_a_truncated_model_is_refused_by_the_parser_too(rtx: Library, model: Path) -> None:
    network = unchecked(model, onnx.load(model))
    cut = Network(**{**network.__dict__, "blob": network.blob[:-40]})
    with pytest.raises(ModelError, match="Failed to parse the ONNX model"):
        build_plan(rtx, cut, Profile.parse("48x64"), choose_target(rtx, "sm86", None))


def test_a_profile_outside_a_static_model_is_refused_by_the_builder_too(
    rtx: Library, model: Path, tmp_path: Path
) -> None:
    network = onnx.load(model)
    network.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 32
    with pytest.raises(EngineError, match="profile has min=48, opt=48, max=48 but tensor has 32"):
        build_plan(
            rtx, unchecked(model, network), Profile.parse("48x64"), choose_target(rtx, "sm86", None)
        )


def test_too_little_workspace_is_explained(rtx: Library, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="Most often that is too little memory: give a larger"):
        build_engine("photo-x4", tmp_path / "m.engine", target="sm89", library=rtx, workspace=1)
    assert list(tmp_path.iterdir()) == []


def test_a_good_build_follows_a_failed_one(rtx: Library, model: Path) -> None:
    broken = onnx.load(model)
    made_up(broken)
    target = choose_target(rtx, "sm86", None)
    good, profile = read_network(model), Profile.parse("48x64")
    with pytest.raises(ModelError):
        build_plan(rtx, unchecked(model, broken), profile, target)
    assert b"sm86" in build_plan(rtx, good, profile, target).blob


def test_types_are_those_of_the_graph_with_either_flag(rtx: Library, model: Path) -> None:
    """As in TensorRT 11, networks here are strongly typed whether that is asked for or not."""
    trt: Any = rtx.module
    assert "FP16" not in trt.BuilderFlag.__members__
    network = onnx.load(model)
    assert network.graph.initializer[0].data_type == TensorProto.FLOAT
    logger = trt.Logger(trt.Logger.INTERNAL_ERROR)
    builder = trt.Builder(logger)
    for flags in (0, 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)):
        definition = builder.create_network(flags)
        assert trt.OnnxParser(definition, logger).parse(network.SerializeToString())
        assert definition.get_output(0).dtype == trt.float32
        assert definition.get_flag(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)


def test_a_driver_that_fails_is_no_hindrance_where_a_target_is_given(
    rtx: Library, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails() -> None:
        raise EngineError("NVIDIA's driver fails")

    monkeypatch.setattr(building, "find_gpu", fails)
    out = tmp_path / "m.engine"
    with pytest.raises(EngineError, match="driver fails"):
        build_engine(model, out, library=rtx)
    build_engine(model, out, target="sm89", library=rtx)
    assert out.exists()


def test_the_gpu_at_hand_is_the_target_unless_one_is_given(
    rtx: Library, model: Path, ada: Gpu, tmp_path: Path
) -> None:
    assert build_engine(model, tmp_path / "a.engine", library=rtx).sidecar.target == ada.target
    with pytest.raises(InputError, match=r"sm90, that of NVIDIA H100; .* --library tensorrt"):
        choose_target(rtx, None, Gpu("NVIDIA H100", (9, 0)))
