"""The cache of engines that were built on first use: names of files in it, and one builder."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from restore_rt.model import manifest
from restore_rt.tensorrt import sidecar
from restore_rt.tensorrt.pair import SUFFIX

if TYPE_CHECKING:
    from restore_rt.gpu.properties import Gpu
    from restore_rt.tensorrt.library import Library
    from restore_rt.tensorrt.profile import Profile

__all__ = [
    "engine_path",
    "one_builder",
    "timing_path",
]

_DIGITS = 32


def engine_path(
    folder: Path,
    *,
    name: str,
    onnx_sha256: str,
    library: Library,
    target: str,
    gpu: Gpu,
    profile: Profile,
) -> Path:
    """Return where an engine lies: its name holds a checksum of all that it depends on.

    Parameters
    ----------
    folder
        See ``restore_rt.cache.engines_folder``.
    name
        The model's, for people who look into the folder.
    onnx_sha256
        Checksum of the model.
    library, target, gpu, profile
        What builds it, for what, and for which sizes.
    """
    key = {
        "onnx": onnx_sha256,
        "library": library.name,
        "version": library.version,
        "target": target,
        "gpu": gpu.name,
        "capability": list(gpu.capability),
        "profile": str(profile),
        "schemas": [manifest.SCHEMA, sidecar.SCHEMA],
    }
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", name)[:60]
    return folder / f"{plain}-{digest[:_DIGITS]}{SUFFIX}"


def timing_path(folder: Path, library: Library, gpu: Gpu) -> Path:
    """Return where what a library measured on a GPU lies."""
    digest = hashlib.sha256(f"{library} on {gpu}".encode()).hexdigest()
    return folder / f"{library.name}-{digest[:_DIGITS]}.timing"


@contextmanager
def one_builder(path: Path) -> Iterator[None]:
    """Let one process at a time, and one thread in it, build and write the engine at a path.

    A process that dies lets go. Where files cannot be locked, several may build at once; engine
    and sidecar then may not fit each other, which ``read_engine`` notices.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    with path.with_name(path.name + ".lock").open("ab") as file:
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
