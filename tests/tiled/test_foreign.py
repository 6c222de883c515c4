"""ONNX files as people have them: fixed sizes, other element types, results that are cropped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

import restore_rt
from restore_rt.cli import run
from restore_rt.errors import ModelError
from restore_rt.images import read_picture
from tests.networks import nearest
from tests.pixels import enlarged, random_frame

Size = tuple[int | str, ...]
HALF, DOUBLE, BYTES = TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.UINT8


def written(
    path: Path,
    nodes: list[onnx.NodeProto],
    weights: dict[str, Any],
    *,
    size: Size = ("n", 3, "h", "w"),
    kinds: tuple[int, int] = (TensorProto.FLOAT, TensorProto.FLOAT),
    opset: int = 17,
) -> Path:
    """Write a model from x to y without a manifest."""
    x = helper.make_tensor_value_info("x", kinds[0], size)
    y = helper.make_tensor_value_info("y", kinds[1], ["m", 3, "h2", "w2"])
    tensors = [numpy_helper.from_array(np.asarray(v), k) for k, v in weights.items()]
    graph = helper.make_graph(nodes, "g", [x], [y], tensors)
    opsets = [helper.make_opsetid("", opset)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), path)
    return path


def identity(radius: int = 1) -> NDArray[np.float32]:
    """Return a kernel that changes nothing, though it reads its surroundings."""
    side = 2 * radius + 1
    kernel = np.zeros((3, 3, side, side), np.float32)
    kernel[range(3), range(3), radius, radius] = 1
    return kernel


def enlarging(
    scale: int, *, crop: int = 0, dtype: Any = np.float32
) -> tuple[list[onnx.NodeProto], dict[str, Any]]:
    """Return a network that repeats pixels, without those within ``crop`` of the input's edge."""
    nodes = [helper.make_node("Conv", ["x", "k"], ["c"], pads=[1, 1, 1, 1])]
    weights: dict[str, Any] = {"k": identity().astype(dtype)}
    if crop:
        nodes = [helper.make_node("Conv", ["x", "k"], ["c"])]
        weights["k"] = identity(crop)
    nodes.append(helper.make_node("Conv", ["c", "w"], ["d"]))
    weights["w"] = nearest(3, scale)[0].astype(dtype)
    last = helper.make_node("DepthToSpace", ["d"], ["y"], blocksize=scale, mode="CRD")
    nodes.append(last if scale > 1 else helper.make_node("Identity", ["d"], ["y"]))
    return nodes, weights


def said(restorer: restore_rt.Restorer) -> str:
    return " | ".join(restorer.notes)


@pytest.mark.parametrize("count", ["n", 1, 4])
@pytest.mark.parametrize("size", [(64, 64), (48, 80), ("h", 64), (64, "w"), (24, 24), (8, 8)])
def test_tiles_of_a_fixed_size_overlap_by_what_fits(
    tmp_path: Path, rng: np.random.Generator, count: int | str, size: tuple[int | str, int | str]
) -> None:
    path = written(tmp_path / "fixed.onnx", *enlarging(2), size=(count, 3, *size))
    frame = random_frame(rng, (70, 131, 3), np.uint8)
    for backend in ("auto", "onnxruntime"):
        with restore_rt.load(path, backend=backend, threads=1) as restorer:
            np.testing.assert_array_equal(restorer(frame), enlarged(frame, 2))
            assert ("its batch size of 4 is ignored" in said(restorer)) == (count == 4)
    own = min(side for side in size if isinstance(side, int))
    assert f"fixed takes tiles of {own} pixels alone: neighbours overlap by" in said(restorer)
    assert restorer.tile == tuple(256 if isinstance(side, str) else side for side in size)


