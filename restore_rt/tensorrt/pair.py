"""An engine and its sidecar, which are written together and valid only together."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from restore_rt.errors import EngineError
from restore_rt.files import check_target, whole_file
from restore_rt.tensorrt.sidecar import Sidecar

if TYPE_CHECKING:
    from restore_rt.gpu.properties import Gpu
    from restore_rt.tensorrt.library import Library

__all__ = [
    "check_pair_target",
    "file_sha256",
    "read_engine",
    "read_sidecar",
    "sidecar_path",
    "write_engine",
]

SUFFIX = ".engine"
_MOST_SIDECAR_BYTES = 2**22
_PIECE = 2**20
_AGAIN = "build it again with restore-rt build"


def sidecar_path(engine: Path) -> Path:
    """Return the path of an engine's sidecar: ``model.engine.json``."""
    return engine.with_name(engine.name + ".json")


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file.

    Raises
    ------
    OSError
        The file cannot be read.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()


def check_pair_target(path: Path, *, overwrite: bool = False) -> None:
    """Refuse, before any work, a path where an engine and its sidecar could not be written.

    Raises
    ------
    InputError, OutputError
        See ``restore_rt.files.check_target``.
    """
    for file in (path, sidecar_path(path)):
        check_target(file, overwrite=overwrite)


def write_engine(path: Path, plan: bytes, sidecar: Sidecar, *, overwrite: bool = False) -> None:
    """Write an engine and its sidecar: both, or neither.

    The sidecar holds the plan's checksum, so after a crash only files that belong together pass
    ``read_engine``. If existing files are replaced and the second one cannot be, the old engine is
    left without a sidecar, and is refused.

    Raises
    ------
    InputError, OutputError
        A file exists and must not be replaced, or cannot be written.
    """
    check_pair_target(path, overwrite=overwrite)
    beside = sidecar_path(path)
    placed = False
    try:
        with whole_file(path, overwrite=overwrite) as temporary:
            with temporary.open("wb") as file:
                file.write(plan)
                file.flush()
                # A full disk is to show before either file is in its place.
                os.fsync(file.fileno())
            with whole_file(beside, overwrite=overwrite) as description:
                description.write_text(sidecar.to_json(), encoding="utf-8")
            placed = True
    except BaseException:
        if placed:
            beside.unlink(missing_ok=True)
        raise


def read_engine(
    path: Path, library: Library, *, gpu: Gpu | None = None, onnx: Path | None = None
) -> tuple[bytes, Sidecar]:
    """Read an engine after checking that it is intact and that a library can load it.

    TensorRT crashes the whole process on some damaged plans, so the check comes first.

    Parameters
    ----------
    path
        The engine, with its sidecar beside it.
    library
        The library that will load the engine.
    gpu
        The GPU that will run the engine; None for no check.
    onnx
        The model that the engine must have been built from; None for no check.

    Returns
    -------
    plan : bytes
        For ``deserialize_cuda_engine``.
    sidecar : Sidecar

    Raises
    ------
    EngineError
        A file is missing or damaged, or the engine is for another library, version, GPU or model;
        the message says what to do.
    """
    sidecar = read_sidecar(path)
    if (sidecar.library, sidecar.library_version) != (library.name, library.version):
        raise EngineError(
            f"{path} was built by {sidecar.library} {sidecar.library_version}, and {library.name} "
            f"{library.version} is to load it, which only loads its own: {_AGAIN}"
        )
    if gpu is not None and not sidecar.runs_on(gpu):
        where = "" if sidecar.gpu is None else f" on {sidecar.gpu}"
        raise EngineError(
            f"{path} was built for the target {sidecar.target}{where}, and is to run on {gpu}: "
            f"{_AGAIN} for that"
        )
    try:
        if onnx is not None and file_sha256(onnx) != sidecar.onnx_sha256:
            raise EngineError(f"{path} was not built from {onnx} as it is now: {_AGAIN}")
        size = path.stat().st_size
        plan = path.read_bytes() if size == sidecar.plan_bytes else b""
    except OSError as error:
        raise EngineError(f"{error.filename} cannot be read: {error.strerror}") from error
    if hashlib.sha256(plan).hexdigest() != sidecar.plan_sha256:
        raise EngineError(
            f"{path} is not the file that {sidecar_path(path).name} describes: it is damaged, or "
            f"a build was broken off; {_AGAIN}"
        )
    return plan, sidecar


def read_sidecar(path: Path) -> Sidecar:
    """Read an engine's sidecar, without checking the plan.

    Raises
    ------
    EngineError
        A file is missing, or the sidecar is damaged.
    """
    beside = sidecar_path(path)
    if not path.is_file():
        raise EngineError(f"there is no engine {path}; make it with restore-rt build")
    if not beside.is_file():
        raise EngineError(
            f"{path} has no description beside it ({beside.name}), without which it is not loaded: "
            f"put it back, or {_AGAIN}"
        )
    try:
        if beside.stat().st_size > _MOST_SIDECAR_BYTES:
            raise EngineError(f"it has more than {_MOST_SIDECAR_BYTES} bytes")
        return Sidecar.from_json(beside.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, EngineError) as error:
        raise EngineError(f"{beside} cannot be trusted: {error}; {_AGAIN}") from error
