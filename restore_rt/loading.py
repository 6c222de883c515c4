"""From a model's name or file to a Restorer."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from restore_rt.errors import InputError, ModelError
from restore_rt.model.manifest import Manifest, check_intact, read_manifest
from restore_rt.model.reading import find_model, read_model
from restore_rt.opening import Runner, open_restorer, restorer_on
from restore_rt.options import BACKENDS, PROVIDERS
from restore_rt.progress import Progress, silent
from restore_rt.restorer import Restorer
from restore_rt.threads import thread_count
from restore_rt.tiled.sizes import SharedSizes, TileSizes

if TYPE_CHECKING:
    import onnx


__all__ = ["load"]

Precision = Literal["auto", "fp32", "fp16", "bf16"]


@dataclass(frozen=True)
class _Tiling:
    """What the caller asks of tiles."""

    tile: int | tuple[int, int] | None
    overlap: int | None
    feather: int | None
    batch: int

    def sizes(self, manifest: Manifest, height: int | None, width: int | None) -> TileSizes:
        """Fill in what was left open, for a network that may take one height and width alone."""
        return TileSizes.of(
            manifest,
            tile=self.tile,
            overlap=self.overlap,
            feather=self.feather,
            batch=self.batch,
            fixed=(height, width),
        )


def load(
    model: str | os.PathLike[str],
    *,
    provider: Literal["auto", "cpu", "cuda", "tensorrt"] = "auto",
    backend: Literal["auto", "native", "onnxruntime"] = "auto",
    precision: Precision | None = None,
    device: int = 0,
    tile: int | tuple[int, int] | None = None,
    overlap: int | None = None,
    feather: int | None = None,
    batch: int = 1,
    threads: int | None = None,
    memory_limit: int | None = None,
    scale: int | None = None,
    colour: Literal["rgb", "luma"] | None = None,
    allow_cpu_nodes: bool = False,
    progress: Progress | None = None,
) -> Restorer:
    """Load a model and get it ready to restore frames.

    Parameters
    ----------
    model
        The name of a shipped model (``restore_rt.models()`` lists them), an ``.onnx`` file, or an
        ``.engine`` file of ``restore-rt build``.
    provider
        Where the network runs; never replaced by a slower one in silence. ``"auto"`` takes the
        fastest that works here: with a GPU that is measured once and remembered, and
        ``Restorer.description`` says what it is.
    backend
        What runs the network on the CPU. ``"native"`` is this package's own engine, which takes
        whole frames and needs no tiles; ``"auto"`` is that wherever it can run the model.
    precision
        What the network computes in; None for what the file does. fp16 is for GPUs, bf16 for CPUs
        with AVX512_BF16, in the native engine. ``"auto"`` is bf16 where the native engine is
        faster in it and comes near to fp32, and else as None.
    device
        The GPU's number.
    tile
        Largest tile in input pixels, one side or (height, width); by default what the model
        recommends. The native engine has no tiles, and needs less memory than any.
    overlap, feather
        Pixels that neighbouring tiles share, and the width of the ramp between them; by default
        twice the model's halo plus 8, and 8.
    batch
        Tiles in one run of the network.
    threads
        CPU threads for the network and the kernels; by default those that the process may use.
    memory_limit
        Bytes of a GPU's memory for frames and tiles; by default what there is.
    scale, colour
        For a file without a manifest: output over input size, and what its channels are; by
        default found by a trial run.
    allow_cpu_nodes
        Let parts of a network that the GPU's provider cannot run go to the CPU; else they are an
        error.
    progress
        Is given what takes long, and returns a context of what is told how many steps were done.

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
    from restore_rt.choosing import open_fastest
    from restore_rt.model.undescribed import read_interface

    if provider not in PROVIDERS:
        raise InputError(f"provider is {provider!r}; allowed are {', '.join(PROVIDERS)}")
    if backend not in BACKENDS:
        raise InputError(f"backend is {backend!r}; allowed are {', '.join(BACKENDS)}")
    if precision not in (None, "auto", "fp32", "fp16", "bf16"):
        raise InputError(f"precision is {precision!r}; allowed are auto, fp32, fp16, bf16 and None")
    if precision == "bf16" and (provider not in ("auto", "cpu") or backend == "onnxruntime"):
        raise InputError(
            "precision is 'bf16', in which only the native engine computes, on CPUs: leave it out, "
            "or provider and backend"
        )
    if backend != "auto" and provider not in ("auto", "cpu"):
        raise InputError(f"backend is {backend!r}, which is for CPUs, and provider {provider!r}")
    if provider == "auto" and (backend != "auto" or precision == "bf16"):
        provider = "cpu"
    if isinstance(device, bool) or not isinstance(device, int) or device < 0:
        raise InputError(f"device is {device!r}; it must be a GPU's number, from 0 on")
    if memory_limit is not None and (not isinstance(memory_limit, int) or memory_limit < 1):
        raise InputError(f"memory_limit is {memory_limit!r}; it must be a number of bytes, or None")
    if provider == "cpu":
        for name, given in (
            ("device", device != 0),
            ("memory_limit", memory_limit is not None),
            ("allow_cpu_nodes", allow_cpu_nodes),
        ):
            if given:
                raise InputError(
                    f"{name} is for GPUs, and provider is 'cpu': leave one of them out"
                )
    threads = thread_count(threads)
    runner = Runner(
        threads=threads,
        backend=backend,
        precision=precision,
        device=device,
        memory_limit=memory_limit,
        allow_cpu_nodes=allow_cpu_nodes,
        progress=progress or silent,
    )
    tiling = _Tiling(tile, overlap, feather, batch)
    path = find_model(model)
    if path.suffix == ".engine":
        restorer = _load_engine(
            path, provider, precision, tiling, runner, scale=scale, colour=colour
        )
        restorer.path = path
        return restorer
    network = read_model(path)
    manifest = _describe(network, path, scale=scale, colour=colour, threads=threads)
    takes = read_interface(network, path)
    converted = network
    if precision not in (None, "auto", "bf16", manifest.precision):
        if provider == "cpu" and precision == "fp16":
            raise InputError(
                "precision is 'fp16', which is slower than fp32 on CPUs; leave it out, or give a "
                "provider that runs on a GPU"
            )
        converted, manifest = _converted(network, manifest, str(precision))
    if takes.count not in (None, batch):
        raise InputError(f"batch is {batch}, but {path} takes batches of {takes.count} alone")
    sizes = tiling.sizes(manifest, takes.height, takes.width)

    def open_on(chosen: str) -> Restorer:
        opened = open_restorer(converted, network, manifest, chosen, SharedSizes(sizes), runner)
        opened.path = path
        return opened

    if provider != "auto":
        return open_on(provider)
    return open_fastest(
        open_on, manifest, sizes, device=device, threads=threads, cpu=precision != "fp16"
    )


