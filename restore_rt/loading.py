"""From a model's name or file to a Restorer."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from restore_rt.backends import open_backend
from restore_rt.errors import InputError, ModelError
from restore_rt.manifest import Manifest, check_intact, read_manifest
from restore_rt.modelfile import find_model, read_model
from restore_rt.restorer import Restorer
from restore_rt.tiled import TiledNetwork
from restore_rt.tiling import SharedSizes, TileSizes

if TYPE_CHECKING:
    import onnx

__all__ = ["available_threads", "load", "thread_count"]

# What the kernels take.
_MOST_THREADS = 256


def load(
    model: str | os.PathLike[str],
    *,
    provider: Literal["auto", "cpu", "cuda", "tensorrt"] = "auto",
    tile: int | tuple[int, int] | None = None,
    overlap: int | None = None,
    feather: int | None = None,
    batch: int = 1,
    threads: int | None = None,
    scale: int | None = None,
    colour: Literal["rgb", "luma"] | None = None,
) -> Restorer:
    """Load a model and get it ready to restore frames.

    Parameters
    ----------
    model
        The name of a shipped model (``restore_rt.models()`` lists them), or an ``.onnx`` file.
    provider
        Where the network runs; never replaced by a slower one in silence.
    tile
        Largest tile in input pixels, one side or (height, width); by default what the model
        recommends.
    overlap, feather
        Pixels that neighbouring tiles share, and the width of the ramp between them; by default
        twice the model's halo plus 8, and 8.
    batch
        Tiles in one run of the network.
    threads
        CPU threads for the network and the kernels; by default those that the process may use.
    scale, colour
        For a file without a manifest: output over input size, and what its channels are; by
        default found by a trial run.

    Returns
    -------
    Restorer

    Raises
    ------
    ModelError
        No such model, or the file is not one.
    BackendError
        The library or device that should run it is missing.
    InputError
        An option has a value that is not allowed.
    """
    # Late: importing restore_rt stays quick.
    from restore_rt.modelfile.undescribed import read_interface

    threads = thread_count(threads)
    path = find_model(model)
    network = read_model(path)
    manifest = _describe(network, path, scale=scale, colour=colour, threads=threads)
    takes = read_interface(network, path)
    if takes.count not in (None, batch):
        raise InputError(f"batch is {batch}, but {path} takes batches of {takes.count} alone")
    sizes = TileSizes.of(
        manifest,
        tile=tile,
        overlap=overlap,
        feather=feather,
        batch=batch,
        fixed=(takes.height, takes.width),
    )
    shared = SharedSizes(sizes)

    def open_network(threads: int) -> TiledNetwork:
        backend = open_backend(network, provider=provider, threads=threads)
        return TiledNetwork(backend, manifest, sizes=shared, threads=threads)

    return Restorer(open_network, manifest, sizes=shared, threads=threads)


def available_threads() -> int:
    """Return how many CPUs this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def thread_count(threads: int | None) -> int:
    """Return how many threads to use: those asked for, by default those that the process may use.

    Raises
    ------
    InputError
        It is no whole number from 1 to 256.
    """
    if threads is None:
        return min(available_threads(), _MOST_THREADS)
    if not isinstance(threads, int) or not 1 <= threads <= _MOST_THREADS:
        raise InputError(
            f"threads is {threads!r}; it must be a whole number from 1 to {_MOST_THREADS}"
        )
    return threads


def _describe(
    network: onnx.ModelProto, path: Path, *, scale: int | None, colour: str | None, threads: int
) -> Manifest:
    from restore_rt.modelfile.undescribed import describe, read_interface

    manifest = read_manifest(network)
    if manifest is None:
        return describe(network, path, scale=scale, colour=colour, threads=threads)
    for key, given in (("scale", scale), ("colour", colour)):
        if given is not None and given != getattr(manifest, key):
            raise InputError(
                f"{key} is {given!r}, but {path} says that it is {getattr(manifest, key)!r}; "
                "leave it out"
            )
    check_intact(network, manifest, path)
    channels = read_interface(network, path).channels
    if channels not in (None, manifest.channels):
        raise ModelError(
            f"{path} takes {channels} channels, but is said to be {manifest.colour}, which has "
            f"{manifest.channels}"
        )
    return manifest
