"""``device="auto"`` and ``backend="auto"``: the fastest place, timed once and remembered."""

from __future__ import annotations

import hashlib
import json
import statistics
import time
import warnings
from collections.abc import Sequence
from contextlib import suppress
from importlib import metadata
from typing import TYPE_CHECKING, Any

import numpy as np

from restore_rt.cache import cache_folder, make_cache_folder
from restore_rt.chroma import BICUBIC
from restore_rt.errors import BackendError, EngineError, RestoreError
from restore_rt.files import whole_file
from restore_rt.model.reading import LoadedModel
from restore_rt.opening import Place, open_restorer, tile_sizes
from restore_rt.options import LoadOptions
from restore_rt.restorer import Restorer

if TYPE_CHECKING:
    from restore_rt.gpu.properties import Gpu

__all__ = ["choose_place"]

_FILE = "fastest.json"
_ROUNDS = 3
_LIBRARIES = ("onnxruntime-gpu", "onnxruntime", "tensorrt", "tensorrt_rtx_cu13_bindings")


def choose_place(model: LoadedModel, options: LoadOptions) -> Place:
    """Return the device and the backend that the options name, or the fastest that they allow.

    Without a GPU that is the CPU, at once. With one, a frame is timed in each backend whose
    libraries are all there; the verdict is kept in the cache folder, for this model, machine and
    set of libraries. A GPU that cannot be used although it is there causes a warning.

    Raises
    ------
    BackendError
        Nothing that the options allow can run the model.
    """
    if options.on_cpu:
        return Place("cpu", options.backend)
    if options.chroma != BICUBIC:
        # The options have refused it where only a GPU may be used.
        if _find_gpu(options)[0] is not None:
            warnings.warn(
                f"chroma is {str(options.chroma)!r}, which is not built for GPUs yet; the CPU is "
                "used",
                RuntimeWarning,
                stacklevel=3,
            )
        return Place("cpu", options.backend)
    device = f"cuda:{options.gpu}"
    named = options.backend == "onnxruntime" and options.device.startswith("cuda")
    if named or options.backend == "tensorrt":
        return Place(device, options.backend)
    gpu, reason = _find_gpu(options)
    places: list[Place] = []
    if gpu is not None:
        places, reason = _places_on(gpu, options)
    if not options.on_gpu:
        places.append(Place("cpu", options.backend))
    if not places:
        raise BackendError(
            f"{model.manifest.name} cannot run on {device}: {reason}. device='cpu' needs no GPU, "
            "but precision='fp16' does; `restore-rt doctor` lists what is missing"
        )
    return places[0] if len(places) == 1 else _fastest(model, options, places, gpu)


def _find_gpu(options: LoadOptions) -> tuple[Gpu | None, str]:
    """Return the GPU that the options allow, or why there is none."""
    from restore_rt.gpu.properties import find_gpu

    try:
        gpu = find_gpu(options.gpu)
    except EngineError as error:
        if not options.on_gpu:
            warnings.warn(f"{error}; the CPU is used", RuntimeWarning, stacklevel=4)
        return None, str(error)
    missing = f"there is no NVIDIA GPU {options.gpu}, or no driver for it"
    return gpu, "" if gpu is not None else missing


def _places_on(gpu: Gpu, options: LoadOptions) -> tuple[list[Place], str]:
    """Return the places on a GPU whose libraries are all there, or what the first one lacks."""
    from restore_rt.gpu_opening import missing_here

    backends = ("onnxruntime", "tensorrt") if options.backend == "auto" else (options.backend,)
    missing = {backend: missing_here(backend, options.gpu) for backend in backends}
    places = [Place(f"cuda:{options.gpu}", name) for name in backends if not missing[name]]
    reason = f"{gpu} cannot be used: {'; '.join(missing[backends[0]])}"
    if not places and not options.on_gpu:
        warnings.warn(f"{reason}. The CPU is used", RuntimeWarning, stacklevel=4)
    return places, reason


def _fastest(
    model: LoadedModel, options: LoadOptions, places: Sequence[Place], gpu: Gpu | None
) -> Place:
    """Return the place that the cache names as the fastest, or time them all."""
    key = _key(model, options, places, gpu)
    known = _read().get(key)
    for place in places:
        if str(place) == known:
            return place
    seconds: dict[Place, float] = {}
    for place in places:
        try:
            with open_restorer(model, place, options) as restorer:
                seconds[place] = _seconds(restorer, tile_sizes(model, options).tile)
        except RestoreError as error:
            warnings.warn(f"{place} fails: {error}", RuntimeWarning, stacklevel=4)
    if not seconds:
        raise BackendError(f"{model.manifest.name} runs on none of {', '.join(map(str, places))}")
    best = min(seconds, key=lambda place: seconds[place])
    _remember(key, best)
    return best


def _seconds(restorer: Restorer, size: tuple[int, int]) -> float:
    channels = (3,) if restorer.manifest.colour == "rgb" else ()
    frame = np.random.default_rng(0).integers(0, 256, (*size, *channels), np.uint8)
    # The second one is the first that a recorded graph may serve.
    for _ in range(2):
        out = restorer(frame)
    times = []
    for _ in range(_ROUNDS):
        begin = time.perf_counter()
        restorer(frame, out=out)
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def _key(model: LoadedModel, options: LoadOptions, places: Sequence[Place], gpu: Gpu | None) -> str:
    """Return a checksum of everything that the speed depends on."""
    from restore_rt import __version__

    versions = {}
    for name in _LIBRARIES:
        with suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    manifest, sizes = model.manifest, str(tile_sizes(model, options))
    parts: list[Any] = [__version__, manifest.sha256, manifest.precision, sizes, str(gpu)]
    parts += [options.threads, options.allow_bf16, list(map(str, places)), versions]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _read() -> dict[str, str]:
    try:
        found = json.loads((cache_folder() / _FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _remember(key: str, place: Place) -> None:
    """Keep a verdict; where that is not possible, the next start measures again."""
    folder = cache_folder()
    with suppress(RestoreError, OSError):
        make_cache_folder(folder)
        text = json.dumps({**_read(), key: str(place)}, indent=1)
        with whole_file(folder / _FILE, overwrite=True) as temporary:
            temporary.write_text(text + "\n", encoding="utf-8")
