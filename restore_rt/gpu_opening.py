"""A model on a GPU: which libraries are missing here, and the lane that its frames go through."""

from __future__ import annotations

import dataclasses
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from restore_rt.cache import engines_folder
from restore_rt.errors import BackendError, EngineError, InputError
from restore_rt.gpu.library import missing_libraries
from restore_rt.gpu.parity import check_parity
from restore_rt.gpu.pieces import missing_pieces
from restore_rt.model.manifest import Manifest
from restore_rt.model.precision import precision_of, widen
from restore_rt.model.reading import LoadedModel
from restore_rt.options import LoadOptions
from restore_rt.progress import Progress, silent
from restore_rt.tensorrt.library import Library, open_library
from restore_rt.threads import thread_count
from restore_rt.tiled.sizes import SharedSizes

if TYPE_CHECKING:
    import onnx

    from restore_rt.gpu.backend import DeviceBackend
    from restore_rt.gpu.driver import Device, Stream
    from restore_rt.gpu.lane import Lane
    from restore_rt.gpu.memory import Pool

__all__ = [
    "GPU_BACKENDS",
    "GRAPHS",
    "ONNXRUNTIME_GRAPHS",
    "missing_for",
    "missing_here",
    "open_device_backend",
    "open_engine_lane",
    "open_lane",
]

GPU_BACKENDS = ("onnxruntime", "tensorrt")

# Set to 0, frames are not recorded in CUDA graphs, to see what those are good for.
GRAPHS = "RESTORE_RT_GRAPHS"
# Set to 1, ONNX Runtime records CUDA graphs. It does so in a way that fails when any other thread
# of the process takes memory of the GPU meanwhile, so it does not by default.
ONNXRUNTIME_GRAPHS = "RESTORE_RT_ORT_GRAPHS"


def missing_here(backend: str, device: int = 0) -> list[str]:
    """Return what a backend lacks on a GPU here, each with what to do; empty if it can run."""
    return [*missing_pieces(device), *missing_for(backend)]


def missing_for(backend: str) -> list[str]:
    """Return which libraries a backend lacks on GPUs, each with what to do; empty if none.

    The GPU and its driver are not looked for, see ``restore_rt.gpu.missing_pieces``.

    Raises
    ------
    InputError
        There is no such backend.
    """
    _check(backend)
    if backend == "onnxruntime":
        return missing_libraries("cuda")
    try:
        _engine_library()
    except BackendError as error:
        return [str(error)]
    return []


def open_lane(model: LoadedModel, backend: str, sizes: SharedSizes, options: LoadOptions) -> Lane:
    """Open a model on a GPU.

    Parameters
    ----------
    model
        The model, fp32 or fp16; its original may be more precise.
    backend
        One of ``GPU_BACKENDS``.
    sizes
        Of the tiles.
    options
        Give the GPU, its memory limit, threads, progress and ``allow_cpu_nodes``.

    Raises
    ------
    BackendError
        The GPU or the backend's library is missing, or refuses the network.
    """
    missing = missing_here(backend, options.gpu)
    if missing:
        raise BackendError(
            f"backend {backend!r} cannot run on cuda:{options.gpu} of this machine: "
            f"{'; '.join(missing)}. device='cpu' needs none of these"
        )
    from restore_rt.gpu.lane import Lane

    device, stream, pool = _open(options)
    threads = thread_count(options.threads)
    open_backend = partial(
        _open_backend, model, backend, options, device=device, stream=stream, pool=pool
    )
    return Lane(
        stream,
        pool,
        model.manifest,
        sizes=sizes,
        open_backend=open_backend,
        # The check is on a part of a tile, which is no whole frame.
        check=None if model.whole else partial(_check_results, model, threads),
        graphs=_graphs(),
    )


def open_engine_lane(
    path: Path, manifest: Manifest, sizes: SharedSizes, options: LoadOptions
) -> Lane:
    """Open an engine's file on a GPU.

    There is no network to compare its results with, nor to run frames in fp32 that fp16 cannot
    hold.

    Raises
    ------
    BackendError
        The GPU or the engine's library is missing, or the engine was not built for them.
    """
    missing = missing_pieces(options.gpu)
    if missing:
        raise BackendError(f"{path} cannot run on this machine: {'; '.join(missing)}")
    from restore_rt.gpu.lane import Lane

    device, stream, pool = _open(options)
    return Lane(
        stream,
        pool,
        manifest,
        sizes=sizes,
        open_backend=partial(_open_engine, path, device=device, stream=stream, pool=pool),
        check=None,
        widens=False,
        graphs=_graphs(),
    )


