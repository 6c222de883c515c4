"""What can run a network: one module for each library, behind one protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from numpy.typing import NDArray

from restore_rt.errors import BackendError

if TYPE_CHECKING:
    import onnx

__all__ = [
    "BACKENDS",
    "PROVIDERS",
    "Backend",
    "MissingBackendError",
    "OutOfMemoryError",
    "dimensions",
    "inputs_of",
    "open_backend",
]

PROVIDERS = ("auto", "cpu", "cuda", "tensorrt")
BACKENDS = ("auto", "native", "onnxruntime")


class MissingBackendError(BackendError):
    """The library that is to run a network is not installed."""


class OutOfMemoryError(BackendError):
    """The device has too little memory for the tile; a smaller one may fit."""


class Backend(Protocol):
    """Runs a network over batches of tiles."""

    name: str
    """What runs it, as ``backend=`` takes it: ``"onnxruntime"``."""

    provider: str
    """The device that runs the network: ``"cpu"``."""

    description: str
    """Library, version and settings, for people."""

    def run(self, tiles: NDArray[Any], out: NDArray[Any]) -> None:
        """Run the network.

        Parameters
        ----------
        tiles
            (N, C, h, w) float32, C-contiguous; not changed.
        out
            (N, C, s*h, s*w) float32, C-contiguous; written in place.

        Raises
        ------
        OutOfMemoryError
            Too little memory for this shape.
        BackendError
            The library failed.

        Notes
        -----
        Repeated calls with the same two buffers are the fast path. Not safe to call from two
        threads at once.
        """

    def release(self) -> None:
        """Release memory that is kept between runs; the next run takes it again."""

    def close(self) -> None:
        """Release what the backend holds; it cannot run afterwards."""


def inputs_of(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    """Return a network's inputs; old files list their weights among them."""
    weights = {tensor.name for tensor in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in weights]


def dimensions(value: onnx.ValueInfoProto) -> tuple[int | str | None, ...]:
    """Return the shape of an input: sizes, names of dynamic ones, ``None`` where unnamed."""
    return tuple(
        side.dim_value if side.HasField("dim_value") else side.dim_param or None
        for side in value.type.tensor_type.shape.dim
    )


def open_backend(model: onnx.ModelProto, *, threads: int) -> Backend:
    """Open a network on the CPU; for GPUs see ``restore_rt.backends.device``.

    Parameters
    ----------
    model
        The network, with one input ``(N, C, h, w)`` and one output ``(N, C, s*h, s*w)``.
    threads
        CPU threads that the network may use.

    Raises
    ------
    BackendError
        What runs it is not installed.
    """
    from restore_rt.backends.onnxruntime import OnnxRuntimeBackend

    return OnnxRuntimeBackend(model, threads=threads)
