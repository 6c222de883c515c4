"""Triton's description of a model, the contents of ``config.pbtxt``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from tritonclient.grpc.model_config_pb2 import ModelConfig

from restore_rt.errors import InputError

__all__ = ["Serving", "Tensor", "model_config"]

Device = Literal["auto", "cpu", "gpu"]
DEVICES = ("auto", "cpu", "gpu")
Versions = Literal["latest", "all"] | Sequence[int]

_USUAL_BATCH = 8
_MOST = 2**31 - 1

# Triton's names for the backend and the platform.
_PLATFORMS = {"onnx": ("onnxruntime", "onnxruntime_onnx"), "plan": ("tensorrt", "tensorrt_plan")}


@dataclass(frozen=True)
class Tensor:
    """An input or an output of a model, by its name in the network.

    `type` is Triton's data type, such as ``"TYPE_FP32"``; `shape` has the batch first, and -1 for a
    dimension of any size.
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


def model_config(
    name: str,
    kind: Literal["onnx", "plan"],
    inputs: Sequence[Tensor],
    outputs: Sequence[Tensor],
    serving: Serving,
    *,
    parameters: Mapping[str, str],
    most_batch: int | None = None,
) -> ModelConfig:
    """Describe a model by Triton's own schema, as `serving` says.

    The tensors come with the batch, of at most `most_batch` if there is a limit. `parameters` are
    settings for the backend and facts for clients, by name. Raises `InputError` if the model cannot
    be served with these settings.
    """
    batch = _batch_size(name, [*inputs, *outputs], serving, most_batch)
    if kind == "plan" and serving.device == "cpu":
        raise InputError(f"device is 'cpu', but {name} is a plan of TensorRT; give 'gpu' or 'auto'")
    backend, platform = _PLATFORMS[kind]
    config = ModelConfig(name=name, backend=backend, platform=platform, max_batch_size=batch)
    for added, tensors in ((config.input, inputs), (config.output, outputs)):
        for tensor in tensors:
            dims = tensor.shape[1:] if batch else tensor.shape
            added.add(name=tensor.name, data_type=tensor.type, dims=dims)
    if serving.versions == "all":
        config.version_policy.all.SetInParent()
    elif serving.versions == "latest":
        config.version_policy.latest.num_versions = 1
    else:
        config.version_policy.specific.versions.extend(sorted(set(map(int, serving.versions))))
    config.instance_group.add(
        count=serving.instances, kind=f"KIND_{serving.device.upper()}", gpus=serving.gpus
    )
    if serving.dynamic_batching and batch:
        config.dynamic_batching.preferred_batch_size.extend(serving.preferred_batch_sizes)
        config.dynamic_batching.max_queue_delay_microseconds = serving.max_queue_delay_us
        config.dynamic_batching.SetInParent()
    for key, value in parameters.items():
        config.parameters[key].string_value = value
    return config


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


def _whole(what: str, value: object, least: int) -> None:
    if type(value) is not int or not least <= value <= _MOST:
        raise InputError(f"{what} is {value!r}; it must be a whole number from {least} to {_MOST}")
