"""The sidecar: a JSON file that describes an engine, as engines do not describe themselves."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from typing import Any

from restore_rt.errors import EngineError, RestoreError
from restore_rt.gpu.properties import Gpu
from restore_rt.model.manifest import Manifest
from restore_rt.tensorrt.profile import Profile

__all__ = ["AMPERE", "EXACT", "SCHEMA", "Port", "Sidecar"]

SCHEMA = 1

# Targets that are no compute capability: the GPU that it was built on, and Ampere and later ones.
EXACT = "exact"
AMPERE = "ampere+"

_SEAL = "seal"


@dataclass(frozen=True)
class Port:
    """An engine's input or output.

    Attributes
    ----------
    name
        The tensor's name.
    dtype
        ``"float32"``, ``"float16"`` or ``"uint8"``.
    layout
        ``"nchw"`` or ``"nhwc"``.
    """

    name: str
    dtype: str
    layout: str


@dataclass(frozen=True, kw_only=True)
class Sidecar:
    """An engine's description.

    Attributes
    ----------
    onnx_sha256, plan_sha256, plan_bytes
        Checksum of the ONNX file; checksum and size of the engine's own file.
    library, library_version
        The library and version that built the engine and alone can load it.
    target
        The engine's GPUs: a compute capability (``"sm89"``), ``EXACT`` or ``AMPERE``.
    gpu
        The GPU that the engine was built on; None if no GPU was needed.
    profile
        The sizes that the engine accepts.
    input, output
        The engine's tensors.
    precision
        ``"fp32"`` or ``"fp16"``.
    workspace_mib
        Limit of the builder's working memory in MiB; None for the library's own.
    timing_cache
        Whether a timing cache was used.
    built
        Time of the build, in UTC (ISO 8601).
    restore_rt
        The version of restore_rt that built the engine.
    manifest
        The model's manifest.
    schema
        Version of the sidecar's schema.
    """

    onnx_sha256: str
    plan_sha256: str
    plan_bytes: int
    library: str
    library_version: str
    target: str
    gpu: Gpu | None
    profile: Profile
    input: Port
    output: Port
    precision: str
    workspace_mib: int | None
    timing_cache: bool
    built: str
    restore_rt: str
    manifest: Manifest
    schema: int = SCHEMA

    def to_json(self) -> str:
        """Return the sidecar as JSON with a checksum of itself."""
        fields = dataclasses.asdict(self)
        return json.dumps({**fields, _SEAL: _seal(fields)}, indent=2, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Sidecar:
        """Read the text of ``to_json``.

        Raises
        ------
        EngineError
            The text is not a sidecar, was changed, or has another schema.
        """
        try:
            fields = json.loads(text)
            seal = fields.pop(_SEAL)
            schema = fields["schema"]
        except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
            raise EngineError("it is no description of an engine") from error
        if type(schema) is not int or schema != SCHEMA:
            raise EngineError(f"its schema is {schema!r}; this version reads {SCHEMA}")
        if seal != _seal(fields):
            raise EngineError("it is damaged or was changed")
        try:
            return cls(**_typed(fields))
        except (RestoreError, TypeError, ValueError, KeyError, AttributeError) as error:
            raise EngineError(f"it cannot be used ({error})") from error

    def runs_on(self, gpu: Gpu) -> bool:
        """Return whether the engine was built for a GPU."""
        if self.target == EXACT:
            return gpu == self.gpu
        if self.target == AMPERE:
            return gpu.capability >= (8, 0)
        return gpu.target == self.target


def _seal(fields: dict[str, Any]) -> str:
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _typed(fields: dict[str, Any]) -> dict[str, Any]:
    gpu, profile, manifest = fields["gpu"], fields["profile"], fields["manifest"]
    manifest = {key: tuple(v) if isinstance(v, list) else v for key, v in manifest.items()}
    return {
        **fields,
        "gpu": None if gpu is None else Gpu(gpu["name"], tuple(gpu["capability"])),
        "profile": Profile.of(profile["min"], profile["opt"], profile["max"]),
        "input": Port(**fields["input"]),
        "output": Port(**fields["output"]),
        "manifest": Manifest(**manifest),
    }
