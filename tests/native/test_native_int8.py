"""int8 files in the native backend: what the export stage makes, and graphs that others could."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from PIL import Image

import restore_rt
from restore_rt import _ext
from restore_rt.export.quantization import to_int8
from restore_rt.export.samples import synthetic_samples
from restore_rt.model import registry as zoo
from restore_rt.model.manifest import read_manifest, weights_sha256, write_manifest
from restore_rt.native.importer import read_layers
from restore_rt.native.network import UnsupportedError, open_native
from tests.native import qdq_oracle
from tests.native.test_native import Graph, picture, restored

Array = NDArray[Any]


def made_int8(
    name: str, layers: slice, planes: Sequence[NDArray[np.uint8]] = ()
) -> onnx.ModelProto:
    """Quantise some layers of a shipped model, by planes of luma or by small pictures."""
    model = onnx.load(zoo.path_of(name))
    manifest = read_manifest(model)
    assert manifest is not None
    samples = [sample[:, :, :40, :56] for sample in synthetic_samples(manifest.channels)]
    if planes:
        white = np.float32(255)
        samples = [plane[np.newaxis, np.newaxis].astype(np.float32) / white for plane in planes]
    convolutions = [node.name for node in model.graph.node if node.op_type == "Conv"]
    return to_int8(model, convolutions[layers], samples)


def by_onnx_runtime(model: onnx.ModelProto, frame: Array) -> Array:
    """Return its result for a frame of bytes or floats, as floats of up to 1."""
    import onnxruntime

    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    result: Array = session.run(None, {"x": planes_of(frame)[np.newaxis]})[0][0]
    return np.moveaxis(result, 0, 2)


def by_oracle(model: onnx.ModelProto, frame: Array) -> Array:
    """Return what the graph gives by definition, likewise."""
    return np.moveaxis(qdq_oracle.run(model, planes_of(frame)), 0, 2)


def planes_of(frame: Array) -> NDArray[np.float32]:
    """Return a frame as networks take it, (C, H, W)."""
    white = np.float32(255 if frame.dtype == np.uint8 else 1)
    planes = np.moveaxis(np.atleast_3d(frame), 2, 0).astype(np.float32) / white
    return np.ascontiguousarray(planes)


def levels(result: Array) -> NDArray[np.int64]:
    whole: NDArray[np.int64] = np.rint(result.clip(0, 1) * 255).astype(np.int64)
    return whole


@pytest.fixture(
    scope="module",
    params=[slice(None), slice(1, None), slice(-1), slice(1, -1)],
    ids=["all", "but the first", "but the last", "inner"],
)
def layers(request: pytest.FixtureRequest) -> slice:
    """Choose the layers that become int8, as the export does."""
    chosen: slice = request.param
    return chosen


@pytest.mark.parametrize(
    ("name", "size"),
    [("video-x2", (96, 131)), ("video-x2", (1, 1)), ("video-x2", (7, 40)), ("photo-x2", (30, 41))],
)
def test_a_model_gives_what_its_graph_says_on_every_cpu(
    every_isa: list[str], name: str, layers: slice, size: tuple[int, int]
) -> None:
    """Without a bound: where a byte is off by one, more are off in each layer that follows."""
    model = made_int8(name, layers)
    frame = picture(*size, 3 if name == "photo-x2" else 1)
    expected = levels(by_oracle(model, frame))
    exact = np.atleast_3d(frame).astype(np.float32) / np.float32(255)
    floats = []
    for isa in every_isa:
        _ext.set_isa(isa)
        np.testing.assert_array_equal(np.atleast_3d(restored(model, frame)), expected)
        floats.append(restored(model, exact))
        np.testing.assert_array_equal(floats[-1], floats[0])


@pytest.mark.parametrize("name", ["video-x2", "photo-x2"])
def test_onnx_runtime_gives_the_same_where_all_layers_are_int8(name: str) -> None:
    """On every CPU: weights of 7 bits cannot saturate."""
    model = made_int8(name, slice(None))
    frame = picture(40, 57, 3 if name == "photo-x2" else 1)
    expected = levels(by_oracle(model, frame))
    np.testing.assert_array_equal(levels(by_onnx_runtime(model, frame)), expected)


def test_a_float_layer_of_onnx_runtime_sends_a_byte_to_its_neighbour_only_at_a_half() -> None:
    """Why it is not compared where a layer stays in fp32: sums in fp32 are off by their last bits.

    A value that lies so near to the middle of two bytes may become either one, and later layers
    spread the difference over the picture.
    """
    import onnxruntime

    model, frame = made_int8("video-x2", slice(1, None)), picture(96, 131, 1)
    known = qdq_oracle.tensors(model, planes_of(frame))
    first = next(node for node in model.graph.node if node.op_type == "QuantizeLinear")
    source = first.input[0]
    model.graph.output.append(onnx.helper.make_empty_tensor_value_info(source))
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (made,) = session.run([source], {"x": planes_of(frame)[np.newaxis]})
    scale, zero = (
        onnx.numpy_helper.to_array(t)
        for name in first.input[1:]
        for t in model.graph.initializer
        if t.name == name
    )
    rounded = qdq_oracle.quantise(made[0], scale, zero).whole
    differs = rounded != known[first.output[0]].whole
    steps = known[source] / scale
    assert np.abs(rounded - known[first.output[0]].whole).max() <= 1
    assert np.abs(steps[differs] % 1 - 0.5).max(initial=0) < 1e-4


def test_values_between_int8_layers_stay_bytes() -> None:
    found = read_layers(made_int8("video-x2", slice(None)))
    steps = [layer["step"] for layer in found.layers]
    assert steps == ["quantise", "dequantise"] + ["convolution"] * 12
    assert all(layer["bytes"] for layer in found.layers[2:-1])
    # The last layer was filled up to sixteen outputs.
    assert len(found.layers[-1]["weights"]) == 4


@pytest.fixture
def every_isa() -> Iterator[list[str]]:
    """List the instruction sets of this CPU; the one in use comes back afterwards."""
    before = _ext.isa()
    yield _ext.isas()
    _ext.set_isa(before)


class QuantisedGraph(Graph):
    def __init__(self) -> None:
        super().__init__()
        self.scales: dict[str, float] = {}

    def quantise(self, source: str, scale: float = 0.02, zero: int = 0) -> str:
        return self.add("QuantizeLinear", source, *self.grid(scale, zero))

    def grid(self, scale: float, zero: int) -> tuple[str, str]:
        return self.constant(scale), self.constant(zero, np.uint8)

    def qdq(self, source: str, scale: float = 0.02, zero: int = 0) -> str:
        grid = self.grid(scale, zero)
        name = self.add("DequantizeLinear", self.add("QuantizeLinear", source, *grid), *grid)
        self.scales[name] = scale
        return name

    def conv8(self, source: str, inputs: int, outputs: int, side: int = 3, **scale: Any) -> str:
        weights = self.constant(
            self.rng.integers(-128, 128, (outputs, inputs, side, side)), np.int8
        )
        scales = self.rng.uniform(0.2, 1, outputs) / (60 * side * inputs**0.5)
        axis: dict[str, Any] = {"axis": 0}
        if "single" in scale:
            scales, axis = scales[0], {}
        real = self.add("DequantizeLinear", weights, self.constant(scales), **axis)
        # As it is quantised with its weights: in steps of the sums.
        step = np.float32(scales) * np.float32(self.scales.get(source, 1e-4))
        bias = np.rint(self.rng.normal(0, 0.1, outputs) / step)
        constants = self.constant(bias, np.int32), self.constant(step)
        biases = self.add("DequantizeLinear", *constants, **axis)
        return self.add("Conv", source, real, biases, pads=[side // 2] * 4)


def zero_points(g: QuantisedGraph) -> str:
    t = g.qdq(g.conv8(g.qdq("x", 0.005, 20), 1, 19), 0.02, 128)
    t = g.qdq(g.conv8(t, 19, 4, 1), 0.01, 255)
    return g.conv8(g.qdq(g.conv8(t, 4, 33), 0.02, 99), 33, 1)


def leaky_between(g: QuantisedGraph) -> str:
    t = g.add("LeakyRelu", g.qdq(g.conv8(g.qdq("x"), 1, 8), 0.02, 130), alpha=0.2)
    return g.conv8(g.qdq(t, 0.02, 40), 8, 1)


def relu_between(g: QuantisedGraph) -> str:
    t = g.add("Relu", g.conv8(g.qdq("x"), 1, 8, single=True))
    return g.conv8(g.qdq(t, 0.01, 30), 8, 1)


def residuals(g: QuantisedGraph) -> str:
    x = g.qdq("x", 1 / 255)
    first = g.qdq(g.conv8(x, 1, 16))
    t = g.add("Add", g.qdq(g.conv8(first, 16, 16), 0.02, 128), first)
    t = g.add("Add", g.conv8(g.qdq(t), 16, 1), x)
    return g.add("Clip", t, g.constant(0), g.constant(1))


def fp32_between(g: QuantisedGraph) -> str:
    t = g.qdq(g.conv8(g.qdq("x"), 1, 16), 0.02, 9)
    return g.conv8(g.qdq(g.conv(g.conv(t, 16, 8, 1), 8, 8, 1), 0.02, 100), 8, 1)


def int8_weights_of_an_fp32_layer(g: QuantisedGraph) -> str:
    return g.conv8(g.conv8("x", 1, 8, 1), 8, 1, 1)


def first_channels(g: QuantisedGraph) -> str:
    cut = [g.constant(k, np.int64) for k in ([0], [4], [1])]
    x = g.qdq("x")
    t = g.add("Add", g.add("Slice", g.qdq(g.conv8(x, 1, 16)), *cut), x)
    whole = g.conv8(x, 1, 8)
    u = g.add("Slice", whole, *cut)
    both = g.add("Add", g.conv8(g.qdq(whole), 8, 4), g.add("Add", t, u))
    return g.add("DepthToSpace", both, blocksize=2, mode="CRD")


def enlarged_bytes(g: QuantisedGraph) -> str:
    return g.conv8(g.qdq(g.nearest(g.qdq(g.conv8(g.qdq("x"), 1, 8)), 2)), 8, 1)


@pytest.mark.parametrize(
    "build",
    [
        zero_points,
        leaky_between,
        relu_between,
        residuals,
        fp32_between,
        int8_weights_of_an_fp32_layer,
        first_channels,
        enlarged_bytes,
    ],
)
def test_graphs_give_what_they_say(
    every_isa: list[str], build: Callable[[QuantisedGraph], str]
) -> None:
    graph = QuantisedGraph()
    model = graph.model(build(graph))
    frame = np.random.default_rng(1).uniform(0, 1, (33, 45, 1)).astype(np.float32)
    expected = by_oracle(model, frame)
    assert np.ptp(expected) > 0.1
    for isa in every_isa:
        _ext.set_isa(isa)
        assert np.abs(np.atleast_3d(restored(model, frame)) - expected).max() < 1e-6


def signed_values(g: QuantisedGraph) -> str:
    grid = g.constant(0.02), g.constant(0, np.int8)
    t = g.add("DequantizeLinear", g.add("QuantizeLinear", "x", *grid), *grid)
    return g.conv8(t, 1, 1)


def no_zero_point(g: QuantisedGraph) -> str:
    return g.add("QuantizeLinear", "x", g.constant(0.02))


def scales_by_channel(g: QuantisedGraph) -> str:
    grid = g.constant([0.1, 0.2]), g.constant([0, 0], np.uint8)
    return g.add("QuantizeLinear", g.conv("x", 1, 2), *grid, axis=1)


def another_scale(g: QuantisedGraph) -> str:
    return g.add("DequantizeLinear", g.quantise("x", 0.02), *g.grid(0.03, 0))


def arithmetic_on_bytes(g: QuantisedGraph) -> str:
    t = g.quantise("x")
    return g.add("Add", t, t)


def middle_channels(g: QuantisedGraph) -> str:
    cut = [g.constant(k, np.int64) for k in ([1], [3], [1])]
    return g.add("Slice", g.conv("x", 1, 4), *cut)


def blocks_of_rows(g: QuantisedGraph) -> str:
    cut = [g.constant(k, np.int64) for k in ([0], [3], [2])]
    return g.add("Slice", g.conv("x", 1, 4), *cut)


def weights_by_input(g: QuantisedGraph) -> str:
    weights = g.constant(np.ones((4, 2, 3, 3)), np.int8)
    real = g.add("DequantizeLinear", weights, g.constant([0.1, 0.2]), axis=1)
    return g.add("Conv", g.qdq("x"), real, pads=[1] * 4)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (signed_values, r"'node_t0' \(QuantizeLinear\): its zero point has int8"),
        (no_zero_point, r"\(QuantizeLinear\): its zero point has no type"),
        (scales_by_channel, r"'node_t1' \(QuantizeLinear\): it takes one scale"),
        (another_scale, r"'node_t1' \(DequantizeLinear\): it does not undo the Quant"),
        (arithmetic_on_bytes, r"'node_t1' \(Add\): it reads what a QuantizeLinear gives"),
        (middle_channels, r"'node_t1' \(Slice\): it must keep the first channels"),
        (blocks_of_rows, r"'node_t1' \(Slice\): it must keep the first channels"),
        (weights_by_input, r"\(DequantizeLinear\): a constant's scale must be for all"),
        (QuantisedGraph.quantise, "cannot give the bytes of 't0'"),
    ],
)
def test_a_refusal_names_the_node_and_why(build: Callable[..., str], message: str) -> None:
    graph = QuantisedGraph()
    output = build(graph, "x") if build is QuantisedGraph.quantise else build(graph)
    with pytest.raises(UnsupportedError, match=message):
        open_native(graph.model(output))


@pytest.fixture
def int8_file(tmp_path: Path) -> Path:
    """Write an int8 file as the export stage does, but for its search."""
    model = made_int8("video-x2", slice(None))
    manifest = read_manifest(onnx.load(zoo.path_of("video-x2")))
    assert manifest is not None
    sha256 = weights_sha256(model)
    write_manifest(model, dataclasses.replace(manifest, precision="int8", sha256=sha256))
    onnx.save(model, tmp_path / "int8.onnx")
    return tmp_path / "int8.onnx"


def test_auto_is_native(int8_file: Path) -> None:
    with restore_rt.load(int8_file) as restorer:
        vnni = " vnni" if _ext.has_vnni() else ""
        assert f"native backend, int8, {_ext.isa()}{vnni}" in restorer.description


def test_auto_is_native_without_vnni_as_well(int8_file: Path, every_isa: list[str]) -> None:
    for isa in every_isa:
        _ext.set_isa(isa)
        with restore_rt.load(int8_file) as restorer:
            assert f"native backend, int8, {isa}" in restorer.description


@pytest.mark.long
def test_int8_loses_little(data_dir: Path, layers: slice) -> None:
    photos = sorted((data_dir / "train" / "photo_cid22").glob("*.webp"))[:4]
    model = made_int8("video-x2", layers, [luma_of(photo)[:256, :256] for photo in photos])
    fp32 = onnx.load(zoo.path_of("video-x2"))
    lost = []
    for file in sorted((data_dir / "test" / "sr" / "Set14").glob("*.png")):
        original = luma_of(file)
        height, width = (side // 2 for side in original.shape)
        original = original[: 2 * height, : 2 * width]
        small = Image.fromarray(original).resize((width, height), Image.Resampling.BICUBIC)
        frame = np.asarray(small)
        result = restored(model, frame)
        part = frame[:64, :96, np.newaxis].astype(np.float32) / np.float32(255)
        assert np.abs(restored(model, part) - by_oracle(model, part)).max() < 1e-6
        lost.append(psnr(restored(fp32, frame), original) - psnr(result, original))
    assert len(lost) >= 12
    assert np.mean(lost) <= 0.15


def luma_of(file: Path) -> NDArray[np.uint8]:
    with Image.open(file) as opened:
        return np.asarray(opened.convert("L"))


def psnr(result: Array, original: Array) -> float:
    error = (result.astype(float) - original)[2:-2, 2:-2]
    return float(10 * np.log10(255**2 / np.square(error).mean()))
