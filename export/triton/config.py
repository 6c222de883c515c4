"""The text of a Triton model configuration (``config.pbtxt``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from restore_rt.errors import InputError

__all__ = ["Serving", "Tensor", "config_text"]

Device = Literal["auto", "cpu", "gpu"]
DEVICES = ("auto", "cpu", "gpu")
Versions = Literal["latest", "all"] | Sequence[int]

_USUAL_BATCH = 8
_MOST = 2**31 - 1

# Names of backend and platform, as Triton has them.
_PLATFORMS = {"onnx": ("onnxruntime", "onnxruntime_onnx"), "plan": ("tensorrt", "tensorrt_plan")}


@dataclass(frozen=True)
class Tensor:
    """An input or an output.

    Attributes
    ----------
    name
        As the network has it.
    type
        Triton's data type, such as ``"TYPE_FP32"``.
    shape
        With the batch first; -1 where a side is free.
    """

    name: str
    type: str
    shape: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Serving:
    """How a server is to run a model; see ``write_repository``."""

    max_batch_size: int | None = None
    dynamic_batching: bool = True
    preferred_batch_sizes: Sequence[int] = ()
    max_queue_delay_us: int = 0
    instances: int = 1
    device: Device = "auto"
    gpus: Sequence[int] = ()
    versions: Versions = "latest"
    parameters: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what Triton would refuse of any model."""
        if self.device not in DEVICES:
            raise InputError(f"device is {self.device!r}; allowed are {', '.join(DEVICES)}")
        _whole("instances", self.instances, 1)
        _whole("max_queue_delay_us", self.max_queue_delay_us, 0)
        if self.max_batch_size is not None:
            _whole("max_batch_size", self.max_batch_size, 0)
        for number in self.gpus:
            _whole("a number in gpus", number, 0)
        if self.gpus and self.device != "gpu":
            raise InputError(
                f"gpus is {list(self.gpus)}, but device is {self.device!r}; give device='gpu'"
            )
        if not self.dynamic_batching and (self.preferred_batch_sizes or self.max_queue_delay_us):
            raise InputError(
                "preferred_batch_sizes and max_queue_delay_us are for dynamic batching, which is "
                "off; leave them out, or turn it on"
            )
        if isinstance(self.versions, str):
            if self.versions not in ("latest", "all"):
                raise InputError(
                    f"versions is {self.versions!r}; allowed are latest, all, or their numbers"
                )
        elif not self.versions:
            raise InputError("versions names none; give latest, all, or numbers of versions")
        else:
            for number in self.versions:
                _whole("a number in versions", number, 1)


def config_text(
    name: str,
    kind: Literal["onnx", "plan"],
    inputs: Sequence[Tensor],
    outputs: Sequence[Tensor],
    serving: Serving,
    *,
    most_batch: int | None = None,
) -> str:
    """Write a model's configuration.

    Parameters
    ----------
    name
        Of the model and its folder.
    kind
        Whether the file is ONNX or a plan of TensorRT.
    inputs, outputs
        With their batch.
    serving
        How it is to be run.
    most_batch
        The largest batch that it takes, where that is limited.

    Raises
    ------
    InputError
        The model cannot be served so.
    """
    batch = _batch_size(name, [*inputs, *outputs], serving, most_batch)
    if kind == "plan" and serving.device == "cpu":
        raise InputError(f"device is 'cpu', but {name} is a plan of TensorRT; give 'gpu' or 'auto'")
    backend, platform = _PLATFORMS[kind]
    lines = [
        f"name: {_quoted(name)}",
        f"backend: {_quoted(backend)}",
        f"platform: {_quoted(platform)}",
        f"max_batch_size: {batch}",
    ]
    for title, tensors in (("input", inputs), ("output", outputs)):
        for tensor in tensors:
            dims = tensor.shape[1:] if batch else tensor.shape
            lines += [
                f"{title} {{",
                f"  name: {_quoted(tensor.name)}",
                f"  data_type: {tensor.type}",
                f"  dims: {list(dims)}",
                "}",
            ]
    lines += [*_version_policy(serving), *_instance_group(serving)]
    lines += _batching(serving, batch)
    for key, value in serving.parameters.items():
        lines += [
            "parameters {",
            f"  key: {_quoted(key)}",
            f"  value {{ string_value: {_quoted(value)} }}",
            "}",
        ]
    return "\n".join(lines) + "\n"


def _batch_size(
    name: str, tensors: Sequence[Tensor], serving: Serving, most_batch: int | None
) -> int:
    """Return Triton's ``max_batch_size``: 0 means that the shapes are taken as they are."""
    wanted = serving.max_batch_size
    if any(not tensor.shape or tensor.shape[0] != -1 for tensor in tensors):
        if wanted:
            raise InputError(
                f"max_batch_size is {wanted}, but {name} takes batches of one size alone; give 0, "
                "or export it with a free batch"
            )
        batch = 0
    elif wanted is None:
        batch = min(_USUAL_BATCH, most_batch or _USUAL_BATCH)
    elif most_batch is not None and wanted > most_batch:
        raise InputError(
            f"max_batch_size is {wanted}, but {name} takes batches up to {most_batch}; build it "
            "with a larger profile"
        )
    else:
        batch = wanted
    sizes = list(serving.preferred_batch_sizes)
    if sizes and (sizes != sorted(set(sizes)) or sizes[0] < 1 or sizes[-1] > batch):
        raise InputError(
            f"preferred_batch_sizes is {sizes}; they must rise, from 1 to the max_batch_size of "
            f"{name}, which is {batch}"
        )
    if serving.max_queue_delay_us and not batch:
        raise InputError(
            f"max_queue_delay_us is {serving.max_queue_delay_us}, but requests for {name} are not "
            "put together in batches; leave it out"
        )
    return batch


def _version_policy(serving: Serving) -> list[str]:
    if serving.versions == "all":
        return ["version_policy { all { } }"]
    if serving.versions == "latest":
        return ["version_policy { latest { num_versions: 1 } }"]
    numbers = sorted(set(map(int, serving.versions)))
    return [f"version_policy {{ specific {{ versions: {numbers} }} }}"]


def _instance_group(serving: Serving) -> list[str]:
    lines = [
        "instance_group {",
        f"  count: {serving.instances}",
        f"  kind: KIND_{serving.device.upper()}",
    ]
    if serving.gpus:
        lines.append(f"  gpus: {list(serving.gpus)}")
    return [*lines, "}"]


def _batching(serving: Serving, batch: int) -> list[str]:
    if not serving.dynamic_batching or batch == 0:
        return []
    lines = ["dynamic_batching {"]
    if serving.preferred_batch_sizes:
        lines.append(f"  preferred_batch_size: {list(serving.preferred_batch_sizes)}")
    if serving.max_queue_delay_us:
        lines.append(f"  max_queue_delay_microseconds: {serving.max_queue_delay_us}")
    return [*lines, "}"]


def _quoted(text: str) -> str:
    """Return a string of protobuf's text format; what is not plain ASCII becomes octal."""
    letters = (
        chr(byte) if 32 <= byte < 127 and chr(byte) not in "\"\\'" else f"\\{byte:03o}"
        for byte in text.encode()
    )
    return f'"{"".join(letters)}"'


def _whole(what: str, value: object, least: int) -> None:
    if type(value) is not int or not least <= value <= _MOST:
        raise InputError(f"{what} is {value!r}; it must be a whole number from {least} to {_MOST}")