def open_device_backend(
    model: onnx.ModelProto,
    manifest: Manifest,
    *,
    backend: str,
    device: Device,
    stream: Stream,
    pool: Pool,
    threads: int,
    cache: Path | None = None,
    progress: Progress = silent,
    allow_cpu_nodes: bool = False,
) -> DeviceBackend:
    """Open a network on a GPU.

    Parameters
    ----------
    model
        The network, with one input ``(N, C, h, w)`` and one output ``(N, C, s*h, s*w)``, both
        float32 or both float16. The types in its graph decide the precision.
    manifest
        The description of the network.
    backend
        ``"onnxruntime"``, with CUDA; or ``"tensorrt"``, which is TensorRT or TensorRT-RTX where
        either is installed, else ONNX Runtime with the libraries of TensorRT 10.
    device
        The GPU.
    stream
        Takes all work; not the default stream.
    pool
        Gives the memory that a network works in, as far as the library takes it from others.
    threads
        CPU threads that the library may use.
    cache
        Folder for engines that are built; None for ``restore_rt.cache.engines_folder()``.
    progress
        Reports the building of engines.
    allow_cpu_nodes
        Let ONNX Runtime run on the CPU what the GPU cannot; otherwise that is an error.

    Raises
    ------
    InputError
        There is no such backend.
    BackendError
        The backend cannot run here, and the message says what is missing; or it refuses the
        network.
    """
    _check(backend)
    # The manifest may have been written before the network was made fp16.
    manifest = dataclasses.replace(manifest, precision=precision_of(model))
    folder = engines_folder() if cache is None else cache
    library = _engine_library() if backend == "tensorrt" else None
    if library is not None:
        from restore_rt.tensorrt.backend import open_network_backend

        return open_network_backend(
            model,
            manifest,
            library=library,
            device=device,
            stream=stream,
            pool=pool,
            folder=folder,
            progress=progress,
        )
    from restore_rt.gpu.onnxruntime import OnnxRuntimeDeviceBackend

    return OnnxRuntimeDeviceBackend(
        model,
        manifest,
        provider="tensorrt" if backend == "tensorrt" else "cuda",
        device=device,
        stream=stream,
        pool=pool,
        threads=threads,
        cache=folder / "onnxruntime",
        progress=progress,
        allow_cpu_nodes=allow_cpu_nodes,
        graphs=os.environ.get(ONNXRUNTIME_GRAPHS) == "1",
    )


def _check(backend: str) -> None:
    if backend not in GPU_BACKENDS:
        raise InputError(f"backend is {backend!r}; on a GPU allowed are {', '.join(GPU_BACKENDS)}")


def _engine_library() -> Library | None:
    """Return TensorRT or TensorRT-RTX; None if ONNX Runtime is to do without.

    Raises
    ------
    BackendError
        There is neither, nor what ONNX Runtime needs; or one is there and cannot be loaded.
    """
    try:
        return open_library()
    except EngineError:
        # It is there and broken, which is not to be passed over.
        raise
    except BackendError as error:
        missing = missing_libraries("tensorrt")
        if missing:
            raise BackendError(
                f"backend 'tensorrt' has no library here: {error}. ONNX Runtime's provider for "
                f"TensorRT would do as well, but {'; '.join(missing)}"
            ) from error
        return None


def _open_backend(
    model: LoadedModel,
    backend: str,
    options: LoadOptions,
    wide: bool,
    *,
    device: Device,
    stream: Stream,
    pool: Pool,
) -> DeviceBackend:
    return open_device_backend(
        widen(model.original) if wide else model.network,
        model.manifest,
        backend=backend,
        device=device,
        stream=stream,
        pool=pool,
        threads=thread_count(options.threads),
        progress=options.progress,
        allow_cpu_nodes=options.allow_cpu_nodes,
    )


def _check_results(model: LoadedModel, threads: int, tiles: Any, out: Any, wide: bool) -> None:
    precision = "fp32" if wide else model.manifest.precision
    check_parity(model.original, model.manifest, tiles, out, precision=precision, threads=threads)


def _open_engine(
    path: Path, wide: bool, *, device: Device, stream: Stream, pool: Pool
) -> DeviceBackend:
    from restore_rt.tensorrt import backend

    return backend.open_engine_backend(path, device=device, stream=stream, pool=pool)


def _graphs() -> bool:
    return os.environ.get(GRAPHS) != "0"


def _open(options: LoadOptions) -> tuple[Device, Stream, Pool]:
    from restore_rt.gpu.driver import open_device
    from restore_rt.gpu.memory import Pool

    device = open_device(options.gpu)
    with device.active():
        stream = device.stream()
    return device, stream, Pool(device, options.memory_limit, stream=stream)
