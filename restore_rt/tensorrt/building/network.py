"""The network of an engine: checked in Python before TensorRT's parser reads it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from restore_rt.errors import InputError, ModelError
from restore_rt.model.graph import dimensions, inputs_of
from restore_rt.model.manifest import Manifest, check_intact, read_manifest
from restore_rt.model.reading import read_model
from restore_rt.model.sizing import size_network
from restore_rt.model.tensors import type_name
from restore_rt.model.validation import check_network
from restore_rt.tensorrt.pair import file_sha256
from restore_rt.tensorrt.profile import Profile, Shape
from restore_rt.tensorrt.sidecar import Port

if TYPE_CHECKING:
    import onnx

__all__ = ["Network", "network_of", "read_network"]

_LAYOUTS = {"float32": "nchw", "float16": "nchw", "uint8": "nhwc"}
_TRIED_SIDE = 64


@dataclass(frozen=True)
class Network:
    """A network that passed all checks.

    Attributes
    ----------
    path, sha256
        The network's file, or its name if it has none; and the checksum of the file's contents.
    blob
        The ONNX model, for the parser.
    manifest
        The network's description.
    input, output
        The network's tensors.
    fixed
        Batch, height and width; None where dynamic.
    precision
        ``"fp32"``, or ``"fp16"`` if there are weights of that type.
    """

    path: Path
    sha256: str
    blob: bytes
    manifest: Manifest
    input: Port
    output: Port
    fixed: tuple[int | None, int | None, int | None]
    precision: str

    def usual_profile(self) -> Profile:
        """Return the default profile."""
        usual = Profile.usual(self.manifest)
        shapes = (
            (own or value for own, value in zip(self.fixed, shape, strict=True))
            for _, shape in usual.named()
        )
        return Profile.of(*(tuple(shape) for shape in shapes))

    def check_profile(self, profile: Profile) -> None:
        """Refuse a profile that does not fit the network.

        Raises
        ------
        InputError
            The profile does not fit.
        """
        profile.check(self.manifest)
        for name, shape in profile.named():
            for what, own, value in zip(Shape._fields, self.fixed, shape, strict=True):
                if own not in (None, value):
                    raise InputError(
                        f"the profile's {name} is {shape}, but {self.path} takes a {what} of {own} "
                        "alone; give that, or export the model with dynamic sizes"
                    )

    def input_shape(self, shape: Shape) -> tuple[int, int, int, int]:
        """Return the input's shape in its layout."""
        batch, height, width = shape
        channels = self.manifest.channels
        if self.input.layout == "nhwc":
            return batch, height, width, channels
        return batch, channels, height, width


def read_network(path: Path) -> Network:
    """Read an ONNX file and check all that can be checked without TensorRT.

    Raises
    ------
    ModelError
        The file is damaged, has no manifest, is neither fp32 nor fp16, or contradicts its manifest.
    """
    try:
        checksum = file_sha256(path)
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}") from error
    model = read_model(path)
    manifest = read_manifest(model)
    if manifest is None:
        raise ModelError(
            f"{path} has no manifest, which an engine needs; export it with restore-rt export"
        )
    check_intact(model, manifest, path)
    return _checked(model, manifest, path, checksum)


def network_of(model: onnx.ModelProto, manifest: Manifest) -> Network:
    """Check a network in memory as ``read_network`` does a file.

    Parameters
    ----------
    model
        The network; checked again if changed since it was read.
    manifest
        The network's description, if the model contains none.

    Raises
    ------
    ModelError
        As ``read_network``.
    """
    path, own = Path(manifest.name), read_manifest(model)
    try:
        check_network(model)
    except ModelError as error:
        raise ModelError(f"{path} cannot be built: {error}") from error
    if own is not None:
        check_intact(model, own, path)
    blob = model.SerializeToString(deterministic=True)
    return _checked(model, own or manifest, path, hashlib.sha256(blob).hexdigest())


def _checked(model: onnx.ModelProto, manifest: Manifest, path: Path, checksum: str) -> Network:
    inputs, outputs = inputs_of(model), list(model.graph.output)
    if len(inputs) != 1 or len(outputs) != 1:
        raise ModelError(
            f"{path} has {len(inputs)} inputs and {len(outputs)} outputs; a model has one of each"
        )
    network = Network(
        path=path,
        sha256=checksum,
        blob=model.SerializeToString(),
        manifest=manifest,
        input=_port(inputs[0], path),
        output=_port(outputs[0], path),
        fixed=_fixed(inputs[0], path, manifest),
        precision=_precision(model, path, manifest),
    )
    _check_output(model, network)
    return network


def _port(value: onnx.ValueInfoProto, path: Path) -> Port:
    dtype = type_name(value.type.tensor_type.elem_type)
    if dtype not in _LAYOUTS:
        raise ModelError(
            f"{value.name!r} of {path} is {dtype}; allowed are {', '.join(_LAYOUTS)}: export the "
            "model again"
        )
    return Port(value.name, dtype, _LAYOUTS[dtype])


def _fixed(
    value: onnx.ValueInfoProto, path: Path, manifest: Manifest
) -> tuple[int | None, int | None, int | None]:
    layout = _port(value, path).layout
    sides = [side if isinstance(side, int) else None for side in dimensions(value)]
    if len(sides) != 4:
        raise ModelError(
            f"{value.name!r} of {path} has {len(sides)} sides; it must be {layout.upper()}"
        )
    named = dict(zip(layout, sides, strict=True))
    if named["c"] not in (None, manifest.channels):
        raise ModelError(
            f"{path} takes {named['c']} channels, but says that it is {manifest.colour}, which has "
            f"{manifest.channels}"
        )
    return named["n"], named["h"], named["w"]


def _precision(model: onnx.ModelProto, path: Path, manifest: Manifest) -> str:
    """Return the graph's precision, which the manifest must name."""
    if manifest.precision not in ("fp32", "fp16"):
        raise ModelError(
            f"{path} is {manifest.precision}, which is for CPUs; engines are built from fp32 and "
            "fp16: export it with --precision fp16"
        )
    types = {type_name(tensor.data_type) for tensor in model.graph.initializer}
    found = "fp16" if "float16" in types else "fp32"
    if found != manifest.precision:
        raise ModelError(
            f"{path} says that it is {manifest.precision}, and its weights are {found}: export it "
            "again"
        )
    return found


def _check_output(model: onnx.ModelProto, network: Network) -> None:
    manifest, multiple = network.manifest, network.manifest.multiple
    height, width = (own or -(-_TRIED_SIDE // multiple) * multiple for own in network.fixed[1:])
    try:
        value = size_network(model, (height, width), strict=True).values.get(network.output.name)
    except Exception as error:
        raise ModelError(f"{network.path}: the shapes in it contradict each other") from error
    if value is None:
        raise ModelError(
            f"{network.path}: the shape of {network.output.name!r} cannot be inferred; export the "
            "model again"
        )
    named = {"n": network.fixed[0] or 1, "c": manifest.channels}
    named |= {"h": height * manifest.scale, "w": width * manifest.scale}
    expected = tuple(named[axis] for axis in network.output.layout)
    if value.shape != expected:
        raise ModelError(
            f"{network.path} gives {value.shape} for an input of {height}x{width}, and by its "
            f"manifest it would be {expected}: the file is damaged; export it again"
        )
