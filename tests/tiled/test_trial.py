"""Model files that say nothing of themselves: what they are is found by a trial run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import restore_rt
from restore_rt.cli import run
from restore_rt.errors import InputError, ModelError
from restore_rt.images import read_picture
from restore_rt.model.manifest import Manifest, weights_sha256, write_manifest
from tests.networks import Kernels, MakeModel, nearest, network
from tests.pixels import enlarged

Size = tuple[int | str | None, ...]


def graph(
    path: Path,
    nodes: list[onnx.NodeProto],
    *,
    taken: Size = ("n", 3, "h", "w"),
    made: Size = ("n", 3, "h2", "w2"),
    kind: int = TensorProto.FLOAT,
    weights: dict[str, Any] | None = None,
    domain: str = "",
) -> Path:
    """Write a model from x to y without a manifest."""
    x = helper.make_tensor_value_info("x", kind, taken)
    y = helper.make_tensor_value_info("y", kind, made)
    tensors = [numpy_helper.from_array(np.asarray(v), k) for k, v in (weights or {}).items()]
    opsets = [helper.make_opsetid("", 20)]
    if domain:
        opsets.append(helper.make_opsetid(domain, 1))
    made_graph = helper.make_graph(nodes, "g", [x], [y], tensors)
    onnx.save(helper.make_model(made_graph, opset_imports=opsets, ir_version=10), path)
    return path


def resized(scales: list[float]) -> dict[str, Any]:
    node = helper.make_node(
        "Resize",
        ["x", "", "s"],
        ["y"],
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )
    return {"nodes": [node], "weights": {"s": np.array(scales, np.float32)}}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("scale", [1, 2, 3, 8])
@pytest.mark.parametrize("size", [("n", "h", "w"), (1, "h", "w"), (1, 224, 224), (1, 200, "w")])
def test_scale_and_colour_are_found(
    make_model: MakeModel,
    rng: np.random.Generator,
    channels: int,
    scale: int,
    size: tuple[int | str, ...],
) -> None:
    path = make_model(nearest(channels, scale), scale=scale, size=size, manifest=False)
    shape = (150, 260) if channels == 1 else (150, 260, 3)
    frame = rng.integers(0, 256, shape, np.uint8)
    with restore_rt.load(path, threads=1) as restorer:
        manifest = restorer.manifest
        assert (manifest.scale, manifest.channels, manifest.multiple) == (scale, channels, 1)
        assert manifest.task == ("upscale" if scale > 1 else "repair")
        assert (manifest.name, manifest.licence) == ("model", "unknown")
        np.testing.assert_array_equal(restorer(frame), enlarged(frame, scale))


@pytest.mark.parametrize("colour", ["rgb", "luma", None])
def test_a_network_of_any_channels_is_rgb_unless_the_caller_says(
    tmp_path: Path, colour: Any
) -> None:
    taken, made = ("n", "c", "h", "w"), ("n", "c", "h2", "w2")
    path = graph(tmp_path / "x.onnx", **resized([1, 1, 2, 2]), taken=taken, made=made)
    with restore_rt.load(path, threads=1, colour=colour) as restorer:
        assert restorer.manifest.colour == (colour or "rgb")


def test_channels_that_are_not_declared_are_tried(make_model: MakeModel) -> None:
    path = make_model(nearest(1, 2), scale=2, manifest=False)
    model = onnx.load(path)
    for value in (model.graph.input[0], model.graph.output[0]):
        value.type.tensor_type.shape.dim[1].dim_param = "c"
    onnx.save(model, path)
    with restore_rt.load(path, threads=1) as restorer:
        assert restorer.manifest.colour == "luma"


def test_what_sides_must_be_multiples_of_is_found(tmp_path: Path, rng: np.random.Generator) -> None:
    # To blocks of 4x4 and back: other sides are an error in ONNX Runtime.
    nodes = [
        helper.make_node("SpaceToDepth", ["x"], ["b"], blocksize=4),
        helper.make_node("DepthToSpace", ["b"], ["y"], blocksize=4, mode="DCR"),
    ]
    path = graph(tmp_path / "x.onnx", nodes)
    frame = rng.integers(0, 256, (37, 41, 3), np.uint8)
    with restore_rt.load(path, threads=1) as restorer:
        assert restorer.manifest.multiple == 4
        np.testing.assert_array_equal(restorer(frame), frame)


def kernels(value: float) -> Kernels:
    return [np.full((1, 1, 1, 1), value)]


def shaped(*shape: int) -> list[onnx.NodeProto]:
    to = numpy_helper.from_array(np.array(shape, np.int64), "to")
    return [
        helper.make_node("Constant", [], ["to"], value=to),
        helper.make_node("Expand", ["x", "to"], ["y"]),
    ]


IDENTITY = [helper.make_node("Identity", ["x"], ["y"])]
Build = Callable[[Path], Path]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda path: graph(path, IDENTITY, kind=TensorProto.INT32),
            "'x' of .* is int32; allowed are float32, .*: export the model with float32",
        ),
        (
            lambda path: graph(
                path,
                [helper.make_node("Polish", ["x"], ["y"], domain="com.example")],
                domain="com.example",
            ),
            r"operators that ONNX does not define \(com\.example\.Polish\): export the network",
        ),
        (
            lambda path: graph(path, IDENTITY, taken=("n", "h", "w", 3), made=("n", "h", "w", 3)),
            r"takes channels last, \(N, H, W, C\); export it with \(N, C, H, W\)",
        ),
        (
            lambda path: graph(path, IDENTITY, taken=(1, 64, 48, 1), made=(1, 64, 48, 1)),
            "takes channels last",
        ),
        (
            lambda path: graph(path, IDENTITY, taken=("n", 4, "h", "w"), made=("n", 4, "h", "w")),
            "takes 4 channels; allowed are 3, which are RGB, and 1, which is luma",
        ),
        (
            lambda path: graph(path, IDENTITY, taken=("n", "h", "w"), made=("n", "h", "w")),
            r"a model has one of each, of shape \(N, C, H, W\)",
        ),
        (
            lambda path: graph(path, **resized([1, 1, 2, 3])),
            r"trial does not tell .*of an input of \(1, 3, 17, 19\) it makes \(1, 3, 34, 57\)",
        ),
        (
            lambda path: graph(path, **resized([1, 1, 16, 16])),
            r"it makes \(1, 3, 272, 304\); .* the same 1 to 8 times as high and wide",
        ),
        (
            lambda path: graph(path, **resized([1, 1, 0.5, 0.5])),
            r"of an input of \(1, 3, 17, 19\) it makes \(1, 3, 8, 9\)",
        ),
        (
            # A picture as one number for each channel.
            lambda path: graph(path, [helper.make_node("GlobalAveragePool", ["x"], ["y"])]),
            r"it makes \(1, 3, 1, 1\)",
        ),
        (
            lambda path: graph(
                path, [helper.make_node("Gemm", ["x", "x"], ["y"])], made=("a", "b")
            ),
            "ONNX Runtime cannot open it|cannot be read as an ONNX model",
        ),
    ],
)
def test_what_is_no_model_is_one_error(tmp_path: Path, build: Build, message: str) -> None:
    path = build(tmp_path / "x.onnx")
    with pytest.raises(ModelError, match=message) as caught:
        restore_rt.load(path, threads=1)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("value", "said"), [(255.0, "it makes 127.5"), (np.nan, "NaN")])
def test_values_that_cannot_be_those_of_a_picture_are_refused(
    make_model: MakeModel, value: float, said: str
) -> None:
    path = make_model(kernels(value), manifest=False)
    with pytest.raises(ModelError, match=f"of mid-grey.*{said}"):
        restore_rt.load(path, threads=1)


def test_a_manifest_written_into_a_file_says_its_range_of_values(tmp_path: Path) -> None:
    # What docs/foreign.md advises: takes and gives 0 to 255, and adds 51.
    add = helper.make_node("Add", ["x", "b"], ["y"])
    path = graph(tmp_path / "x.onnx", [add], weights={"b": np.array(51, np.float32)})
    model = onnx.load(path)
    manifest = Manifest(
        name="other-x1",
        version="1",
        task="repair",
        content="photo",
        scale=1,
        colour="rgb",
        value_range=(0.0, 255.0),
        halo=16,
        tile=(256, 256),
        sha256=weights_sha256(model),
        trained_on="unknown",
        licence="unknown",
        recipe="",
    )
    write_manifest(model, manifest)
    onnx.save(model, path)
    frame = np.arange(150, dtype=np.uint8).reshape(5, 10, 3)
    with restore_rt.load(path, threads=1) as restorer:
        np.testing.assert_array_equal(restorer(frame), frame + 51)


def test_what_the_caller_says_is_compared_with_what_is_found(make_model: MakeModel) -> None:
    path = make_model(nearest(1, 2), scale=2, manifest=False)
    with pytest.raises(ModelError, match=r"scale 3: it enlarges 2 times; leave scale out"):
        restore_rt.load(path, scale=3)
    with pytest.raises(ModelError, match="takes 1 channels, but is said to be rgb"):
        restore_rt.load(path, colour="rgb")
    with pytest.raises(InputError, match=r"scale is 2\.5"):
        restore_rt.load(path, scale=2.5)  # type: ignore[arg-type]


def test_the_command_restores_with_anyones_file(
    tmp_path: Path, rng: np.random.Generator, capsys: pytest.CaptureFixture[str]
) -> None:
    from PIL import Image

    onnx.save(network(nearest(3, 3), 3), tmp_path / "other.onnx")
    pixels = rng.integers(0, 256, (20, 30, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "in.png")
    line = ["image", str(tmp_path / "in.png"), "-o", str(tmp_path / "out.png")]
    assert run([*line, "--model", str(tmp_path / "other.onnx"), "--threads", "1"]) == 0
    found = read_picture(tmp_path / "out.png").pixels
    np.testing.assert_array_equal(found, enlarged(pixels, 3))
    assert "other on native backend" in capsys.readouterr().out

    onnx.save(network(kernels(255.0), 1), tmp_path / "bytes.onnx")
    line[-1] = str(tmp_path / "none.png")
    assert run([*line, "--model", str(tmp_path / "bytes.onnx")]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "so its values are not 0 to 1" in error
    assert not (tmp_path / "none.png").exists()