def _load_engine(
    path: Path,
    provider: str,
    precision: str | None,
    tiling: _Tiling,
    runner: Runner,
    *,
    scale: int | None,
    colour: str | None,
) -> Restorer:
    if provider not in ("auto", "tensorrt"):
        raise InputError(
            f"provider is {provider!r}, and {path} is an engine, which TensorRT alone runs: leave "
            "it out, or give the .onnx file"
        )
    from restore_rt.gpu.opening import open_engine_lane
    from restore_rt.tensorrt import read_sidecar

    sidecar = read_sidecar(path)
    if precision not in (None, "auto", sidecar.precision):
        raise InputError(
            f"precision is {precision!r}, and {path} was built in {sidecar.precision}: leave it "
            "out, or give the .onnx file"
        )
    manifest, profile = sidecar.manifest, sidecar.profile
    _check_given(manifest, path, scale=scale, colour=colour)
    if not profile.min.batch <= tiling.batch <= profile.max.batch:
        raise InputError(
            f"batch is {tiling.batch}, and {path} takes {profile.min.batch} to "
            f"{profile.max.batch}: build it with another profile"
        )
    largest = (min(manifest.tile[0], profile.max.height), min(manifest.tile[1], profile.max.width))
    fixed = [
        low if low == high else None
        for low, high in zip(profile.min[1:], profile.max[1:], strict=True)
    ]
    sizes = SharedSizes(
        tiling.sizes(dataclasses.replace(manifest, tile=largest), fixed[0], fixed[1])
    )
    lane = open_engine_lane(
        path, manifest, device=runner.device, sizes=sizes, memory_limit=runner.memory_limit
    )
    return restorer_on(lane, manifest, "tensorrt", sizes, runner)


def _converted(
    network: onnx.ModelProto, manifest: Manifest, precision: str
) -> tuple[onnx.ModelProto, Manifest]:
    from restore_rt.model.precision import narrow, widen

    made = (narrow if precision == "fp16" else widen)(network)
    return made, read_manifest(made) or dataclasses.replace(manifest, precision=precision)


def _check_given(manifest: Manifest, path: Path, *, scale: int | None, colour: str | None) -> None:
    for key, given in (("scale", scale), ("colour", colour)):
        if given is not None and given != getattr(manifest, key):
            raise InputError(
                f"{key} is {given!r}, but {path} says that it is {getattr(manifest, key)!r}; "
                "leave it out"
            )


def _describe(
    network: onnx.ModelProto, path: Path, *, scale: int | None, colour: str | None, threads: int
) -> Manifest:
    from restore_rt.model.undescribed import describe, read_interface

    manifest = read_manifest(network)
    if manifest is None:
        return describe(network, path, scale=scale, colour=colour, threads=threads)
    _check_given(manifest, path, scale=scale, colour=colour)
    check_intact(network, manifest, path)
    channels = read_interface(network, path).channels
    if channels not in (None, manifest.channels):
        raise ModelError(
            f"{path} takes {channels} channels, but is said to be {manifest.colour}, which has "
            f"{manifest.channels}"
        )
    return manifest
