"""Networks of others: stand-ins with their published interfaces, and ones that mean nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

import restore_rt
from restore_rt.errors import ModelError
from tests.inpaint.networks import graph_of

Array = NDArray[Any]
node = helper.make_node

# A box of 21x21, as a sum along each axis, over colours apart.
_BOX = 21


def blurred(source: str, weights: dict[str, Any], channels: int) -> list[onnx.NodeProto]:
    """Sum over boxes: ``source`` to ``source`` + "_sum"."""
    weights[f"{source}_box"] = np.ones((channels, 1, _BOX, _BOX), np.float32)
    return [
        node(
            "Conv",
            [source, f"{source}_box"],
            [f"{source}_sum"],
            pads=[_BOX // 2] * 4,
            group=channels,
        )
    ]


def diffused(weights: dict[str, Any]) -> list[onnx.NodeProto]:
    """Fill ``image``, 0 to 1, where ``hole`` is 1: four times by boxes' means of what is known."""
    weights["one"] = np.float32(1)
    weights["tiny"] = np.float32(1e-6)
    nodes = [node("Sub", ["one", "hole"], ["known0"]), node("Mul", ["image", "known0"], ["held"])]
    value = "held"
    known = "known0"
    for step in range(4):
        nodes += blurred(value, weights, 3) + blurred(known, weights, 1)
        nodes += [
            node("Max", [f"{known}_sum", "tiny"], [f"count{step}"]),
            node("Div", [f"{value}_sum", f"count{step}"], [f"mean{step}"]),
            node("Mul", [f"mean{step}", "hole"], [f"in{step}"]),
            node("Add", ["held", f"in{step}"], [f"value{step + 1}"]),
            node("Min", ["one", f"count{step}"], [f"reached{step}"]),
            node("Max", ["known0", f"reached{step}"], [f"known{step + 1}"]),
        ]
        value, known = f"value{step + 1}", f"known{step + 1}"
    return [*nodes, node("Identity", [value], ["filled"])]


def linear(source: str, target: str, by: float, plus: float, weights: dict[str, Any]) -> Any:
    weights[f"{target}_by"], weights[f"{target}_plus"] = np.float32(by), np.float32(plus)
    return [
        node("Mul", [source, f"{target}_by"], [f"{target}_product"]),
        node("Add", [f"{target}_product", f"{target}_plus"], [target]),
    ]


def lama(white: float = 255, hole: float = 1, size: Any = (64, 64)) -> onnx.ModelProto:
    """Return LaMa's interface: 0 to 1 in, ``white`` out, one size, ``hole`` marks holes."""
    weights: dict[str, Any] = {}
    by, plus = (1, 0) if hole == 1 else (-1, 1)
    nodes = [
        node("Identity", ["input"], ["image"]),
        *linear("mask", "hole", by, plus, weights),
        *diffused(weights),
        *linear("filled", "y", white, 0, weights),
    ]
    return graph_of(
        nodes,
        weights,
        inputs={"input": (TensorProto.FLOAT, [1, 3, *size]), "mask": (1, [1, 1, *size])},
        output=(TensorProto.FLOAT, [1, 3, *size]),
    )


def migan_pipeline() -> onnx.ModelProto:
    """Return the interface of MI-GAN's pipeline: uint8 of any size, 255 is known."""
    weights: dict[str, Any] = {}
    nodes = [
        node("Cast", ["picture"], ["floats"], to=TensorProto.FLOAT),
        node("Cast", ["mask"], ["mask_floats"], to=TensorProto.FLOAT),
        *linear("floats", "image", 1 / 255, 0, weights),
        *linear("mask_floats", "hole", -1 / 255, 1, weights),
        *diffused(weights),
        *linear("filled", "large", 255, 0.5, weights),
        node("Cast", ["large"], ["y"], to=TensorProto.UINT8),
    ]
    inputs: dict[str, Any] = {
        "picture": (TensorProto.UINT8, ["n", 3, "h", "w"]),
        "mask": (TensorProto.UINT8, ["n", 1, "h", "w"]),
    }
    return graph_of(nodes, weights, inputs=inputs, output=(TensorProto.UINT8, ["n", 3, "h", "w"]))


def migan(known: float = 0.5) -> onnx.ModelProto:
    """Return the interface of MI-GAN itself: mask - 0.5, and the picture -1 to 1, 0 in holes."""
    weights: dict[str, Any] = {"parts": np.array([1, 3], np.int64)}
    nodes = [
        node("Split", ["x", "parts"], ["first", "signed"], axis=1),
        *linear("signed", "image", 0.5, 0.5, weights),
        *linear("first", "hole", -0.5 / known, 0.5, weights),
        *diffused(weights),
        *linear("filled", "y", 2, -1, weights),
    ]
    return graph_of(
        nodes,
        weights,
        inputs={"x": (TensorProto.FLOAT, [1, 4, 64, 64])},
        output=(TensorProto.FLOAT, [1, 3, 64, 64]),
    )


