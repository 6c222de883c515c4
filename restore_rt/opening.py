"""A network that was read becomes a Restorer: on the CPU or a GPU, in the backend that runs it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from restore_rt.errors import MissingBackendError, ModelError
from restore_rt.model.manifest import Manifest
from restore_rt.native.runner import WholeNetwork
from restore_rt.progress import Progress
from restore_rt.restorer import FrameNetwork, Restorer
from restore_rt.tiled.runner import TiledNetwork
from restore_rt.tiled.session import OnnxRuntimeBackend
from restore_rt.tiled.sizes import SharedSizes

if TYPE_CHECKING:
    import onnx

    from restore_rt.gpu.lane import Lane
    from restore_rt.native.network import NativeNetwork

__all__ = ["Runner", "open_restorer", "restorer_on"]


@dataclass(frozen=True)
class Runner:
    """What the caller asks of what runs the network; fields are as ``restore_rt.load`` has them."""

    threads: int
    backend: str
    precision: str | None
    device: int
    memory_limit: int | None
    allow_cpu_nodes: bool
    progress: Progress


def open_restorer(
    network: onnx.ModelProto,
    original: onnx.ModelProto,
    manifest: Manifest,
    provider: str,
    sizes: SharedSizes,
    runner: Runner,
) -> Restorer:
    """Open a network on a provider.

    Parameters
    ----------
    network, manifest
        In the precision that is asked for, and what it is.
    original
        As it was read.
    provider
        ``"cpu"``, ``"cuda"`` or ``"tensorrt"``.
    sizes
        Of the tiles, where there are any.
    runner
        All else that is asked for.

    Raises
    ------
    ModelError
        The network is not what its manifest says.
    BackendError
        What should run it is missing or refuses it.
    """
    if provider == "cpu":
        open_network = _on_cpu(network, manifest, sizes, runner)
        return Restorer(open_network, manifest, sizes=sizes, threads=runner.threads)

    from restore_rt.gpu.opening import open_lane

    lane = open_lane(
        network,
        manifest,
        original=original,
        provider=provider,
        device=runner.device,
        sizes=sizes,
        threads=runner.threads,
        memory_limit=runner.memory_limit,
        progress=runner.progress,
        allow_cpu_nodes=runner.allow_cpu_nodes,
    )
    return restorer_on(lane, manifest, provider, sizes, runner)


def _on_cpu(
    network: onnx.ModelProto, manifest: Manifest, sizes: SharedSizes, runner: Runner
) -> Callable[[int], FrameNetwork]:
    """Return what opens the network: in the native engine, or in ONNX Runtime."""
    from restore_rt.native.network import UnsupportedError, open_native

    why = ""
    native: NativeNetwork | None = None
    if runner.backend != "onnxruntime":
        try:
            # What is asked for in fp16 here is so in the file.
            wanted = "fp32" if runner.precision in (None, "fp16") else runner.precision
            native = open_native(network, precision=wanted)
        except UnsupportedError as error:
            if runner.backend == "native" or runner.precision == "bf16":
                raise
            why = str(error)
        else:
            made = (native.scale, native.colours)
            if made != (manifest.scale, manifest.channels):
                raise ModelError(
                    f"{manifest.name} enlarges {made[0]} times and gives {made[1]} channels, and "
                    f"by its manifest it would be {manifest.scale} and {manifest.channels}: the "
                    "file is damaged; export it again"
                )

    def open_whole(threads: int) -> FrameNetwork:
        assert native is not None
        return WholeNetwork(native, manifest, threads=threads)

    def open_tiled(threads: int) -> FrameNetwork:
        try:
            backend = OnnxRuntimeBackend(network, threads=threads)
        except MissingBackendError as error:
            raise MissingBackendError(f"{error}{f' ({why})' if why else ''}") from error
        return TiledNetwork(backend, manifest, sizes=sizes, threads=threads)

    return open_tiled if native is None else open_whole


def restorer_on(
    lane: Lane, manifest: Manifest, provider: str, sizes: SharedSizes, runner: Runner
) -> Restorer:
    """Return a Restorer for what is open on a GPU."""
    from restore_rt.gpu.network import GpuNetwork

    return Restorer(
        lambda threads: GpuNetwork(lane, threads=threads),
        manifest,
        sizes=sizes,
        threads=runner.threads,
        provider=provider,
        lane=lane,
    )
