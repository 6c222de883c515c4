"""What runs networks on a GPU: one protocol over tiles in device memory, and who takes its part."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from restore_rt.errors import BackendError, InputError
from restore_rt.model.manifest import read_manifest
from restore_rt.progress import Progress, silent

if TYPE_CHECKING:
    import onnx

    from restore_rt.gpu.array import DeviceArray
    from restore_rt.gpu.driver import Device, Stream
    from restore_rt.gpu.memory import Pool
    from restore_rt.model.manifest import Manifest
    from restore_rt.tensorrt import Library

__all__ = [
    "DEVICE_PROVIDERS",
    "DeviceBackend",
    "missing_for",
    "open_device_backend",
]

DEVICE_PROVIDERS = ("cuda", "tensorrt")

# Lets ONNX Runtime record CUDA graphs. It does so in a way that fails when any other thread of the
# process takes memory of the GPU meanwhile, so that is not for everyone.
GRAPHS = "RESTORE_RT_ORT_GRAPHS"


class DeviceBackend(Protocol):
    """Runs a network over batches of tiles that lie in a GPU's memory, on one stream.

    Not safe to call from two threads at once.
    """

    name: str
    """What runs it: ``"onnxruntime"`` or ``"tensorrt"``."""

    provider: str
    """``"cuda"`` or ``"tensorrt"``."""

    description: str
    """Library, version and settings, for people."""

    dtype: np.dtype[Any]
    """Of tiles and results: float32 or float16."""

    capturable: bool
    """Whether ``enqueue`` may be captured in a CUDA graph, once it has run outside of one with
    the same two arrays."""

    def prepare(self, shape: tuple[int, int, int, int]) -> None:
        """Get ready for tiles of a shape: all that is slow, or that takes memory.

        Parameters
        ----------
        shape
            (N, C, h, w). Where ``capturable``, it stays prepared until it is released: graphs
            depend on it. Elsewhere so do the last four.

        Raises
        ------
        OutOfMemoryError
            The device has too little memory for this shape.
        BackendError
            The library failed, or takes no such shape; the message says what it takes.

        Notes
        -----
        May wait for the stream, may build an engine. Not to be called within a capture.
        """

    def enqueue(self, tiles: DeviceArray, out: DeviceArray) -> None:
        """Queue the network on the stream that the backend was opened with.

        Parameters
        ----------
        tiles
            (N, C, h, w), C-contiguous, of ``dtype``, aligned to 256 bytes; not changed.
        out
            (N, C, s*h, s*w), likewise; written when the stream gets there.

        Raises
        ------
        OutOfMemoryError, BackendError
            As ``prepare``, which is called for a shape that has not been.

        Notes
        -----
        Waits for nothing and takes no device memory for a shape that is prepared. The arrays must
        stay as long as the stream works on them. Repeated calls with the same two arrays are the
        fast path.
        """

    def release(self, shape: tuple[int, int, int, int] | None = None) -> None:
        """Wait for the stream, and release what is kept for a shape, or for all.

        CUDA graphs in which ``enqueue`` was captured for it must not be launched any more.
        """

    def close(self) -> None:
        """Wait for the stream and release what the backend holds; closing twice is fine."""


def open_device_backend(
    model: onnx.ModelProto,
    manifest: Manifest,
    *,
    provider: str,
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
        The network, with one input ``(N, C, h, w)`` and one output ``(N, C, s*h, s*w)``, float32
        or float16 both. What types it computes in is for its graph to say.
    manifest
        What the network is.
    provider
        One of ``DEVICE_PROVIDERS``. ``"cuda"`` is ONNX Runtime. ``"tensorrt"`` is TensorRT or
        TensorRT-RTX where either is installed, else ONNX Runtime with the libraries of
        TensorRT 10.
    device
        The GPU.
    stream
        Takes all work; not the default stream.
    pool
        Gives the memory that a network works in, as far as the library takes it from others.
    threads
        CPU threads that the library may use.
    cache
        Folder for engines that are built; None for ``restore_rt.tensorrt.cache.engines_folder()``.
    progress
        Told of builds.
    allow_cpu_nodes
        Let ONNX Runtime run on the CPU what the GPU cannot; else that is an error.

    Raises
    ------
    InputError
        There is no such provider.
    BackendError
        The provider cannot run here, and the message says what is missing; or it refuses the
        network.
    """
    _check_provider(provider)
    # Late: each needs a library that may not be there.
    from restore_rt.model.precision import precision_of
    from restore_rt.tensorrt.cache import engines_folder

    # What the model says of itself was written for its precision; what the caller found may not.
    own = read_manifest(model) or dataclasses.replace(manifest, precision=precision_of(model))
    folder = engines_folder() if cache is None else cache
    if provider == "tensorrt":
        library = _engine_library()
        if library is not None:
            from restore_rt.tensorrt.backend import open_network_backend

            return open_network_backend(
                model,
                own,
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
        own,
        provider=provider,
        device=device,
        stream=stream,
        pool=pool,
        threads=threads,
        cache=folder / "onnxruntime",
        progress=progress,
        allow_cpu_nodes=allow_cpu_nodes,
        graphs=os.environ.get(GRAPHS) == "1",
    )


def missing_for(provider: str) -> list[str]:
    """Return which libraries a provider lacks here, each with what to do; empty if none.

    The GPU and its driver are not looked for, see ``restore_rt.gpu``.

    Raises
    ------
    InputError
        There is no such provider.
    """
    _check_provider(provider)
    if provider == "tensorrt":
        try:
            _engine_library()
        except BackendError as error:
            return [str(error)]
        return []
    from restore_rt.gpu.library import missing_libraries

    return missing_libraries(provider)


def _engine_library() -> Library | None:
    """Return TensorRT or TensorRT-RTX; None if ONNX Runtime is to do without.

    Raises
    ------
    BackendError
        There is neither, nor what ONNX Runtime needs; or one is there and cannot be loaded.
    """
    from restore_rt.gpu.library import missing_libraries
    from restore_rt.tensorrt import EngineError, open_library

    try:
        return open_library()
    except EngineError:
        # It is there and broken, which is not to be passed over.
        raise
    except BackendError as error:
        missing = missing_libraries("tensorrt")
        if missing:
            raise BackendError(
                f"provider 'tensorrt' has no library here: {error}. ONNX Runtime's provider for "
                f"TensorRT would do as well, but {'; '.join(missing)}"
            ) from error
        return None


def _check_provider(provider: str) -> None:
    if provider not in DEVICE_PROVIDERS:
        raise InputError(
            f"provider is {provider!r}; on a GPU allowed are {', '.join(DEVICE_PROVIDERS)}"
        )
