"""Engines that are open on a GPU: read or built once, and shared by all their users."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from restore_rt.cache import make_cache_folder
from restore_rt.errors import BackendError, EngineError, InputError, OutOfMemoryError
from restore_rt.gpu.properties import Gpu
from restore_rt.progress import Progress
from restore_rt.tensorrt.building import compile_network
from restore_rt.tensorrt.building.messages import explain, log_of
from restore_rt.tensorrt.building.network import Network
from restore_rt.tensorrt.building.target import Target, choose_target
from restore_rt.tensorrt.building.timing import read_timing_cache, write_timing_cache
from restore_rt.tensorrt.cache import engine_path, one_builder, timing_path
from restore_rt.tensorrt.library import Library
from restore_rt.tensorrt.pair import read_engine, write_engine
from restore_rt.tensorrt.profile import Profile, Shape
from restore_rt.tensorrt.sidecar import Sidecar

if TYPE_CHECKING:
    from restore_rt.gpu.driver import Device
    from restore_rt.tensorrt.api import Engine, Runtime

__all__ = [
    "EngineShare",
    "FileShare",
    "NetworkShare",
    "OpenEngine",
    "share_of",
    "tells_of_memory",
]

_OUT_OF_MEMORY = ("out of memory", "outofmemory", "cudaerrormemoryallocation", "alloc_failed")


def tells_of_memory(text: str) -> bool:
    """Return whether a library's message means that the device's memory ran out."""
    lower = text.lower()
    return any(mark in lower for mark in _OUT_OF_MEMORY)


@dataclass(frozen=True)
class OpenEngine:
    """An engine that is ready to run, with its description."""

    engine: Engine
    sidecar: Sidecar


class EngineShare:
    """The engines of one network on one GPU; safe to use from several threads.

    The engines stay open as long as this object, so a backend keeps it as long as their contexts.

    Parameters
    ----------
    library
        Loads the engines.
    device
        The GPU.
    """

    def __init__(self, library: Library, device: Device) -> None:
        self.library = library
        self.device = device
        self.gpu = Gpu(device.name, device.capability)
        self._lock = threading.Lock()
        self._runtime: Runtime | None = None
        self._open: list[OpenEngine] = []

    def engine_for(self, shape: Shape) -> OpenEngine:
        """Return an engine that takes a shape; a slow call where none is open.

        Raises
        ------
        BackendError
            No engine accepts the shape (the message names the accepted ones), or it cannot be built
            or loaded.
        """
        with self._lock:
            for opened in self._open:
                if opened.sidecar.profile.takes(shape):
                    return opened
            opened = self._provide(shape)
            self._open.append(opened)
            return opened

    def _provide(self, shape: Shape) -> OpenEngine:
        raise NotImplementedError

    def _load(self, plan: bytes, sidecar: Sidecar) -> OpenEngine | str:
        """Load an engine; return the reason if the library refuses it.

        Raises
        ------
        OutOfMemoryError
            Loading may succeed with more memory.
        """
        log = log_of(self.library)
        with self.device.active():
            if self._runtime is None:
                self._runtime = self.library.module.Runtime(log.logger)
            told = len(log.errors)
            engine = self._runtime.deserialize_cuda_engine(plan)
        if engine is None:
            reason = explain(log.errors[told:])
            if tells_of_memory(reason):
                raise OutOfMemoryError(
                    f"{self.library} has too little memory on {self.gpu} to load an engine of "
                    f"{sidecar.manifest.name}: {reason}"
                )
            return reason
        names = {engine.get_tensor_name(index) for index in range(engine.num_io_tensors)}
        wanted = {sidecar.input.name, sidecar.output.name}
        if names != wanted:
            return f"it has the tensors {sorted(names)}, and its description {sorted(wanted)}"
        return OpenEngine(engine, sidecar)


class FileShare(EngineShare):
    """The one engine of a file.

    Raises
    ------
    EngineError
        The engine is damaged, belongs to another library, version or GPU, or is refused by the
        library.
    """

    def __init__(self, path: Path, library: Library, device: Device) -> None:
        super().__init__(library, device)
        self._path = path
        plan, sidecar = read_engine(path, library, gpu=self.gpu)
        opened = self._load(plan, sidecar)
        if isinstance(opened, str):
            raise EngineError(
                f"{library} does not take {path} on {self.gpu}: {opened}; build it again here with "
                "restore-rt build"
            )
        self._open.append(opened)
        self.sidecar = sidecar

    def _provide(self, shape: Shape) -> OpenEngine:
        profile = self.sidecar.profile
        allowed = str(profile.max) if profile.is_static else f"{profile.min} to {profile.max}"
        raise EngineError(
            f"tiles are {shape} (batch, height, width), and {self._path} takes {allowed} alone: "
            "give another tile or batch, or build an engine for it with restore-rt build --profile"
        )


class NetworkShare(EngineShare):
    """Engines of a network, from the cache or built when a shape needs one.

    The first engine accepts only the requested height and width, and batches up to the requested
    one: it is the fastest, and enough for a video. Another size causes an engine for all sizes up
    to the recommended tile, so that pictures of many sizes do not cause a build each.

    Parameters
    ----------
    network
        The network.
    library, device
        See ``EngineShare``.
    folder
        The cache folder; created if missing.
    progress
        Reports builds.

    Raises
    ------
    BackendError
        The library does not build for this GPU.
    """

    def __init__(
        self,
        network: Network,
        library: Library,
        device: Device,
        *,
        folder: Path,
        progress: Progress,
    ) -> None:
        super().__init__(library, device)
        self._network, self._folder, self._progress = network, folder, progress
        self._largest = Shape(1, 1, 1)
        try:
            self._target: Target = choose_target(library, None, self.gpu)
        except InputError as error:
            raise BackendError(
                f"{library} cannot run on {self.gpu} ({error}): pip install "
                "'restore-rt[tensorrt]', or use backend='onnxruntime'"
            ) from error

    def _provide(self, shape: Shape) -> OpenEngine:
        self._largest = Shape(*map(max, self._largest, shape))
        profile = self._profile(shape)
        self._network.check_profile(profile)
        path = engine_path(
            self._folder,
            name=self._network.manifest.name,
            onnx_sha256=self._network.sha256,
            library=self.library,
            target=self._target.name,
            gpu=self.gpu,
            profile=profile,
        )
        # A folder that is there need not be one that can be written to.
        opened = self._read(path, profile)
        if opened is None:
            make_cache_folder(self._folder)
            with one_builder(path):
                opened = self._read(path, profile) or self._build(path, profile)
        return opened

    def _profile(self, shape: Shape) -> Profile:
        fixed, manifest = self._network.fixed, self._network.manifest
        if not self._open:
            least = Shape(fixed[0] or 1, shape.height, shape.width)
            return Profile(least, shape, shape)
        usual = self._network.usual_profile()
        most = Shape(*map(max, self._largest, (self._largest.batch, *manifest.tile)))
        most = Shape(*(own or value for own, value in zip(fixed, most, strict=True)))
        return Profile(usual.min, self._largest, most)

    def _read(self, path: Path, profile: Profile) -> OpenEngine | None:
        """Return the cached engine; None if it is missing or must be built again."""
        try:
            plan, sidecar = read_engine(path, self.library, gpu=self.gpu)
        except EngineError:
            return None
        if (sidecar.onnx_sha256, sidecar.profile) != (self._network.sha256, profile):
            return None
        # A new driver may refuse what it took before.
        opened = self._load(plan, sidecar)
        return None if isinstance(opened, str) else opened

    def _build(self, path: Path, profile: Profile) -> OpenEngine:
        timing = self._timing()
        try:
            made = compile_network(
                self._network,
                profile,
                library=self.library,
                target=self._target,
                timing=timing,
                progress=self._progress,
                active=self.device.active,
            )
        except EngineError as error:
            if tells_of_memory(str(error)):
                # An engine for smaller tiles may fit.
                raise OutOfMemoryError(str(error)) from error
            raise
        write_engine(path, made.plan, made.sidecar, overwrite=True)
        if timing is not None:
            cache = timing_path(self._folder, self.library, self.gpu)
            write_timing_cache(cache, made.timing, self.library, self.gpu)
        opened = self._load(made.plan, made.sidecar)
        if isinstance(opened, str):
            raise EngineError(
                f"{self.library} built {self._network.path} and does not take it on {self.gpu}: "
                f"{opened}; see whether nvidia-smi works and whether the driver is new enough, or "
                "use backend='onnxruntime'"
            )
        return opened

    def _timing(self) -> bytes | None:
        """Return earlier measurements; TensorRT-RTX has none."""
        if self.library.name == "rtx":
            return None
        try:
            return read_timing_cache(
                timing_path(self._folder, self.library, self.gpu), self.library, self.gpu
            )
        except EngineError:
            # It is damaged, and only saves time.
            return b""


_shares: WeakValueDictionary[Any, EngineShare] = WeakValueDictionary()
_sharing = threading.Lock()


def share_of(key: Any, make: Callable[[], EngineShare]) -> EngineShare:
    """Return the existing share of a key, or a new one."""
    with _sharing:
        share = _shares.get(key)
        if share is None:
            share = _shares[key] = make()
        return share
