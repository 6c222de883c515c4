"""TensorRT and TensorRT-RTX: engines run over tiles in device memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from restore_rt.errors import BackendError, EngineError, OutOfMemoryError
from restore_rt.gpu.tiles import check_arrays
from restore_rt.model.manifest import Manifest
from restore_rt.progress import Progress, silent
from restore_rt.tensorrt.building.messages import explain, log_of
from restore_rt.tensorrt.building.network import network_of
from restore_rt.tensorrt.library import Library, open_library
from restore_rt.tensorrt.pair import read_sidecar
from restore_rt.tensorrt.profile import Shape
from restore_rt.tensorrt.sharing import (
    EngineShare,
    FileShare,
    NetworkShare,
    share_of,
    tells_of_memory,
)
from restore_rt.tensorrt.sidecar import Port

if TYPE_CHECKING:
    import onnx

    from restore_rt.gpu.array import DeviceArray
    from restore_rt.gpu.driver import Device, Stream
    from restore_rt.gpu.memory import Pool
    from restore_rt.tensorrt.api import Context, Engine, RtxContext, RtxEngine

__all__ = ["TensorRtBackend", "open_engine_backend", "open_network_backend"]

TileShape = tuple[int, int, int, int]


def open_network_backend(
    model: onnx.ModelProto,
    manifest: Manifest,
    *,
    library: Library,
    device: Device,
    stream: Stream,
    pool: Pool,
    folder: Path,
    progress: Progress = silent,
) -> TensorRtBackend:
    """Open a network; engines that are not in the cache are built on demand.

    Parameters
    ----------
    model, manifest, device, stream, pool, progress
        See ``open_device_backend``.
    library
        Builds and runs the engines.
    folder
        The cache folder.

    Raises
    ------
    ModelError
        The network is neither fp32 nor fp16, or contradicts its manifest.
    BackendError
        The library does not build for this GPU, or tiles cannot have the network's types.
    """
    network = network_of(model, manifest)
    key = (network.sha256, library.name, library.version, device.index, folder)
    share = share_of(
        key, lambda: NetworkShare(network, library, device, folder=folder, progress=progress)
    )
    return TensorRtBackend(
        share,
        network.manifest,
        ports=(network.input, network.output),
        precision=network.precision,
        stream=stream,
        pool=pool,
    )


def open_engine_backend(
    path: Path, *, device: Device, stream: Stream, pool: Pool
) -> TensorRtBackend:
    """Open an engine from its file, described by its sidecar.

    Parameters
    ----------
    path
        The ``.engine`` file, with its sidecar beside it.
    device, stream, pool
        See ``open_device_backend``.

    Raises
    ------
    BackendError
        The library that built it is missing; or the engine is damaged, or of another library,
        version or GPU; or tiles cannot have its types.
    """
    sidecar = read_sidecar(path)
    library = open_library(sidecar.library)
    key = (sidecar.plan_sha256, library.name, library.version, device.index, path.resolve())
    share = share_of(key, lambda: FileShare(path, library, device))
    return TensorRtBackend(
        share,
        sidecar.manifest,
        ports=(sidecar.input, sidecar.output),
        precision=sidecar.precision,
        stream=stream,
        pool=pool,
    )


@dataclass
class _Prepared:
    """A context for one shape, its memory, and the addresses that were set last."""

    context: Context
    memory: DeviceArray | None
    input: str
    output: str
    addresses: tuple[int, int] | None = None


class TensorRtBackend:
    """A network in TensorRT or TensorRT-RTX on a GPU; see ``DeviceBackend``.

    Each shape has a context, which works in memory of the pool.

    Parameters
    ----------
    share
        Source of engines.
    manifest
        The network's description.
    ports
        The network's input and output.
    precision
        The network's precision, for messages.
    stream, pool
        See ``open_device_backend``.

    Raises
    ------
    BackendError
        Tiles cannot have the types of input and output.
    """

    name = "tensorrt"

    def __init__(
        self,
        share: EngineShare,
        manifest: Manifest,
        *,
        ports: tuple[Port, Port],
        precision: str,
        stream: Stream,
        pool: Pool,
    ) -> None:
        kinds = {(port.dtype, port.layout) for port in ports}
        if kinds not in ({("float32", "nchw")}, {("float16", "nchw")}):
            shown = " and gives ".join(f"{port.dtype} in {port.layout.upper()}" for port in ports)
            raise BackendError(
                f"{manifest.name} takes {shown}; here both must be float32 or both float16, in "
                "NCHW: export it so"
            )
        self.dtype: np.dtype[Any] = np.dtype(ports[0].dtype)
        self.capturable = True
        self.description = f"{share.library} on {share.device.name}, {precision}"
        self._share: EngineShare | None = share
        self._device, self._library = share.device, share.library
        self._manifest, self._stream, self._pool = manifest, stream, pool
        self._prepared: dict[tuple[int, ...], _Prepared] = {}

    def prepare(self, shape: TileShape) -> None:
        """Open or build an engine, and create a context; see ``DeviceBackend.prepare``."""
        if shape in self._prepared:
            return
        if self._share is None:
            raise BackendError(f"the backend of {self._manifest.name} is closed; load it again")
        count, channels, height, width = shape
        if channels != self._manifest.channels:
            raise BackendError(
                f"tiles have {channels} channels, and {self._manifest.name} takes "
                f"{self._manifest.channels}"
            )
        opened = self._share.engine_for(Shape(count, height, width))
        names = opened.sidecar.input.name, opened.sidecar.output.name
        with self._device.active():
            told = len(log_of(self._library).errors)
            try:
                self._prepared[shape] = self._context(opened.engine, names, shape, told)
            except RuntimeError as error:
                raise self._failed(
                    f"cannot prepare tiles of shape {shape} ({error})", told
                ) from error

    def enqueue(self, tiles: DeviceArray, out: DeviceArray) -> None:
        """Queue a run; see ``DeviceBackend.enqueue``."""
        prepared = self._prepared.get(tiles.shape)
        if prepared is None:
            count, channels, height, width = tiles.shape
            self.prepare((count, channels, height, width))
            prepared = self._prepared[tiles.shape]
        addresses = (tiles.pointer, out.pointer)
        with self._device.active():
            told = len(log_of(self._library).errors)
            if prepared.addresses != addresses:
                check_arrays(tiles, out, dtype=self.dtype, scale=self._manifest.scale)
                prepared.addresses = None
                for name, address in zip((prepared.input, prepared.output), addresses, strict=True):
                    if not prepared.context.set_tensor_address(name, address):
                        raise self._failed(f"refuses {address:#x} as the place of {name!r}", told)
                prepared.addresses = addresses
            tiles.used_on(self._stream)
            out.used_on(self._stream)
            if not prepared.context.execute_async_v3(self._stream.handle):
                raise self._failed(f"fails to run tiles of shape {tiles.shape}", told)

    def release(self, shape: TileShape | None = None) -> None:
        """Release contexts and their memory, when their work is done."""
        if not self._prepared:
            return
        with self._device.active():
            self._stream.synchronize()
            for one in [*self._prepared] if shape is None else [shape]:
                self._prepared.pop(one, None)

    def close(self) -> None:
        """Release everything, and close engines without other users."""
        self.release()
        with self._device.active():
            self._share = None

    def _context(
        self, engine: Engine, names: tuple[str, str], shape: TileShape, told: int
    ) -> _Prepared:
        source, result = names

        def need(done: bool, what: str) -> None:
            if not done:
                raise self._failed(what, told)

        context = self._make_context(engine)
        if context is None:
            raise self._failed("cannot make a context", told)
        handle = self._stream.handle
        need(context.set_optimization_profile_async(0, handle), "refuses its own profile")
        # The copies that it queued there must be done before shapes are set.
        self._stream.synchronize()
        need(context.set_input_shape(source, shape), f"refuses tiles of shape {shape}")
        unknown = context.infer_shapes()
        need(not unknown, f"cannot tell the shapes of {', '.join(map(repr, unknown))}")
        count, channels, height, width = shape
        scale = self._manifest.scale
        expected = (count, channels, height * scale, width * scale)
        sides = context.get_tensor_shape(result)
        found = tuple(sides[axis] for axis in range(len(sides)))
        need(found == expected, f"gives results of shape {found} where {expected} are expected")
        size = context.update_device_memory_size_for_shapes()
        memory = None
        if size > 0:
            memory = self._pool.empty((size,), np.uint8)
            memory.used_on(self._stream)
            context.set_device_memory(memory.pointer, size)
        if self._library.name == "rtx":
            capturable = cast("RtxContext", context).is_stream_capturable(handle)
            self.capturable = self.capturable and capturable
        return _Prepared(context, memory, source, result)

    def _make_context(self, engine: Engine) -> Context | None:
        trt = self._library.module
        managed = trt.ExecutionContextAllocationStrategy.USER_MANAGED
        if self._library.name != "rtx":
            return engine.create_execution_context(managed)
        rtx = cast("RtxEngine", engine)
        config = rtx.create_runtime_config()
        config.set_execution_context_allocation_strategy(managed)
        # Else its best kernels come some time later, and never into a graph that was captured.
        eager = trt.DynamicShapesKernelSpecializationStrategy.EAGER
        config.dynamic_shapes_kernel_specialization_strategy = eager
        return rtx.create_execution_context(config)

    def _failed(self, what: str, told: int) -> BackendError:
        said = explain(log_of(self._library).errors[told:])
        text = f"{self._library} {what} for {self._manifest.name}: {said}"
        if tells_of_memory(text):
            return OutOfMemoryError(text)
        return EngineError(
            f"{text}; build the engine again (restore-rt build, or empty the cache), or use "
            "backend='onnxruntime'"
        )
