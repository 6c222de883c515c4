"""From a model's name or file to a Restorer."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from restore_rt.backends import dimensions, inputs_of, open_backend
from restore_rt.errors import BackendError, InputError, ModelError
from restore_rt.manifest import COLOURS, MOST_SCALE, Manifest, read_manifest, weights_sha256
from restore_rt.modelfile import find_model, read_model
from restore_rt.restorer import Restorer
from restore_rt.tiled import TiledNetwork
from restore_rt.tiling import SharedSizes, TileSizes

if TYPE_CHECKING:
    import onnx

__all__ = ["available_threads", "load", "thread_count"]

# A model that says nothing of itself gets the halo of a deep plain network and a safe tile.
_ASSUMED_HALO = 32
_ASSUMED_TILE = (256, 256)

# What the kernels take.
_MOST_THREADS = 256

_UNDESCRIBED = "unknown"

# onnx.TensorProto.FLOAT, known before onnx is imported.
_FLOAT = 1


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
    threads = thread_count(threads)
    path = find_model(model)
    network = read_model(path)
    manifest = _describe(network, path, scale=scale, colour=colour)
    count, _, height, width = _checked_shape(network, path, manifest)
    if count not in (None, batch):
        raise InputError(f"batch is {batch}, but {path} takes batches of {count} alone")
    sizes = TileSizes.of(
        manifest, tile=tile, overlap=overlap, feather=feather, batch=batch, fixed=(height, width)
    )
    shared = SharedSizes(sizes)

    def open_network(threads: int) -> TiledNetwork:
        backend = open_backend(network, provider=provider, threads=threads)
        return TiledNetwork(backend, manifest, sizes=shared, threads=threads)

    restorer = Restorer(open_network, manifest, sizes=shared, threads=threads)
    if manifest.version == _UNDESCRIBED:
        _try(restorer, path)
    return restorer


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
    network: onnx.ModelProto, path: Path, *, scale: int | None, colour: str | None
) -> Manifest:
    if scale is not None and (not isinstance(scale, int) or not 1 <= scale <= MOST_SCALE):
        raise InputError(f"scale is {scale!r}; it must be a whole number from 1 to {MOST_SCALE}")
    if colour is not None and colour not in COLOURS:
        raise InputError(f"colour is {colour!r}; allowed are {', '.join(COLOURS)}")
    manifest = read_manifest(network)
    if manifest is None:
        if scale is None or colour is None:
            raise ModelError(
                f"{path} has no manifest; say what it is with scale= and colour= "
                "('rgb' or 'luma'), or export it with restore-rt export"
            )
        return Manifest(
            name=path.stem,
            version=_UNDESCRIBED,
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


def _checked_shape(
    network: onnx.ModelProto, path: Path, manifest: Manifest
) -> tuple[int | None, ...]:
    """Return the sizes of the input that are not dynamic."""
    inputs, outputs = inputs_of(network), network.graph.output
    shape = dimensions(inputs[0]) if inputs else ()
    if len(inputs) != 1 or len(outputs) != 1 or len(shape) != 4:
        raise ModelError(
            f"{path} has {len(inputs)} inputs and {len(outputs)} outputs; a model has one of "
            "each, of shape (N, C, H, W)"
        )
    for value in (inputs[0], outputs[0]):
        if value.type.tensor_type.elem_type != _FLOAT:
            raise ModelError(
                f"{value.name!r} of {path} is not float32, which networks on the CPU must take and "
                "give: export the model as fp32"
            )
    sizes = tuple(side if isinstance(side, int) else None for side in shape)
    if sizes[1] not in (None, manifest.channels):
        raise ModelError(
            f"{path} takes {sizes[1]} channels, but is said to be {manifest.colour}, which has "
            f"{manifest.channels}"
        )
    return sizes


def _try(restorer: Restorer, path: Path) -> None:
    """Run a network once of which only the caller's word is known."""
    manifest = restorer.manifest
    try:
        restorer.warmup((16, 16, 3) if manifest.colour == "rgb" else (16, 16))
    except BackendError as error:
        restorer.close()
        raise ModelError(
            f"{path} cannot be run as a model of scale {manifest.scale} and colour "
            f"{manifest.colour}: {error}"
        ) from error
