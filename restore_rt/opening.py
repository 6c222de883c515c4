"""From a model in memory to a Restorer, in one backend on one device."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from restore_rt.chroma import BICUBIC
from restore_rt.chroma_opening import OpenedChroma, open_chroma
from restore_rt.errors import InputError, MissingBackendError, ModelError
from restore_rt.frame_runner import FrameRunner
from restore_rt.model.manifest import Manifest, check_expected
from restore_rt.model.reading import LoadedModel
from restore_rt.native.network import NativeNetwork, UnsupportedError, open_native
from restore_rt.native.runner import NativeRunner
from restore_rt.options import LoadOptions
from restore_rt.restorer import Restorer
from restore_rt.threads import thread_count
from restore_rt.tiled.runner import open_tiled
from restore_rt.tiled.saturation import warn_of_saturation
from restore_rt.tiled.session import import_onnxruntime
from restore_rt.tiled.sizes import SharedSizes, TileSizes

if TYPE_CHECKING:
    from restore_rt.gpu.lane import Lane

__all__ = ["Place", "open_engine", "open_restorer", "tile_sizes"]


class Place(NamedTuple):
    """The device that runs a network, and the backend on it.

    On ``"cpu"`` the backend may be ``"auto"``: native where it can run the network, else
    ONNX Runtime.
    """

    device: str
    backend: str

    def __str__(self) -> str:
        return f"{self.backend} on {self.device}"


def open_restorer(model: LoadedModel, place: Place, options: LoadOptions) -> Restorer:
    """Open a model in a backend.

    Raises
    ------
    ModelError
        The network is not what its manifest says.
    BackendError
        The backend or the device is missing, or refuses the network.
    """
    threads = thread_count(options.threads)
    if place.device == "cpu":
        open_runner, chroma = _on_cpu(model, place.backend, options)
        made = Restorer(
            open_runner,
            model.manifest,
            threads=threads,
            path=model.path,
            notes=model.notes,
            chroma=chroma,
        )
        if made.backend != "native":
            made.notes += model.tile_notes
        return made

    from restore_rt.gpu_opening import open_lane

    sizes = SharedSizes(tile_sizes(model, options, whole=True))
    lane = open_lane(model, place.backend, sizes, options)
    return _on_lane(lane, model.manifest, model.path, threads, model.notes + model.tile_notes)


def open_engine(path: Path, options: LoadOptions) -> Restorer:
    """Open a TensorRT engine that ``restore-rt build`` wrote.

    Raises
    ------
    InputError
        An option does not fit the engine.
    BackendError
        The GPU or the engine's library is missing, or the engine was not built for them.
    """
    from restore_rt.gpu_opening import open_engine_lane
    from restore_rt.tensorrt.pair import read_sidecar

    if options.device == "cpu" or options.backend in ("native", "onnxruntime"):
        option = "device" if options.device == "cpu" else "backend"
        raise InputError(
            f"{option} is {getattr(options, option)!r}, and {path} is an engine, which only "
            f"TensorRT on a GPU runs: leave {option} out, or give the .onnx file"
        )
    if options.chroma != BICUBIC:
        raise InputError(
            f"chroma is {str(options.chroma)!r}, which is not built for GPUs yet, and {path} is an "
            "engine, which runs on one: leave chroma out, or give the .onnx file"
        )
    sidecar = read_sidecar(path)
    manifest, profile = sidecar.manifest, sidecar.profile
    if options.precision not in ("auto", sidecar.precision):
        raise InputError(
            f"precision is {options.precision!r}, and {path} was built in {sidecar.precision}: "
            "leave it out, or give the .onnx file"
        )
    check_expected(manifest, path, scale=options.scale, colour=options.colour)
    if not profile.min.batch <= options.batch <= profile.max.batch:
        raise InputError(
            f"batch is {options.batch}, and {path} takes {profile.min.batch} to "
            f"{profile.max.batch}: build it with another profile"
        )
    largest = (min(manifest.tile[0], profile.max.height), min(manifest.tile[1], profile.max.width))
    height, width = (
        low if low == high else None
        for low, high in zip(profile.min[1:], profile.max[1:], strict=True)
    )
    sizes = SharedSizes(
        _sizes(dataclasses.replace(manifest, tile=largest), options, (height, width))
    )
    lane = open_engine_lane(path, manifest, sizes, options)
    return _on_lane(lane, manifest, path, thread_count(options.threads))


def _on_lane(
    lane: Lane, manifest: Manifest, path: Path, threads: int, notes: tuple[str, ...] = ()
) -> Restorer:
    # Late: without the CUDA kernels it cannot be imported, which opening a lane reports.
    from restore_rt.gpu.runner import GpuRunner

    return Restorer(
        partial(GpuRunner, lane), manifest, threads=threads, path=path, lane=lane, notes=notes
    )


def tile_sizes(model: LoadedModel, options: LoadOptions, *, whole: bool = False) -> TileSizes:
    """Return how the options and the manifest cut frames into tiles.

    With ``whole``, frames are one tile unless the options give tiles: each cut costs a GPU the
    overlap and more launches, and it has the memory.

    Raises
    ------
    InputError
        A size is not allowed for this model.
    """
    interface = model.interface
    if interface.count not in (None, options.batch):
        raise InputError(
            f"batch is {options.batch}, but {model.path} takes batches of {interface.count} alone"
        )
    fixed = (interface.height, interface.width)
    return _sizes(model.manifest, options, fixed, whole=whole, undivided=model.whole)


def _sizes(
    manifest: Manifest,
    options: LoadOptions,
    fixed: tuple[int | None, int | None],
    *,
    whole: bool = False,
    undivided: bool = False,
) -> TileSizes:
    return TileSizes.of(
        manifest,
        tile=options.tile,
        overlap=options.overlap,
        feather=options.feather,
        batch=options.batch,
        fixed=fixed,
        undivided=undivided,
        whole=whole,
    )


def _on_cpu(
    model: LoadedModel, backend: str, options: LoadOptions
) -> tuple[Callable[[int], FrameRunner], str]:
    """Return a function that makes a runner with a number of threads, and how it treats chroma."""

    def open_chroma_of(native: bool) -> OpenedChroma:
        threads = thread_count(options.threads)
        return open_chroma(options.chroma, model.manifest, native=native, threads=threads)

    if options.gives_tiles:
        # The native backend has no tiles, but a value that the model cannot have is an error there
        # as well.
        tile_sizes(model, options)
    if backend != "onnxruntime":
        try:
            network = _native(model, options)
            chroma = open_chroma_of(native=True)
            return (
                partial(NativeRunner, network, model.manifest, chroma=chroma.network),
                chroma.name,
            )
        except UnsupportedError as error:
            if options.precision == "bf16":
                why = str(error).removesuffix("; use another backend")
                raise UnsupportedError(
                    f"{why}; precision is 'bf16', in which no other backend computes: leave it out"
                ) from error
            if options.backend == "native":
                raise
            try:
                import_onnxruntime()
            except MissingBackendError as missing:
                raise MissingBackendError(f"{missing} ({error})") from missing
    warn_of_saturation(model.network, model.path)
    sizes = SharedSizes(tile_sizes(model, options))
    chroma = open_chroma_of(native=False)
    opened = partial(open_tiled, model.network, model.manifest, sizes, chroma=chroma.network)
    return opened, chroma.name


def _native(model: LoadedModel, options: LoadOptions) -> NativeNetwork:
    manifest, precision = model.manifest, "fp32"
    if options.precision == "bf16":
        precision = "bf16"
    elif options.precision == "auto" and options.allow_bf16:
        precision = "auto"
    native = open_native(model.network, precision=precision, value_range=manifest.value_range)
    if (native.scale, native.colours) != (manifest.scale, manifest.channels):
        raise ModelError(
            f"{manifest.name} enlarges {native.scale} times and gives {native.colours} channels, "
            f"and by its manifest it would be {manifest.scale} and {manifest.channels}: the file "
            "is damaged; export it again"
        )
    return native