def test_a_real_kernel_leaves_no_seam_in_tiles_of_a_fixed_size(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    weights = {f"k{i}": rng.normal(0.03, 0.1, (3, 3, 3, 3)).astype(np.float32) for i in range(4)}
    names = ["x", "a", "b", "c", "y"]
    nodes = [
        helper.make_node("Conv", [names[i], f"k{i}"], [names[i + 1]], pads=[1, 1, 1, 1])
        for i in range(4)
    ]
    frame = random_frame(rng, (90, 140, 3), np.float32)
    made = []
    for size in ((64, 64), ("h", "w")):
        path = written(tmp_path / "a.onnx", nodes, weights, size=("n", 3, *size))
        with restore_rt.load(path, backend="onnxruntime", threads=1) as restorer:
            made.append(restorer(frame))
    np.testing.assert_allclose(made[0], made[1], atol=1e-5)


@pytest.mark.parametrize("period", [1, 2, 8])
def test_tiles_of_a_fixed_size_begin_where_the_blocks_of_a_network_do(
    tmp_path: Path, rng: np.random.Generator, period: int
) -> None:
    nodes = [
        helper.make_node("SpaceToDepth", ["x"], ["b"], blocksize=period),
        helper.make_node("Conv", ["b", "k"], ["c"]),
        helper.make_node("DepthToSpace", ["c"], ["y"], blocksize=period),
    ]
    channels = 3 * period**2
    kernel = rng.normal(0, 0.1, (channels, channels, 1, 1)).astype(np.float32)
    frame = random_frame(rng, (90, 150, 3), np.float32)
    made = []
    for size in ((64, 64), ("h", "w")):
        path = written(tmp_path / "a.onnx", nodes, {"k": kernel}, size=("n", 3, *size))
        with restore_rt.load(path, backend="onnxruntime", threads=1) as restorer:
            assert restorer.manifest.multiple == period
            made.append(restorer(frame))
    np.testing.assert_allclose(made[0], made[1], atol=1e-5)


def test_a_graph_that_depends_on_its_batch_size_runs_each_picture_in_a_batch(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    nodes, weights = enlarging(1)
    nodes[-1] = helper.make_node("Reshape", ["d", "to"], ["y"])
    weights["to"] = np.array([4, 3, 64, 64])
    path = written(tmp_path / "four.onnx", nodes, weights, size=(4, 3, 64, 64))
    frame = random_frame(rng, (70, 131, 3), np.uint8)
    with restore_rt.load(path, threads=1) as restorer:
        np.testing.assert_array_equal(restorer(frame), frame)
    assert "it takes batches of 4 alone: each picture fills a batch" in said(restorer)


def bytes_of(white: float, cast: bool) -> tuple[list[onnx.NodeProto], dict[str, Any]]:
    """Return a network that computes in 0 to 1, and gives 0 to 255 as whole numbers."""
    nodes, weights = enlarging(2)
    nodes[-1].output[0] = "s"
    nodes[0].input[0] = "f"
    nodes.insert(0, helper.make_node("Cast", ["x"], ["f"], to=TensorProto.FLOAT))
    nodes.append(helper.make_node("Mul", ["s", "white"], ["m"]))
    nodes.append(helper.make_node("Round", ["m"], ["r"]))
    last = helper.make_node("Cast", ["r"], ["y"], to=BYTES)
    nodes.append(last if cast else helper.make_node("Identity", ["r"], ["y"]))
    return nodes, weights | {"white": np.array(255 / white, np.float32)}


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(
    ("build", "kinds", "note"),
    [
        (lambda: enlarging(2, dtype=np.float16), (HALF, HALF), "takes float16 and gives float16"),
        (lambda: enlarging(2, dtype=np.float64), (DOUBLE, DOUBLE), "its float64 is computed in"),
        (lambda: bytes_of(1, True), (HALF, BYTES), "white is taken to be 1 at its input and 255"),
        (lambda: bytes_of(255, True), (HALF, BYTES), "to be 255 at its input and 255 at its out"),
        (lambda: bytes_of(255, True), (BYTES, BYTES), "it takes uint8 and gives uint8"),
        (lambda: bytes_of(255, False), (BYTES, TensorProto.FLOAT), "to be 255 at its input and 2"),
    ],
)
def test_other_element_types_are_cast_at_both_ends(
    tmp_path: Path,
    rng: np.random.Generator,
    dtype: Any,
    build: Callable[[], Any],
    kinds: tuple[int, int],
    note: str,
) -> None:
    path = written(tmp_path / "other.onnx", *build(), kinds=kinds)
    frame = random_frame(rng, (40, 50, 3), dtype)
    with restore_rt.load(path, threads=1) as restorer:
        assert note in said(restorer)
        made, wanted = restorer(frame), enlarged(frame, 2)
    if dtype == np.uint8:
        np.testing.assert_array_equal(made, wanted)
    else:
        # Each end rounds: fp16 has 11 bits, and bytes have 8.
        far = np.abs(made.astype(np.float64) - wanted).max() / 65535
        assert far <= (BYTES in kinds) * 0.51 / 255 + (HALF in kinds) * 2**-11 + 1 / 65535


def test_fp16_with_a_fixed_batch_runs_in_fp32_if_asked(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    nodes, weights = enlarging(2, dtype=np.float16)
    path = written(tmp_path / "a.onnx", nodes, weights, size=(4, 3, 64, 64), kinds=(HALF, HALF))
    frame = random_frame(rng, (40, 99, 3), np.uint8)
    for precision in ("fp16", "fp32"):
        wanted: Any = "auto" if precision == "fp16" else "fp32"
        with restore_rt.load(path, threads=1, precision=wanted) as restorer:
            assert restorer.precision == precision
            np.testing.assert_array_equal(restorer(frame), enlarged(frame, 2))


@pytest.mark.parametrize("crop", [7, 14, 28])
@pytest.mark.parametrize("scale", [1, 2, 4])
@pytest.mark.parametrize("size", [("h", "w"), (128, 128), (128, "w")])
def test_a_cropped_result_is_padded(
    tmp_path: Path, rng: np.random.Generator, crop: int, scale: int, size: tuple[int | str, ...]
) -> None:
    path = written(tmp_path / "a.onnx", *enlarging(scale, crop=crop), size=("n", 3, *size))
    frame = random_frame(rng, (150, 90, 3), np.uint8)
    with restore_rt.load(path, threads=1) as restorer:
        assert restorer.scale == scale
        np.testing.assert_array_equal(restorer(frame), enlarged(frame, scale))
        np.testing.assert_array_equal(restorer(frame[:1, :1]), enlarged(frame[:1, :1], scale))
    missing = 2 * crop * scale
    assert f"its result is {missing} columns and {missing} rows smaller than" in said(restorer)


@pytest.mark.parametrize("crop", [7, 14, 28])
@pytest.mark.parametrize("opset", [9, 10, 11, 17])
def test_a_crop_of_the_output_need_not_be_whole_pixels_of_the_input(
    tmp_path: Path, rng: np.random.Generator, crop: int, opset: int
) -> None:
    nodes, weights = enlarging(4)
    # DCR, the only order of old versions: the same here, where all pixels of a block are equal.
    weights["w"] = np.tile(np.eye(3, dtype=np.float32), (16, 1))[:, :, None, None]
    nodes[-1] = helper.make_node("DepthToSpace", ["d"], ["s"], blocksize=4)
    if opset < 10:
        ends = {"starts": [crop] * 2, "ends": [-crop] * 2, "axes": [2, 3]}
        nodes.append(helper.make_node("Slice", ["s"], ["y"], **ends))  # type: ignore[arg-type]
    else:
        nodes.append(helper.make_node("Slice", ["s", "b", "e", "axes"], ["y"]))
        weights |= {"b": np.array([crop] * 2), "e": np.array([-crop] * 2), "axes": np.array([2, 3])}
    path = written(tmp_path / "a.onnx", nodes, weights, opset=opset)
    frame = random_frame(rng, (60, 70, 3), np.uint8)
    with restore_rt.load(path, threads=1) as restorer:
        np.testing.assert_array_equal(restorer(frame), enlarged(frame, 4))


def test_a_crop_keeps_to_the_multiple(tmp_path: Path, rng: np.random.Generator) -> None:
    nodes, weights = enlarging(1, crop=6)
    nodes[-1] = helper.make_node("SpaceToDepth", ["d"], ["b"], blocksize=4)
    nodes.append(helper.make_node("DepthToSpace", ["b"], ["y"], blocksize=4))
    path = written(tmp_path / "a.onnx", nodes, weights)
    frame = random_frame(rng, (61, 47, 3), np.uint8)
    with restore_rt.load(path, threads=1) as restorer:
        assert restorer.manifest.multiple == 4
        np.testing.assert_array_equal(restorer(frame), frame)


@pytest.mark.parametrize(
    ("pads", "message"),
    [
        ([0, 0, 0, 1], r"of an input of \(1, 3, 17, 19\) it makes \(1, 3, 15, 18\)"),
        ([4, 4, 4, 4], r"of an input of \(1, 3, 17, 19\) it makes \(1, 3, 23, 25\)"),
    ],
)
def test_what_cannot_be_a_crop_is_refused(tmp_path: Path, pads: list[int], message: str) -> None:
    node = helper.make_node("Conv", ["x", "k"], ["y"], pads=pads)
    path = written(tmp_path / "a.onnx", [node], {"k": identity()})
    with pytest.raises(ModelError, match=message) as caught:
        restore_rt.load(path, threads=1)
    assert str(path) in str(caught.value)


def test_what_the_caller_expects_is_compared_with_what_is_found(tmp_path: Path) -> None:
    path = written(tmp_path / "a.onnx", *enlarging(2), size=(1, 3, 64, 64))
    with pytest.raises(ModelError, match=r"scale 4: it enlarges 2 times; leave scale out"):
        restore_rt.load(path, threads=1, scale=4)


def test_the_command_restores_and_tells_what_it_assumed(
    tmp_path: Path, rng: np.random.Generator, capsys: pytest.CaptureFixture[str]
) -> None:
    from PIL import Image

    nodes, weights = enlarging(2, crop=7)
    path = written(tmp_path / "other.onnx", nodes, weights, size=(1, 3, 64, 64))
    pixels = rng.integers(0, 256, (80, 90, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "in.png")
    line = ["image", str(tmp_path / "in.png"), "-o", str(tmp_path / "out.png")]
    assert run([*line, "--model", str(path), "--threads", "1"]) == 0
    np.testing.assert_array_equal(read_picture(tmp_path / "out.png").pixels, enlarged(pixels, 2))
    error = capsys.readouterr().err
    assert "restore-rt: its result is 28 columns and 28 rows smaller than 2 times" in error
    assert "restore-rt: other takes tiles of 50 pixels alone" in error
    assert run(["info", str(path)]) == 0
    assert "takes tiles of 50 pixels alone" in " ".join(capsys.readouterr().out.split())
