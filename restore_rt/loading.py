"""``restore_rt.load``: from the name or file of a model to a Restorer."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING

from restore_rt.choosing import choose_place
from restore_rt.chroma import BICUBIC
from restore_rt.errors import InputError, ModelError
from restore_rt.inpaint_opening import is_inpainting, open_inpainting
from restore_rt.model.interface import read_interface
from restore_rt.model.manifest import CHROMA, Manifest, check_expected, check_intact, read_manifest
from restore_rt.model.reading import LoadedModel, find_model, read_model
from restore_rt.opening import open_engine, open_restorer
from restore_rt.options import Backend, Colour, LoadOptions, Precision
from restore_rt.progress import Progress, silent
from restore_rt.restorer import Restorer
from restore_rt.threads import thread_count

if TYPE_CHECKING:
    import onnx

__all__ = ["load", "read_loaded"]


def load(
    model: str | os.PathLike[str],
    *,
    device: str = "auto",
    backend: Backend = "auto",
    precision: Precision = "auto",
    tile: int | tuple[int, int] | None = None,
    overlap: int | None = None,
    feather: int | None = None,
    batch: int = 1,
    threads: int | None = None,
    memory_limit: int | None = None,
    scale: int | None = None,
    colour: Colour | None = None,
    chroma: str | os.PathLike[str] = BICUBIC,
    allow_bf16: bool = False,
    allow_cpu_nodes: bool = False,
    progress: Progress = silent,
) -> Restorer:
    """Load a model and prepare it to restore frames.

    Parameters
    ----------
    model
        The name of a shipped model (``restore_rt.models()`` lists them), an ``.onnx`` file, or an
        ``.engine`` file of ``restore-rt build``.
    device
        Where the network runs: ``"auto"``, ``"cpu"``, ``"cuda"`` or, for the GPU with number 1,
        ``"cuda:1"``. A device that is missing is an error, never replaced by another one.
        ``"auto"`` is the CPU on a machine without a GPU; with one, the GPU and the CPU are timed
        on the first load of a model, and the faster one is remembered.
    backend
        The software that runs the network: ``"native"`` (this package's own code for CPUs, which
        needs no tiles), ``"onnxruntime"`` (CPUs and GPUs) or ``"tensorrt"`` (GPUs). ``"auto"`` is
        native on a CPU, or ONNX Runtime for a network that native cannot run, and the faster of
        the other two on a GPU. ``Restorer.backend`` reports the choice.
    precision
        The type that the network computes in. ``"auto"`` is fp32 for files in fp32, such as every
        shipped model, on every device: results then agree to within 1/255; to make sure, a
        GPU's first results are compared with the CPU's. Files in fp16 run in fp16 on a GPU, files
        in int8 in int8. ``"fp32"`` converts a file in fp16. ``"fp16"`` needs a GPU, ``"bf16"`` the
        native backend and a CPU with AVX512_BF16.
    tile
        The largest tile in input pixels, one side or (height, width). By default it is the whole
        frame on a GPU, halved when memory runs out, and the model's recommendation on a CPU. The
        native backend has no tiles: it is ignored there, or an error if the model could not have
        such a tile or ``backend="native"`` was given.
    overlap, feather
        Pixels that neighbouring tiles share (by default twice the model's halo plus 8), and the
        width of the ramp between them (by default 8).
    batch
        Tiles in one run of the network.
    threads
        CPU threads for the network and the kernels; by default all that the process may use.
    memory_limit
        Bytes of a GPU's memory for frames and tiles; by default all that is free.
    scale, colour
        For a file without a manifest: output size over input size, and whether its channels are
        ``"rgb"`` or ``"luma"``; by default found by a trial run.
    chroma
        How a luma model's chroma is enlarged: ``"bicubic"``; ``"network"``, a small network that
        also mends what compression did to it; or the file of such a network. It takes ``Planes`` of
        4:2:0 whose chroma lies on the left luma samples, on a CPU; all other frames get bicubic
        chroma.
    allow_bf16
        Let ``precision="auto"`` compute in bf16 in the native backend, on CPUs where that is
        faster, if a test picture comes within 55 dB of fp32.
    allow_cpu_nodes
        Let ONNX Runtime compute the parts of a network that a GPU cannot run on the CPU; otherwise
        such parts are an error.
    progress
        Called with a label when long work begins, such as building an engine; returns a context
        manager that yields ``advance(n)``.

    Returns
    -------
    Restorer

    Raises
    ------
    ModelError
        There is no such model, or the file is not one.
    BackendError
        The library or device to run it is missing.
    InputError
        An option has a value that is not allowed.
    """
    options = LoadOptions(
        device=device,
        backend=backend,
        precision=precision,
        tile=tile,
        overlap=overlap,
        feather=feather,
        batch=batch,
        threads=threads,
        memory_limit=memory_limit,
        scale=scale,
        colour=colour,
        chroma=chroma,
        allow_bf16=allow_bf16,
        allow_cpu_nodes=allow_cpu_nodes,
        progress=progress,
    )
    path = find_model(model)
    if path.suffix == ".engine":
        return open_engine(path, options)
    network = read_model(path)
    manifest = read_manifest(network)
    if is_inpainting(network, manifest):
        return open_inpainting(network, manifest, path, options)
    loaded = _loaded(network, manifest, path, options)
    return open_restorer(loaded, choose_place(loaded, options), options)


def read_loaded(path: Path, options: LoadOptions) -> LoadedModel:
    """Read a file, describe it where it has no manifest, and convert it to the precision."""
    network = read_model(path)
    return _loaded(network, read_manifest(network), path, options)


def _loaded(
    network: onnx.ModelProto, manifest: Manifest | None, path: Path, options: LoadOptions
) -> LoadedModel:
    interface = read_interface(network, path, described=manifest is not None)
    threads = thread_count(options.threads)
    if manifest is None:
        from restore_rt.tiled.trial import describe

        loaded = describe(
            network, path, interface, scale=options.scale, colour=options.colour, threads=threads
        )
    elif manifest.colour == CHROMA:
        raise InputError(
            f"{path} is a network for chroma, which restores no frames by itself: load a luma "
            "model such as video-x2, and give it as chroma"
        )
    else:
        check_expected(manifest, path, scale=options.scale, colour=options.colour)
        check_intact(network, manifest, path)
        if interface.channels not in (None, manifest.channels):
            raise ModelError(
                f"{path} takes {interface.channels} channels, but its manifest says "
                f"{manifest.colour}, which has {manifest.channels}"
            )
        loaded = LoadedModel(path, network, network, manifest, interface)
        if not interface.is_ready:
            from restore_rt.tiled.trial import adapt

            loaded = adapt(loaded, threads)
    wanted = options.precision
    if wanted in ("auto", "bf16", loaded.manifest.precision):
        return loaded
    # Late: only this needs a converter.
    from restore_rt.model.precision import narrow, widen

    converted = (narrow if wanted == "fp16" else widen)(loaded.network)
    manifest = dataclasses.replace(loaded.manifest, precision=wanted)
    return dataclasses.replace(loaded, network=converted, manifest=manifest)
