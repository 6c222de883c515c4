"""Building of engines: check network, profile and target, then compile, then write."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from restore_rt import __version__
from restore_rt.errors import InputError
from restore_rt.gpu.properties import find_gpu
from restore_rt.model.reading import find_model
from restore_rt.progress import Progress, silent
from restore_rt.tensorrt.building.builder import build_plan
from restore_rt.tensorrt.building.network import Network, read_network
from restore_rt.tensorrt.building.target import Target, choose_target
from restore_rt.tensorrt.building.timing import (
    check_timing_cache,
    read_timing_cache,
    write_timing_cache,
)
from restore_rt.tensorrt.library import Library, open_library
from restore_rt.tensorrt.pair import SUFFIX, check_pair_target, sidecar_path, write_engine
from restore_rt.tensorrt.profile import Profile
from restore_rt.tensorrt.sidecar import Sidecar

__all__ = ["Built", "Compiled", "build_engine", "compile_network"]

_MIB = 2**20
_MOST_WORKSPACE = 2**20


@dataclass(frozen=True)
class Built:
    """A written engine."""

    path: Path
    sidecar_path: Path
    sidecar: Sidecar


@dataclass(frozen=True)
class Compiled:
    """An engine in memory: the plan, its description, and what the builder measured."""

    plan: bytes
    sidecar: Sidecar
    timing: bytes


def build_engine(
    model: str | Path,
    out: Path,
    *,
    profile: Profile | None = None,
    target: str | None = None,
    library: str | Library = "auto",
    timing_cache: Path | None = None,
    workspace: int | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Built:
    """Build an engine from an ONNX file, and write it with its sidecar: both or neither.

    A successful build shows that TensorRT accepts the network, not that its results are right.

    Parameters
    ----------
    model
        A shipped model's name, or an ``.onnx`` file with a manifest.
    out
        The ``.engine`` file to write; ``out.json`` is written beside it.
    profile
        Sizes that the engine accepts; None for every tile that the runtime cuts.
    target
        The GPUs that the engine is for, see ``choose_target``.
    library
        An argument of ``open_library``, or an open library.
    timing_cache
        File for the builder's measurements; created if missing; TensorRT only.
    workspace
        Limit of a layer's working memory in MiB; None for the library's own limit.
    overwrite
        Allow replacing existing files.
    progress
        Called with a label; returns a context manager that yields ``advance(n)``.

    Returns
    -------
    Built

    Raises
    ------
    InputError
        An option is not allowed, or a file exists and ``overwrite`` is False.
    ModelError
        The model is unknown or damaged, or the parser refuses it.
    BackendError
        The library is missing or fails.
    OutputError
        A file cannot be written.
    """
    if out.suffix != SUFFIX:
        raise InputError(f"{str(out)!r} is no name for an engine; it must end in {SUFFIX}")
    if workspace is not None and not 1 <= workspace <= _MOST_WORKSPACE:
        raise InputError(f"workspace is {workspace}; allowed are 1 to {_MOST_WORKSPACE} MiB")
    check_pair_target(out, overwrite=overwrite)
    network = read_network(find_model(model))
    profile = profile or network.usual_profile()
    network.check_profile(profile)
    opened = library if isinstance(library, Library) else open_library(library)
    # A driver that fails is no hindrance to what needs none.
    gpu = None if opened.name == "rtx" and target is not None else find_gpu()
    chosen = choose_target(opened, target, gpu)
    timing = None
    if timing_cache is not None:
        check_timing_cache(timing_cache, opened)
        timing = read_timing_cache(timing_cache, opened, gpu)
    made = compile_network(
        network,
        profile,
        library=opened,
        target=chosen,
        workspace=workspace,
        timing=timing,
        progress=progress,
    )
    write_engine(out, made.plan, made.sidecar, overwrite=overwrite)
    if timing_cache is not None:
        write_timing_cache(timing_cache, made.timing, opened, gpu)
    return Built(out, sidecar_path(out), made.sidecar)


def compile_network(
    network: Network,
    profile: Profile,
    *,
    library: Library,
    target: Target,
    workspace: int | None = None,
    timing: bytes | None = None,
    progress: Progress = silent,
    active: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> Compiled:
    """Compile a checked network for a checked profile.

    Parameters
    ----------
    network, profile, library, target
        Network, sizes, library and target of the engine.
    workspace, progress
        See ``build_engine``.
    timing
        Earlier measurements; ``b""`` for a new timing cache, None for no timing cache.
    active
        See ``build_plan``.

    Raises
    ------
    ModelError, EngineError
        See ``build_plan``.
    """
    with progress(f"building {network.manifest.name} for {target.name}") as advance:
        plan = build_plan(
            library,
            network,
            profile,
            target,
            workspace=None if workspace is None else workspace * _MIB,
            timing=timing,
            follow=lambda: advance(1),
            active=active,
        )
    sidecar = Sidecar(
        onnx_sha256=network.sha256,
        plan_sha256=hashlib.sha256(plan.blob).hexdigest(),
        plan_bytes=len(plan.blob),
        library=library.name,
        library_version=library.version,
        target=target.name,
        gpu=target.gpu,
        profile=profile,
        input=network.input,
        output=network.output,
        precision=network.precision,
        workspace_mib=workspace,
        timing_cache=bool(timing),
        built=datetime.now(UTC).isoformat(timespec="seconds"),
        restore_rt=__version__,
        manifest=network.manifest,
    )
    return Compiled(plan.blob, sidecar, plan.timing)
