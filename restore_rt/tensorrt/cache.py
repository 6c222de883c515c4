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
    """Return an engine's path; its name has a checksum of everything that the engine depends on.

    Parameters
    ----------
    folder
        See ``restore_rt.cache.engines_folder``.
    name
        The model's name, for people who look into the folder.
    onnx_sha256
        Checksum of the model.
    library, target, gpu, profile
        Library, target, GPU and sizes of the engine.
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
    """Return the path of a library's timing cache for a GPU."""
    digest = hashlib.sha256(f"{library} on {gpu}".encode()).hexdigest()
    return folder / f"{library.name}-{digest[:_DIGITS]}.timing"


@contextmanager
def one_builder(path: Path) -> Iterator[None]:
    """Lock an engine's path, so that one thread of one process builds and writes the engine.

    A process that dies releases the lock. Where files cannot be locked, several may build at once;
    engine and sidecar may then not match, which ``read_engine`` detects.
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
