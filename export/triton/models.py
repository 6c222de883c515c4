"""What Triton has to know of a model's file: an ONNX file of ours, or an engine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from restore_rt.errors import EngineError, InputError, ModelError
from restore_rt.export.triton.config import Tensor
from restore_rt.model.external import has_external
from restore_rt.model.graph import dimensions, inputs_of
from restore_rt.model.manifest import Manifest, check_intact, read_manifest
from restore_rt.model.reading import read_model
from restore_rt.model.tensors import type_name
from restore_rt.tensorrt.pair import file_sha256, sidecar_path
from restore_rt.tensorrt.sidecar import Port, Sidecar

if TYPE_CHECKING:
    import onnx

__all__ = ["ServedModel", "read_served_model"]

_MOST_SIDECAR_BYTES = 2**22
_TYPES = {
    "float32": "TYPE_FP32",
    "float16": "TYPE_FP16",
    "bfloat16": "TYPE_BF16",
    "uint8": "TYPE_UINT8",
    "uint16": "TYPE_UINT16",
    "int8": "TYPE_INT8",
    "int32": "TYPE_INT32",
    "int64": "TYPE_INT64",
}


@dataclass(frozen=True)
class ServedModel:
    """A file to be served, called `name` in the repository, and what it takes and gives.

    `inputs` and `outputs` have the batch first. `most_batch` is the largest batch that it takes,
    where that is limited.
    """

    path: Path
    name: str
    kind: Literal["onnx", "plan"]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    manifest: Manifest | None
    most_batch: int | None = None

    @property
    def file(self) -> str:
        """What Triton calls the file."""
        return f"model.{self.kind}"


def read_served_model(path: Path, name: str | None) -> ServedModel:
    """Read an ``.onnx`` file, or an ``.engine`` with its description beside it.

    Without a `name` it gets its own. Raises `ModelError` if it is no such file, is damaged, or
    takes what Triton has no type for; `InputError` if it is an engine that Triton cannot load.
    """
    return _read_engine(path, name) if path.suffix == ".engine" else _read_onnx(path, name)


def _read_onnx(path: Path, name: str | None) -> ServedModel:
    import onnx

    network = read_model(path)
    if has_external(onnx.load(path, load_external_data=False)):
        raise ModelError(
            f"{path} has weights in other files, and a repository takes a single file: save it "
            "with all its weights inside, onnx.save(onnx.load(path), other_path)"
        )
    manifest = read_manifest(network)
    if manifest is not None:
        check_intact(network, manifest, path)
    return ServedModel(
        path,
        name or (path.stem if manifest is None else manifest.name),
        "onnx",
        tuple(_tensor(value, path) for value in inputs_of(network)),
        tuple(_tensor(value, path) for value in network.graph.output),
        manifest,
    )


def _tensor(value: onnx.ValueInfoProto, path: Path) -> Tensor:
    kind = type_name(value.type.tensor_type.elem_type)
    sides = (side if isinstance(side, int) else -1 for side in dimensions(value))
    return Tensor(value.name, _type(kind, value.name, path), tuple(sides))


def _type(kind: str, name: str, path: Path) -> str:
    if kind not in _TYPES:
        raise ModelError(f"{name!r} of {path} is {kind}; allowed are {', '.join(_TYPES)}")
    return _TYPES[kind]


def _read_engine(path: Path, name: str | None) -> ServedModel:
    again = "build it again with restore-rt build"
    beside = sidecar_path(path)
    try:
        if beside.stat().st_size > _MOST_SIDECAR_BYTES:
            raise EngineError(f"it has more than {_MOST_SIDECAR_BYTES} bytes")
        sidecar = Sidecar.from_json(beside.read_text("utf-8"))
        whole = path.stat().st_size == sidecar.plan_bytes
        whole = whole and file_sha256(path) == sidecar.plan_sha256
    except OSError as error:
        raise EngineError(f"{error.filename} cannot be read: {error.strerror}; {again}") from error
    except (UnicodeDecodeError, EngineError) as error:
        raise EngineError(f"{beside} cannot be trusted: {error}; {again}") from error
    if not whole:
        raise EngineError(f"{path} is not the file that {beside.name} describes; {again}")
    if sidecar.library != "tensorrt":
        raise InputError(
            f"{path} was built by {sidecar.library}, whose engines Triton does not load; build it "
            "with TensorRT, or give the .onnx file"
        )
    return ServedModel(
        path,
        name or sidecar.manifest.name,
        "plan",
        (_engine_tensor(sidecar.input, sidecar, 1, path),),
        (_engine_tensor(sidecar.output, sidecar, sidecar.manifest.scale, path),),
        sidecar.manifest,
        sidecar.profile.max.batch,
    )


def _engine_tensor(port: Port, sidecar: Sidecar, scale: int, path: Path) -> Tensor:
    low, high = sidecar.profile.min, sidecar.profile.max
    # Batches of one alone may be all that the network itself allows.
    batch = -1 if low.batch == 1 and high.batch > 1 else high.batch
    if low.batch not in (1, high.batch):
        raise InputError(
            f"{path} takes batches of {low.batch} to {high.batch}; Triton needs 1 and upwards, or "
            "one size: build it with another profile"
        )
    sides = [
        scale * more if less == more else -1
        for less, more in ((low.height, high.height), (low.width, high.width))
    ]
    channels = sidecar.manifest.channels
    shape = [*sides, channels] if port.layout == "nhwc" else [channels, *sides]
    return Tensor(port.name, _type(port.dtype, port.name, path), (batch, *shape))
