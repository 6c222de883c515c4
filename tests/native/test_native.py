from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

import restore_rt
from restore_rt import _ext, reference
from restore_rt.errors import InputError
from restore_rt.frames import Planes
from restore_rt.model import registry as zoo
from restore_rt.native.network import UnsupportedError, open_native
from restore_rt.tiled.session import OnnxRuntimeBackend
from tests.shipped import restoring

Array = NDArray[Any]

RUNS = (
    *("photo-x2", "photo-x4", "photo-x4-gan"),
    *(f"video-x2{each}" for each in ("", "-tiny", "-fast", "-quality", "-sharp")),
)
REFUSED = ("comic-x1", "comic-x2", "repair-x1")


def picture(height: int, width: int, channels: int) -> Array:
    """Return edges, slopes and grain."""
    y, x = np.mgrid[0:height, 0:width]
    rng = np.random.default_rng(height * width)
    planes = [
        110 + 60 * np.sin(x / (5 + c)) + 40 * ((x // 9 + y // 7 + c) % 2) for c in range(channels)
    ]
    noisy = np.stack(planes, -1) + rng.normal(0, 4, (height, width, channels))
    result = noisy.clip(0, 255).astype(np.uint8)
    return result[..., 0] if channels == 1 else result


def restored(model: onnx.ModelProto, frame: Array, **options: Any) -> Array:
    network = open_native(model, **options)
    height, width = (side * network.scale for side in frame.shape[:2])
    out = np.empty((height, width, *frame.shape[2:]), frame.dtype)
    assert network.run_into(out, frame, threads=2)
    return out


def test_the_lists_here_are_complete() -> None:
    assert sorted(RUNS + REFUSED) == sorted(manifest.name for manifest in restoring())


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("size", [(96, 131), (1, 1), (7, 40)])
def test_shipped_models_equal_onnx_runtime(name: str, size: tuple[int, int]) -> None:
    with restore_rt.load(name, threads=2) as restorer:
        frame = picture(*size, restorer.manifest.channels)
        expected = restorer(frame)
    result = restored(onnx.load(zoo.path_of(name)), frame)
    assert np.abs(result.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("chroma", [(20, 26), (39, 26), (39, 51)])
def test_planes_go_through_in_one_pass(chroma: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    cb, cr = (rng.integers(0, 256, chroma, np.uint8) for _ in range(2))
    planes = Planes(picture(39, 51, 1), cb, cr)
    with restore_rt.load("video-x2", backend="native", threads=2) as restorer:
        luma = restorer(planes.y)
        restorer.stages.clear()
        result = restorer(planes)
        assert list(restorer.stages.seconds) == ["network"]
    np.testing.assert_array_equal(result.y, luma)
    assert result.cb is not None
    assert result.cr is not None
    for plane, enlarged in ((cb, result.cb), (cr, result.cr)):
        expected = reference.upsample_plane(
            plane, enlarged.shape, scale=2, phase=planes.chroma_phase
        )
        np.testing.assert_array_equal(enlarged, expected)


def test_grey_planes_have_luma_alone() -> None:
    planes = Planes(picture(20, 30, 1))
    with restore_rt.load("video-x2", backend="native") as restorer:
        result = restorer(planes)
        np.testing.assert_array_equal(result.y, restorer(planes.y))
    assert result.cb is None


@pytest.mark.parametrize("name", RUNS)
def test_bf16_is_near(name: str) -> None:
    if not _ext.has_bf16():
        with pytest.raises(InputError, match="AVX512_BF16"):
            open_native(onnx.load(zoo.path_of(name)), precision="bf16")
        return
    model = onnx.load(zoo.path_of(name))
    frame = picture(60, 70, open_native(model).channels)
    exact, near = restored(model, frame), restored(model, frame, precision="bf16")
    error = ((exact.astype(float) - near) ** 2).mean()
    # 45 dB apart moves a PSNR of 35 dB by 0.04 at most.
    assert 10 * np.log10(255**2 / max(error, 1e-9)) > 45


def fragile_network() -> onnx.ModelProto:
    """Return a network whose second layer takes from the first what bf16 does not hold."""
    rng = np.random.default_rng(0)
    spread = rng.normal(0, 0.1, (16, 1, 3, 3)).astype(np.float32)
    kernels = np.concatenate([spread, spread + 1e-4 * rng.normal(size=spread.shape)])
    difference = rng.normal(0, 300, (1, 16, 3, 3))
    weights = np.concatenate([difference, -difference], 1)
    return network_of(kernels.astype(np.float32), weights.astype(np.float32))


def network_of(*kernels: NDArray[Any]) -> onnx.ModelProto:
    names = ["in", *(f"value{index}" for index in range(1, len(kernels))), "out"]
    nodes = [
        helper.make_node("Conv", [source, f"w{index}"], [made], pads=[1, 1, 1, 1])
        for index, (source, made) in enumerate(pairwise(names))
    ]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 1, "h", "w"])
        for name in ("in", "out")
    ]
    weights = [numpy_helper.from_array(kernel, f"w{index}") for index, kernel in enumerate(kernels)]
    return helper.make_model(helper.make_graph(nodes, "graph", ends[:1], ends[1:], weights))


def test_auto_takes_bf16_where_it_is_faster_and_near() -> None:
    shipped = open_native(onnx.load(zoo.path_of("video-x2")), precision="auto")
    if _ext.has_bf16():
        fastest = open_native(onnx.load(zoo.path_of("video-x2")), precision="bf16")
        assert shipped.plan == fastest.plan
    else:
        assert shipped.precision == "fp32"
        with pytest.raises(InputError, match="'bf16', which needs a CPU with AVX512_BF16; use"):
            open_native(onnx.load(zoo.path_of("video-x2")), precision="bf16")
    fragile = fragile_network()
    chosen = open_native(fragile, precision="auto")
    assert chosen.precision == "fp32"
    if _ext.has_bf16() and open_native(fragile, precision="bf16").precision == "bf16":
        assert "bf16 is off" in chosen.description


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_run_is_named(name: str) -> None:
    with pytest.raises(
        UnsupportedError, match=r"cannot run the node 'node_max_pool2d' \(MaxPool\)"
    ):
        open_native(onnx.load(zoo.path_of(name)))


def test_only_some_precisions_are_there() -> None:
    with pytest.raises(InputError, match="'fp8'; allowed are 'auto', 'fp32' and 'bf16'"):
        open_native(onnx.load(zoo.path_of("video-x2")), precision="fp8")


class Graph:
    """Builds small networks: names of tensors in, names out."""

    def __init__(self, channels: int = 1) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.channels = channels
        self.rng = np.random.default_rng(0)

    def constant(self, values: Any, dtype: type = np.float32) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"t{len(self.nodes)}"
        node = helper.make_node(kind, list(inputs), [name], name=f"node_{name}", **attributes)
        self.nodes.append(node)
        return name

    def conv(self, source: str, inputs: int, outputs: int, side: int = 3, **other: Any) -> str:
        weights = self.rng.normal(0, 1 / (side * inputs**0.5), (outputs, inputs, side, side))
        bias = self.rng.normal(0, 0.1, outputs)
        options = {"pads": [side // 2] * 4} | other
        return self.add("Conv", source, self.constant(weights), self.constant(bias), **options)

    def enlarge(self, source: str, factor: int, **options: Any) -> str:
        return self.add("Resize", source, "", self.constant([1, 1, factor, factor]), **options)

    def nearest(self, source: str, factor: int) -> str:
        how = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        return self.enlarge(source, factor, mode="nearest", **how)

    def model(self, output: str) -> onnx.ModelProto:
        sides: list[str | int | None] = ["n", self.channels, "h", "w"]
        taken = helper.make_tensor_value_info("x", TensorProto.FLOAT, sides)
        made = helper.make_tensor_value_info(output, TensorProto.FLOAT, ["n", None, "H", "W"])
        graph = helper.make_graph(self.nodes, "g", [taken], [made], self.constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def activations(g: Graph) -> str:
    t = g.add("LeakyRelu", g.conv("x", 1, 16), alpha=0.2)
    t = g.add("PRelu", g.conv(t, 16, 16), g.constant(g.rng.uniform(0, 0.4, (16, 1, 1))))
    t = g.add("PRelu", g.conv(t, 16, 12), g.constant([0.3]))
    t = g.add("Clip", g.conv(t, 12, 5, 1), g.constant(-0.2), g.constant(0.6))
    return g.add("Relu", g.conv(t, 5, 1))


def activations_that_stand_alone(g: Graph) -> str:
    t = g.add("Relu", "x")
    both = g.conv(t, 1, 8)
    return g.conv(g.add("Add", g.add("Relu", both), both), 8, 1)


def residuals(g: Graph) -> str:
    first = g.add("Relu", g.conv("x", 1, 16))
    t = g.conv(g.add("Relu", g.conv(first, 16, 16)), 16, 16)
    t = g.add("Relu", g.add("Add", first, t))
    t = g.add("Add", g.conv(t, 16, 16, 1), first)
    return g.add("Add", g.conv(t, 16, 1), "x")


def sum_of_one_value_with_itself(g: Graph) -> str:
    t = g.conv("x", 1, 8)
    return g.conv(g.add("Add", t, t), 8, 1)


def sum_of_two_layers(g: Graph) -> str:
    a, b = g.conv("x", 1, 8), g.conv("x", 1, 8, 1)
    return g.conv(g.add("Add", a, b), 8, 1)


def shuffled(g: Graph) -> str:
    t = g.add("Relu", g.conv("x", 1, 16))
    t = g.add("DepthToSpace", g.conv(t, 16, 9), blocksize=3, mode="CRD")
    return g.add("Clip", t, g.constant(0), g.constant(1))


def shuffled_and_read_twice(g: Graph) -> str:
    t = g.conv("x", 1, 4)
    u = g.add("Add", g.conv(t, 4, 4), t)
    return g.add("Relu", g.add("DepthToSpace", u, blocksize=2, mode="CRD"))


def nearest_under_shuffle(g: Graph) -> str:
    t = g.add("DepthToSpace", g.conv("x", 1, 4), blocksize=2, mode="CRD")
    return g.add("Add", t, g.nearest("x", 2))


def alone_at_two_sizes(g: Graph) -> str:
    t = g.add("Relu", g.conv(g.nearest(g.conv("x", 1, 8), 2), 8, 8))
    base = g.enlarge("x", 2, mode="linear", coordinate_transformation_mode="half_pixel")
    return g.add("Add", base, g.conv(t, 8, 1))


def other_names(g: Graph) -> str:
    t = g.conv("x", 1, 8)
    alias = g.add("Identity", t)
    return g.conv(g.add("Add", g.add("Relu", alias), t), 8, 1)


def an_enlargement_alone(g: Graph) -> str:
    return g.nearest("x", 3)


@pytest.mark.parametrize(
    "build",
    [
        activations,
        activations_that_stand_alone,
        residuals,
        sum_of_one_value_with_itself,
        sum_of_two_layers,
        shuffled,
        shuffled_and_read_twice,
        nearest_under_shuffle,
        alone_at_two_sizes,
        other_names,
        an_enlargement_alone,
    ],
)
def test_graphs_equal_onnx_runtime(build: Callable[[Graph], str]) -> None:
    graph = Graph()
    compare(graph.model(build(graph)), 1)


def test_the_repeat_of_colours_under_a_shuffle() -> None:
    graph = Graph(channels=3)
    t = graph.add("Relu", graph.conv("x", 3, 16))
    t = graph.add("DepthToSpace", graph.conv(t, 16, 12), blocksize=2, mode="CRD")
    compare(graph.model(graph.add("Add", graph.nearest("x", 2), t)), 3)


def compare(model: onnx.ModelProto, channels: int, size: tuple[int, int] = (33, 45)) -> None:
    frame = np.random.default_rng(1).uniform(0, 1, (*size, channels)).astype(np.float32)
    result = restored(model, frame)
    expected = np.empty((1, channels, *result.shape[:2]), np.float32)
    tiles = np.ascontiguousarray(np.moveaxis(frame, 2, 0))[np.newaxis]
    backend = OnnxRuntimeBackend(model, threads=1)
    backend.run(tiles, expected)
    backend.close()
    np.testing.assert_allclose(np.moveaxis(result, 2, 0), expected[0], rtol=0, atol=2e-5)


def strided(g: Graph) -> str:
    return g.conv("x", 1, 4, strides=[2, 2])


def unpadded(g: Graph) -> str:
    return g.conv("x", 1, 4, pads=[0, 0, 0, 0])


def wide(g: Graph) -> str:
    return g.conv("x", 1, 4, 5)


def depth_first(g: Graph) -> str:
    return g.add("DepthToSpace", g.conv("x", 1, 4), blocksize=2, mode="DCR")


def cubic(g: Graph) -> str:
    return g.enlarge("x", 2, mode="cubic")


def computed(g: Graph) -> str:
    return g.add("Conv", "x", g.conv("x", 1, 4))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (strided, r"'node_t0' \(Conv\): its strides is \[2, 2\]"),
        (unpadded, r"'node_t0' \(Conv\): its padding is \[0, 0, 0, 0\]"),
        (wide, r"'node_t0' \(Conv\): it runs kernels of 1x1 and 3x3"),
        (depth_first, r"'node_t1' \(DepthToSpace\): its mode is DCR"),
        (cubic, r"'node_t0' \(Resize\): its mode is cubic"),
        (computed, r"'node_t1' \(Conv\): its input 't0' is not constant"),
    ],
)
def test_a_refusal_names_the_node_and_why(build: Callable[[Graph], str], message: str) -> None:
    graph = Graph()
    with pytest.raises(UnsupportedError, match=message):
        open_native(graph.model(build(graph)))


def test_inputs_of_other_widths_are_refused() -> None:
    graph = Graph(channels=2)
    with pytest.raises(UnsupportedError, match="input has 2 channels; it takes 1, 3 and 4"):
        open_native(graph.model(graph.conv("x", 2, 4)))