KINDS: dict[str, Callable[[], onnx.ModelProto]] = {
    "lama": lama,
    "lama, 0 to 1": lambda: lama(white=1),
    "lama, 0 is a hole": lambda: lama(hole=0),
    "lama, any size": lambda: lama(size=("h", "w")),
    "migan's pipeline": migan_pipeline,
    "migan": migan,
    "migan, turned": lambda: migan(known=-0.5),
}


def ramps() -> tuple[Array, Array]:
    """Return a picture larger than the networks, with holes in several tiles."""
    y, x = np.mgrid[:100, :150]
    picture = np.stack([40 + x, 250 - y, 90 + (x + y) // 2], axis=-1).astype(np.uint8)
    mask = np.zeros((100, 150), np.uint8)
    mask[20:26, 30:90] = 255
    mask[55:66, 100:111] = 255
    return picture, mask


@pytest.mark.parametrize("kind", KINDS)
def test_holes_are_filled_whatever_the_interface(tmp_path: Path, kind: str) -> None:
    onnx.save(KINDS[kind](), tmp_path / "other.onnx")
    picture, mask = ramps()
    damaged = np.where(mask[..., None] > 0, np.uint8(255), picture)
    with restore_rt.load(tmp_path / "other.onnx") as restorer:
        out = restorer(damaged, mask=mask)
        notes = restorer.notes
        assert restorer.manifest.task == "inpaint"
    np.testing.assert_array_equal(out[mask == 0], picture[mask == 0])
    off = np.abs(out[mask > 0].astype(int) - picture[mask > 0])
    assert off.max() <= 8, off.max()
    assert "has no manifest; by trial it takes samples from" in notes[0]
    assert any("takes pictures of 64x64 alone" in note for note in notes) == (
        "size" not in kind and "pipeline" not in kind
    )


def test_a_hole_larger_than_the_network_is_filled_from_a_smaller_frame(tmp_path: Path) -> None:
    onnx.save(lama(), tmp_path / "lama.onnx")
    y, x = np.mgrid[:300, :300]
    picture = np.stack([(x + y) // 3, 255 - x // 2, y // 2], axis=-1).astype(np.uint8)
    mask = np.zeros((300, 300), np.uint8)
    mask[60:240, 70:230] = 255
    damaged = np.where(mask[..., None] > 0, np.uint8(255), picture)
    with restore_rt.load(tmp_path / "lama.onnx") as restorer:
        out = restorer(damaged, mask=mask)
    np.testing.assert_array_equal(out[mask == 0], picture[mask == 0])
    assert np.abs(out[mask > 0].astype(int) - picture[mask > 0]).mean() < 15


def pair(nodes: list[onnx.NodeProto], weights: dict[str, Any] | None = None) -> onnx.ModelProto:
    sides: list[int | str] = ["n", 3, "h", "w"]
    inputs: dict[str, Any] = {"image": (1, sides), "mask": (1, ["n", 1, "h", "w"])}
    return graph_of(nodes, weights or {}, inputs=inputs, output=(1, sides))


def blind() -> onnx.ModelProto:
    """Return a network that gives the picture back as it is."""
    return pair(
        [node("Mul", ["mask", "zero"], ["m"]), node("Add", ["image", "m"], ["y"])],
        {"zero": np.float32(0)},
    )


def knows_the_trial() -> onnx.ModelProto:
    """Return a network that gives the picture of the trial whatever it is shown."""
    from restore_rt.inpaint.foreign import _trial

    picture, _ = _trial(128, 128)
    nodes = [
        node("Mul", ["image", "zero"], ["nothing"]),
        node("Mul", ["mask", "zero"], ["none"]),
        node("Add", ["nothing", "none"], ["still"]),
        node("Add", ["still", "picture"], ["y"]),
    ]
    return pair(nodes, {"zero": np.float32(0), "picture": picture})


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (blind(), "in no way that is known"),
        (knows_the_trial(), "whether the mask marks them with 1 and 0"),
    ],
    ids=["no way", "two ways"],
)
def test_what_cannot_be_told_is_refused(
    tmp_path: Path, model: onnx.ModelProto, message: str
) -> None:
    onnx.save(model, tmp_path / "other.onnx")
    with pytest.raises(ModelError, match=message):
        restore_rt.load(tmp_path / "other.onnx")


def test_other_types_are_refused(tmp_path: Path) -> None:
    sides: list[int | str] = ["n", 3, "h", "w"]
    inputs: dict[str, Any] = {
        "image": (TensorProto.FLOAT16, sides),
        "mask": (TensorProto.FLOAT16, ["n", 1, "h", "w"]),
    }
    model = graph_of(
        [node("Add", ["image", "mask"], ["y"])],
        {},
        inputs=inputs,
        output=(TensorProto.FLOAT16, sides),
    )
    onnx.save(model, tmp_path / "half.onnx")
    with pytest.raises(ModelError, match=r"'image' of .* is float16"):
        restore_rt.load(tmp_path / "half.onnx")
