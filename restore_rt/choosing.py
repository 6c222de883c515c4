"""``provider="auto"``: the fastest that works on this machine, measured once and remembered."""

from __future__ import annotations

import hashlib
import json
import statistics
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from restore_rt.errors import BackendError, RestoreError

if TYPE_CHECKING:
    from restore_rt.model.manifest import Manifest
    from restore_rt.restorer import Restorer
    from restore_rt.tensorrt import Gpu
    from restore_rt.tiled.sizes import TileSizes

__all__ = ["open_fastest"]

_FILE = "providers.json"
_ROUNDS = 3


def open_fastest(
    open_on: Callable[[str], Restorer],
    manifest: Manifest,
    sizes: TileSizes,
    *,
    device: int,
    threads: int,
    cpu: bool = True,
) -> Restorer:
    """Open a model on what restores a frame of its fastest.

    Without a GPU that is the CPU, at once. With one, a frame is restored on each provider that has
    all its pieces; the verdict is kept in the cache folder, for this model, machine and set of
    libraries. A GPU that is there and cannot be used is warned of.

    Parameters
    ----------
    open_on
        Opens the model on a provider.
    manifest, sizes
        What the model is, and its tiles.
    device
        The GPU's number.
    threads
        CPU threads.
    cpu
        Whether the CPU may be chosen.

    Raises
    ------
    BackendError
        Nothing can run the model.
    """
    gpu, reason = _find_gpu(device)
    candidates, missing = _candidates(gpu, device)
    if gpu is not None and not candidates:
        reason = f"{gpu} cannot be used: {missing}"
        if cpu:
            warnings.warn(f"{reason}. The CPU is used", RuntimeWarning, stacklevel=3)
    if cpu:
        candidates.append("cpu")
    if not candidates:
        raise BackendError(f"no GPU can run {manifest.name} as it was asked for: {reason}")
    if len(candidates) == 1:
        return open_on(candidates[0])
    key = _key(manifest, sizes, gpu, device, threads, candidates)
    known = _read().get(key)
    if known in candidates:
        return open_on(known)
    return _measure(open_on, manifest, candidates, key)


def _find_gpu(device: int) -> tuple[Gpu | None, str]:
    from restore_rt.tensorrt import EngineError, find_gpu

    try:
        gpu = find_gpu(device)
    except EngineError as error:
        warnings.warn(f"{error}; the CPU is used", RuntimeWarning, stacklevel=4)
        return None, str(error)
    return gpu, "" if gpu is not None else f"there is no NVIDIA GPU {device}, or no driver for it"


def _candidates(gpu: Gpu | None, device: int) -> tuple[list[str], str]:
    """Return the GPU's providers that have all pieces, and what the first one lacks."""
    if gpu is None:
        return [], ""
    from restore_rt.gpu.opening import missing_here

    lacks = {provider: missing_here(provider, device) for provider in ("cuda", "tensorrt")}
    return [name for name, pieces in lacks.items() if not pieces], "; ".join(lacks["cuda"])


def _measure(
    open_on: Callable[[str], Restorer], manifest: Manifest, candidates: list[str], key: str
) -> Restorer:
    seconds: dict[str, float] = {}
    for provider in candidates:
        try:
            with open_on(provider) as restorer:
                seconds[provider] = _seconds(restorer, manifest)
        except RestoreError as error:
            warnings.warn(f"provider {provider!r} fails: {error}", RuntimeWarning, stacklevel=4)
    if not seconds:
        raise BackendError(f"{manifest.name} runs on none of {', '.join(candidates)}")
    best = min(seconds, key=lambda provider: seconds[provider])
    _remember(key, best)
    # Anew, and not the one that was measured: its engines would be for the size that was tried.
    return open_on(best)


def _seconds(restorer: Restorer, manifest: Manifest) -> float:
    height, width = restorer.tile
    channels = (3,) if manifest.colour == "rgb" else ()
    rng = np.random.default_rng(0)
    frame = rng.integers(0, 256, (height, width, *channels), np.uint8)
    # The second one is the first that a recorded graph may serve.
    for _ in range(2):
        out = restorer(frame)
    times = []
    for _ in range(_ROUNDS):
        begin = time.perf_counter()
        restorer(frame, out=out)
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def _key(
    manifest: Manifest,
    sizes: TileSizes,
    gpu: Gpu | None,
    device: int,
    threads: int,
    candidates: list[str],
) -> str:
    from importlib import metadata

    from restore_rt import __version__

    versions = {}
    for name in ("onnxruntime-gpu", "onnxruntime", "tensorrt", "tensorrt_rtx_cu13_bindings"):
        with suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    parts: list[Any] = [__version__, manifest.sha256, manifest.precision, str(sizes), str(gpu)]
    parts += [device, threads, candidates, versions]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _read() -> dict[str, str]:
    from restore_rt.tensorrt.cache import cache_folder

    try:
        found = json.loads((cache_folder() / _FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _remember(key: str, provider: str) -> None:
    """Keep a verdict; where that is not possible, the next start measures again."""
    from restore_rt.files import whole_file
    from restore_rt.tensorrt.cache import cache_folder, make_folder

    folder = cache_folder()
    with suppress(RestoreError, OSError):
        make_folder(folder)
        text = json.dumps({**_read(), key: provider}, indent=1)
        with whole_file(folder / _FILE, overwrite=True) as temporary:
            temporary.write_text(text + "\n", encoding="utf-8")
