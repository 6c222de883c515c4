"""A model on a GPU: what is missing here, and the lane that everything of it goes through."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from restore_rt.errors import BackendError
from restore_rt.gpu.backend import DeviceBackend, missing_for, open_device_backend
from restore_rt.gpu.parity import check_parity
from restore_rt.gpu.pieces import missing_pieces
from restore_rt.model.manifest import Manifest, read_manifest
from restore_rt.model.precision import widen
from restore_rt.progress import Progress
from restore_rt.tiled.sizes import SharedSizes

if TYPE_CHECKING:
    import onnx

    from restore_rt.gpu.driver import Device, Stream
    from restore_rt.gpu.lane import Lane
    from restore_rt.gpu.memory import Pool

__all__ = ["GRAPHS", "check_provider", "missing_here", "open_engine_lane", "open_lane"]

# What is 0 if frames are not to be recorded in CUDA graphs, to see what those are good for.
GRAPHS = "RESTORE_RT_GRAPHS"


def missing_here(provider: str, device: int = 0) -> list[str]:
    """Return what a provider lacks on a GPU here, each with what to do; empty if it can run."""
    return [*missing_pieces(device), *missing_for(provider)]


def check_provider(provider: str, device: int = 0) -> None:
    """Refuse a provider that cannot run on a GPU here.

    Raises
    ------
    BackendError
        Pieces are missing; the message names them all.
    """
    missing = missing_here(provider, device)
    if missing:
        raise BackendError(
            f"provider {provider!r} cannot run on this machine: {'; '.join(missing)}. "
            "provider='cpu' runs without"
        )


def open_lane(
    model: onnx.ModelProto,
    manifest: Manifest,
    *,
    original: onnx.ModelProto,
    provider: str,
    device: int,
    sizes: SharedSizes,
    threads: int,
    memory_limit: int | None = None,
    progress: Progress,
    allow_cpu_nodes: bool = False,
) -> Lane:
    """Open a network on a GPU.

    Parameters
    ----------
    model, manifest
        The network, fp32 or fp16, and what it is.
    original
        What it was made from, if its precision was changed; it may be more precise.
    provider
        ``"cuda"`` or ``"tensorrt"``.
    device
        The GPU's number.
    sizes
        Of the tiles.
    threads
        CPU threads for what libraries do there, and for the check of the first results.
    memory_limit
        Bytes of device memory for frames, tiles and networks; None for what there is.
    progress
        Told of engines that are built.
    allow_cpu_nodes
        See ``open_device_backend``.

    Raises
    ------
    BackendError
        The GPU, or what should run the network, is missing or refuses it.
    """
    check_provider(provider, device)
    from restore_rt.gpu.lane import Lane

    opened, stream, pool = _open(device, memory_limit)

    def open_backend(wide: bool) -> DeviceBackend:
        network = widen(original) if wide else model
        return open_device_backend(
            network,
            read_manifest(network) or manifest,
            provider=provider,
            device=opened,
            stream=stream,
            pool=pool,
            threads=threads,
            progress=progress,
            allow_cpu_nodes=allow_cpu_nodes,
        )

    def check(tiles: Any, out: Any, wide: bool) -> None:
        precision = "fp32" if wide else manifest.precision
        check_parity(original, manifest, tiles, out, precision=precision, threads=threads)

    return Lane(
        stream,
        pool,
        manifest,
        sizes=sizes,
        open_backend=open_backend,
        check=check,
        graphs=_graphs(),
    )


def open_engine_lane(
    path: Path,
    manifest: Manifest,
    *,
    device: int,
    sizes: SharedSizes,
    memory_limit: int | None = None,
) -> Lane:
    """Open an engine's file on a GPU.

    There is no network to compare it with, nor to run in fp32 what fp16 does not hold.

    Raises
    ------
    BackendError
        The GPU or the engine's library is missing, or the engine is not for them.
    """
    missing = missing_pieces(device)
    if missing:
        raise BackendError(f"{path} cannot run on this machine: {'; '.join(missing)}")
    from restore_rt.gpu.lane import Lane
    from restore_rt.tensorrt.backend import open_engine_backend

    opened, stream, pool = _open(device, memory_limit)

    def open_backend(wide: bool) -> DeviceBackend:
        return open_engine_backend(path, device=opened, stream=stream, pool=pool)

    return Lane(
        stream,
        pool,
        manifest,
        sizes=sizes,
        open_backend=open_backend,
        check=None,
        widens=False,
        graphs=_graphs(),
    )


def _graphs() -> bool:
    return os.environ.get(GRAPHS) != "0"


def _open(index: int, memory_limit: int | None) -> tuple[Device, Stream, Pool]:
    from restore_rt.gpu.driver import open_device
    from restore_rt.gpu.memory import Pool

    device = open_device(index)
    with device.active():
        stream = device.stream()
    return device, stream, Pool(device, memory_limit, stream=stream)
