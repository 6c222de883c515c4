"""From a model's name or file to a Restorer."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from restore_rt import zoo
from restore_rt.backends import open_backend
from restore_rt.errors import InputError, ModelError
from restore_rt.manifest import Manifest, read_manifest, weights_sha256
from restore_rt.restorer import Restorer
from restore_rt.tiling import TileSizes

if TYPE_CHECKING:
    import onnx

__all__ = ["available_threads", "load"]

# A model that says nothing of itself gets the halo of a deep plain network and a safe tile.
_ASSUMED_HALO = 32
_ASSUMED_TILE = (256, 256)

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
        For a file without a manifest: output over input size, and what its channels are.

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
    if threads is None:
        threads = min(available_threads(), _MOST_THREADS)
    elif not 1 <= threads <= _MOST_THREADS:
        raise InputError(f"threads is {threads}; allowed are 1 to {_MOST_THREADS}")
    path = _find(model)
    network = _read(path)
    manifest = _describe(network, path, scale=scale, colour=colour)
    sizes = TileSizes.of(manifest, tile=tile, overlap=overlap, feather=feather, batch=batch)
    backend = open_backend(network, provider=provider, threads=threads)
    return Restorer(backend, manifest, sizes=sizes, threads=threads)


def available_threads() -> int:
    """Return how many CPUs this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _find(model: str | os.PathLike[str]) -> Path:
    path = Path(model)
    if path.is_file():
        return path
    if path.suffix or path.parent != Path():
        raise ModelError(
            f"there is no model file {str(path)!r}; give an existing .onnx file or one of "
            f"{', '.join(manifest.name for manifest in zoo.models())}"
        )
    return zoo.path_of(str(path))


def _read(path: Path) -> onnx.ModelProto:
    import onnx

    if path.suffix != ".onnx":
        raise ModelError(f"{path} is not an .onnx file; export the model to ONNX first")
    try:
        network = onnx.load(path)
        if not network.graph.node:
            raise ValueError("it holds no network")
    except Exception as error:
        raise ModelError(f"{path} cannot be read as an ONNX model: {error}") from error
    return network


def _describe(
    network: onnx.ModelProto, path: Path, *, scale: int | None, colour: str | None
) -> Manifest:
    manifest = read_manifest(network)
    if manifest is None:
        if scale is None or colour is None:
            raise ModelError(
                f"{path} has no manifest; say what it is with scale= and colour= "
                "('rgb' or 'luma'), or export it with restore_rt.export"
            )
        return Manifest(
            name=path.stem,
            version="unknown",
            task="upscale" if scale > 1 else "repair",
            content="photo",
            scale=scale,
            colour=colour,
            halo=_ASSUMED_HALO,
            tile=_ASSUMED_TILE,
            sha256=weights_sha256(network),
            trained_on="unknown",
            licence="unknown",
            recipe="",
        )
    for key, given in (("scale", scale), ("colour", colour)):
        if given is not None and given != getattr(manifest, key):
            raise InputError(
                f"{key} is {given!r}, but {path} says that it is {getattr(manifest, key)!r}; "
                "leave it out"
            )
    if manifest.sha256 != weights_sha256(network):
        raise ModelError(
            f"the weights in {path} are not those that its manifest names: the file is damaged or "
            "was changed; get it again"
        )
    return manifest
