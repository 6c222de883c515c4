"""Inspection of a model file: its contents, its cost, and the backends that can run it here."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from restore_rt.errors import InputError, ModelError, RestoreError
from restore_rt.loading import load
from restore_rt.model.counting import Tensors, count_operators, count_tensors, multiply_adds
from restore_rt.model.graph import dimensions, inputs_of
from restore_rt.model.manifest import Manifest, check_intact, read_manifest
from restore_rt.model.reading import find_model, read_model
from restore_rt.model.sizing import SizedNetwork, image_axes, size_network
from restore_rt.model.tensors import type_name
from restore_rt.opening import Place
from restore_rt.wording import one_line

if TYPE_CHECKING:
    import onnx

__all__ = ["Cost", "Inspection", "Memory", "Port", "Verdict", "inspect_model"]

_PLACES = (
    Place("cpu", "native"),
    Place("cpu", "onnxruntime"),
    Place("cuda", "onnxruntime"),
    Place("cuda", "tensorrt"),
)
_USUAL_SIZE = (360, 640)
_MOST_SIDE = 65536
_X86 = ("x86_64", "AMD64", "i686")


@dataclass(frozen=True)
class Port:
    """An input or an output: sides are numbers, names of free ones, or None."""

    name: str
    type: str
    shape: tuple[int | str | None, ...]


@dataclass(frozen=True)
class Memory:
    """Bytes that a batch of one takes; None where a shape is not known.

    Attributes
    ----------
    weights
        All tensors in the file, constants too.
    input, output
        What goes in and comes out.
    activations
        The most that intermediate results take at once, see ``SizedNetwork.peak``. A library that
        computes in place or joins operators takes less, one that keeps copies in a layout of its
        own takes more.
    """

    weights: int
    input: int | None
    output: int | None
    activations: int | None

    @property
    def total(self) -> int | None:
        """The sum; None if a part is not known."""
        parts = (self.weights, self.input, self.output, self.activations)
        known = [part for part in parts if part is not None]
        return sum(known) if len(known) == len(parts) else None


@dataclass(frozen=True)
class Cost:
    """The cost of a network at one size of its input.

    Attributes
    ----------
    size, output_size
        Height and width; None where they are not known.
    multiply_adds
        Of convolutions and products of matrices; None where shapes or operators are not known.
    per_output_pixel
        The same over the output's pixels.
    memory
        The bytes of each part.
    """

    size: tuple[int, int] | None
    output_size: tuple[int, int] | None
    multiply_adds: int | None
    per_output_pixel: float | None
    memory: Memory


@dataclass(frozen=True)
class Verdict:
    """Whether a backend runs the model on this machine, found by running it, and its message."""

    runs: bool
    reason: str


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """The result of ``inspect_model``.

    Attributes
    ----------
    path, file_size
        The file, and its bytes.
    manifest
        The file's manifest; None if it has none.
    intact
        Whether the network is the one that the manifest was written for; None without one.
    opsets
        Versions of the operator sets, by domain; ``ai.onnx`` is the standard's own.
    operators
        Nodes by operator.
    inputs, outputs
        Names, types and shapes.
    parameters, constants
        Numbers in its tensors that are weights, and that are not; see ``Tensors``.
    weight_types
        Weights by element type.
    cost
        The cost at one size.
    runs_on
        Whether it runs here, by backend and device, such as ``"native on cpu"``.
    notes
        Other things to know.
    """

    path: Path
    file_size: int
    manifest: Manifest | None
    intact: bool | None
    opsets: Mapping[str, int]
    operators: Mapping[str, int]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    parameters: int
    constants: int
    weight_types: Mapping[str, int]
    cost: Cost
    runs_on: Mapping[str, Verdict]
    notes: tuple[str, ...]


def inspect_model(
    model: str | os.PathLike[str], *, size: tuple[int, int] | None = None
) -> Inspection:
    """Inspect a model file: its contents, its cost, and the backends that can run it here.

    Parameters
    ----------
    model
        A shipped model's name or an ``.onnx`` file, with a manifest or without.
    size
        Height and width of the input to compute the cost for; by default the network's only size,
        else the manifest's tile, else 360 x 640.

    Raises
    ------
    ModelError
        There is no such model, or its file is damaged.
    InputError
        The network does not take this size.
    """
    path = find_model(model)
    network = read_model(path)
    manifest = read_manifest(network)
    tensors = count_tensors(network)
    types = {type_name(kind): count for kind, count in tensors.kinds.most_common()}
    tried = {str(place): _try(path, place) for place in _PLACES}
    # Each once, in their order.
    said = dict.fromkeys(note for _, notes in tried.values() for note in notes)
    return Inspection(
        path=path,
        file_size=path.stat().st_size,
        manifest=manifest,
        intact=None if manifest is None else _is_intact(network, manifest, path),
        opsets={item.domain or "ai.onnx": item.version for item in network.opset_import},
        operators=count_operators(network),
        inputs=tuple(map(_port, inputs_of(network))),
        outputs=tuple(map(_port, network.graph.output)),
        parameters=tensors.weights,
        constants=tensors.constants,
        weight_types=types,
        cost=_cost(network, tensors, manifest, size),
        runs_on={place: verdict for place, (verdict, _) in tried.items()},
        notes=(*_notes(types), *said),
    )


def _is_intact(network: onnx.ModelProto, manifest: Manifest, path: Path) -> bool:
    try:
        check_intact(network, manifest, path)
    except ModelError:
        return False
    return True


def _port(value: onnx.ValueInfoProto) -> Port:
    return Port(value.name, type_name(value.type.tensor_type.elem_type), dimensions(value))


def _cost(
    model: onnx.ModelProto,
    tensors: Tensors,
    manifest: Manifest | None,
    size: tuple[int, int] | None,
) -> Cost:
    inputs = inputs_of(model)
    # An in-painting network takes a mask of the picture's size beside it.
    each_axes = [image_axes(value) for value in inputs[:2]]
    axes = each_axes[0] if len(inputs) <= 2 and each_axes and None not in each_axes else None
    if axes is None:
        if size is not None:
            raise InputError(
                "size cannot be chosen: the network does not take one batch of pictures, of four "
                "sides"
            )
        return Cost(None, None, None, None, Memory(tensors.bytes, None, None, None))
    fixed = [dimensions(inputs[0])[axis] for axis in axes]
    size = _size(fixed, manifest, size)
    network = size_network(model, size)
    total = multiply_adds(network)
    output_size, pixels = _output(network, model)
    memory = Memory(
        tensors.bytes,
        network.bytes_of(network.inputs),
        network.bytes_of(network.outputs),
        network.peak(),
    )
    each = None if total is None or not pixels else total / pixels
    return Cost(size, output_size, total, each, memory)


def _size(
    fixed: list[int | str | None], manifest: Manifest | None, size: tuple[int, int] | None
) -> tuple[int, int]:
    multiple = 1 if manifest is None else manifest.multiple
    if size is not None and any(
        not 1 <= side <= _MOST_SIDE or side % multiple or (isinstance(only, int) and side != only)
        for side, only in zip(size, fixed, strict=True)
    ):
        allowed = [
            str(only)
            if isinstance(only, int)
            else f"multiples of {multiple} from {multiple} to {_MOST_SIDE}"
            for only in fixed
        ]
        raise InputError(
            f"size is {size[1]}x{size[0]}; allowed are {allowed[1]} (width) and {allowed[0]} "
            "(height)"
        )
    usual = size or (_USUAL_SIZE if manifest is None else manifest.tile)
    height, width = (
        only if isinstance(only, int) else side for side, only in zip(usual, fixed, strict=True)
    )
    return height, width


def _output(network: SizedNetwork, model: onnx.ModelProto) -> tuple[tuple[int, int] | None, int]:
    """Return height and width of the output, and its pixels in all pictures of the batch."""
    outputs = model.graph.output
    value = network.values.get(outputs[0].name) if len(outputs) == 1 else None
    if value is None or len(value.shape) != 4:
        return None, 0
    height, width = (value.shape[axis] for axis in image_axes(outputs[0]) or (2, 3))
    return (height, width), value.shape[0] * height * width


def _try(path: Path, place: Place) -> tuple[Verdict, tuple[str, ...]]:
    """Run the model; return whether it runs, and what was assumed of it."""
    try:
        with load(path, device=place.device, backend=place.backend) as restorer:  # type: ignore[arg-type]
            restorer.warmup((16, 16) if restorer.manifest.colour == "luma" else (16, 16, 3))
            return Verdict(True, restorer.description), restorer.notes
    except RestoreError as error:
        return Verdict(False, one_line(error)), ()


def _notes(types: Mapping[str, int]) -> tuple[str, ...]:
    half = next(iter(types), "") in ("float16", "bfloat16")
    if not half or platform.machine() not in _X86:
        return ()
    slow = "its weights have 16 bits, with which CPUs of this kind are slower than with 32"
    return (f"{slow}: export it as fp32 for them",)
