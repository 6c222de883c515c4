"""In-painting networks of others: what they take and give is found by trial runs."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from restore_rt.errors import ModelError
from restore_rt.inpaint.network import Convention, InpaintNetwork, Range
from restore_rt.model.graph import dimensions, inputs_of
from restore_rt.model.manifest import Manifest, weights_sha256
from restore_rt.model.precision import precision_of
from restore_rt.model.tensors import type_name

if TYPE_CHECKING:
    import onnx

__all__ = ["Described", "Inputs", "describe", "find_inputs"]

_UNKNOWN = "unknown"
_FLOAT, _UINT8 = 1, 2
# Sizes that networks of others take where they leave them open.
_TILE, _MULTIPLE, _TRIAL = 512, 8, 128
_UNIT, _SIGNED, _BYTES = (0.0, 1.0), (-1.0, 1.0), (0.0, 255.0)

# How far a sample may be off, where white is 1: on average over what is known, between two runs
# whose holes held black and white, and on average over the holes of a smooth picture.
_KNOWN, _INFLUENCE, _HOLE = 0.08, 0.15, 0.2

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Inputs:
    """The inputs of a network that replaces holes.

    Attributes
    ----------
    image, mask
        Their names; no ``mask`` where one input of four channels holds both.
    kinds
        Element types by name, in ONNX's numbers.
    fixed
        The height and the width that it takes alone; None for open ones.
    """

    image: str
    mask: str | None
    kinds: dict[str, int]
    fixed: tuple[int | None, int | None]


@dataclass(frozen=True)
class Described:
    """What the trial found."""

    manifest: Manifest
    convention: Convention
    fixed: tuple[int | None, int | None]
    notes: tuple[str, ...]


def find_inputs(network: onnx.ModelProto) -> Inputs | None:
    """Return the inputs of a network that takes a picture and a mask; None for any other.

    That is one with an input of three channels and one of a single channel, or with one input of
    four channels and an output of three.
    """
    inputs, outputs = inputs_of(network), network.graph.output
    shapes = {value.name: dimensions(value) for value in inputs}
    if len(outputs) != 1 or any(len(shape) != 4 for shape in shapes.values()):
        return None
    kinds = {value.name: value.type.tensor_type.elem_type for value in inputs}
    channels = {name: shape[1] for name, shape in shapes.items()}
    image = mask = None
    if len(inputs) == 2:
        for name, count in channels.items():
            if count == 1 or (count != 3 and "mask" in name.lower()):
                mask = name
            else:
                image = name
        if image is None or mask is None:
            return None
    elif len(inputs) == 1 and [*channels.values()] == [4]:
        made = dimensions(outputs[0])
        if len(made) != 4 or made[1] != 3:
            return None
        image = inputs[0].name
    else:
        return None
    height, width = (side if isinstance(side, int) else None for side in shapes[image][2:])
    return Inputs(image, mask, kinds, (height, width))


def describe(network: onnx.ModelProto, inputs: Inputs, path: Path, *, threads: int) -> Described:
    """Find by trial runs how a network takes pictures and masks.

    A smooth picture with a hole, which is once black and once white, is given in each way that is
    known of published networks. The right way is the one after which the picture comes back where
    it is known, and the hole is filled alike whatever it held.

    Raises
    ------
    ModelError
        No way, or more than one, gives that.
    BackendError
        ONNX Runtime is not installed, or cannot run the network.
    """
    allowed = (_FLOAT, _UINT8)
    for name, kind in inputs.kinds.items():
        if kind not in allowed:
            raise ModelError(
                f"{name!r} of {path} is {type_name(kind)}; allowed are float32 and uint8: export "
                "the model with float32"
            )
    runner = InpaintNetwork(network, Convention(), threads=threads)
    try:
        convention = _found(runner, inputs, path)
    finally:
        runner.close()
    height, width = (side or _TILE for side in inputs.fixed)
    is_fixed = any(side is not None for side in inputs.fixed)
    manifest = Manifest(
        name=path.stem,
        version=_UNKNOWN,
        task="inpaint",
        content="photo",
        scale=1,
        colour="rgb",
        halo=max(min(height, width) // 16, 1),
        multiple=1 if is_fixed else _MULTIPLE,
        tile=(height, width),
        precision=precision_of(network),
        sha256=weights_sha256(network),
        trained_on=_UNKNOWN,
        licence=_UNKNOWN,
        recipe="",
    )
    notes = [_told(convention, path)]
    if is_fixed:
        notes.append(
            f"{path} takes pictures of {width}x{height} alone: larger ones are given to it in "
            "tiles of that size, of which it sees one at a time"
        )
    return Described(manifest, convention, inputs.fixed, tuple(notes))


def _told(convention: Convention, path: Path) -> str:
    (low, high), (black, white) = convention.taken, convention.given
    return (
        f"{path} has no manifest; by trial it takes samples from {low:g} to {high:g} and a mask "
        f"with {convention.hole:g} for what is replaced, and gives {black:g} to {white:g}"
    )


def _found(runner: InpaintNetwork, inputs: Inputs, path: Path) -> Convention:
    for ways in _ways(inputs):
        fitting = [
            found for way in ways if (found := _with_output(runner, way, inputs.fixed)) is not None
        ]
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            values = " and ".join(f"{way.hole:g}" for way in fitting)
            raise ModelError(
                f"{path} replaces holes just as well whether the mask marks them with {values}: "
                "which of them it means cannot be told; export it with a manifest"
            )
    raise ModelError(
        f"{path} takes a picture and a mask, but in no way that is known does it give a picture "
        "back with the hole filled: allowed are masks with 1 or 0 (255 or 0) in holes, samples of "
        "0 to 1, -1 to 1 or 0 to 255, or four channels, mask - 0.5 and the picture from -1 to 1"
    )


def _ways(inputs: Inputs) -> Iterator[list[Convention]]:
    """Give groups of conventions that differ in what marks a hole; the usual ones first."""
    if inputs.mask is None:
        usual = Convention(inputs.image, None, _SIGNED, blanked=True)
        yield [dataclasses.replace(usual, known=known, hole=-known) for known in (0.5, -0.5)]
        return
    usual = Convention(
        inputs.image,
        inputs.mask,
        integers=inputs.kinds[inputs.image] == _UINT8,
        integer_mask=inputs.kinds[inputs.mask] == _UINT8,
    )
    ranges = (_BYTES,) if usual.integers else (_UNIT, _SIGNED, _BYTES)
    tops = (255.0, 1.0) if usual.integer_mask else (1.0, 255.0)
    for taken, top in itertools.product(ranges, tops):
        yield [
            dataclasses.replace(usual, taken=taken, known=known, hole=top - known)
            for known in (0.0, top)
        ]


def _with_output(
    runner: InpaintNetwork, way: Convention, fixed: tuple[int | None, int | None]
) -> Convention | None:
    """Return a convention with the range of what the network gives; None if it is the wrong one."""
    height, width = (side or _TRIAL for side in fixed)
    picture, holes = _trial(height, width)
    made = []
    for content in (0.0, 1.0):
        shown = np.where(holes > 0, np.float32(content), picture)
        result = runner.run_raw(way.inputs(shown, holes), picture.shape)
        if result.shape != picture.shape or not np.isfinite(result).all():
            return None
        made.append(result)
    hole = np.broadcast_to(holes > 0, picture.shape)

    def misses(given: Range) -> tuple[float, float, float]:
        black, white = dataclasses.replace(way, given=given).picture(np.stack(made))
        return (
            float(np.abs(black - picture)[~hole].mean()),
            float(np.abs(black - white)[hole].mean()),
            float(np.abs(black - picture)[hole].mean()),
        )

    given = min((_UNIT, _BYTES, _SIGNED), key=misses)
    bounds = (_KNOWN, _INFLUENCE, _HOLE)
    if all(miss < bound for miss, bound in zip(misses(given), bounds, strict=True)):
        return dataclasses.replace(way, given=given)
    return None


def _trial(height: int, width: int) -> tuple[Floats, Floats]:
    """Return a picture of smooth colours, (1, 3, H, W), and a mask, 1 in the hole in its middle."""
    y, x = np.linspace(0, 1, height)[:, None], np.linspace(0, 1, width)
    planes = [0.1 + 0.8 * x + 0 * y, 0.1 + 0.8 * y + 0 * x, 0.9 - 0.4 * (x + y)]
    holes = np.zeros((1, 1, height, width), np.float32)
    holes[..., height * 3 // 8 : height * 5 // 8, width * 3 // 8 : width * 5 // 8] = 1
    return np.stack(planes)[None].astype(np.float32), holes
