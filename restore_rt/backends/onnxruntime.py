"""ONNX Runtime on its CPU provider."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from restore_rt.backends import OutOfMemoryError
from restore_rt.errors import BackendError, ModelError

if TYPE_CHECKING:
    import onnx

__all__ = ["OnnxRuntimeBackend"]

# A frame needs two shapes at most (full batches and the last one); this holds a few frame sizes.
_SESSIONS_KEPT = 6

_OUT_OF_MEMORY = ("bad_alloc", "bad allocation", "failed to allocate", "out of memory")


class OnnxRuntimeBackend:
    """A network in ONNX Runtime, one session for each shape of its input.

    A session that knows its shape lays out memory once and for all. Sessions bind the caller's
    buffers directly, so a run copies nothing. Worker threads sleep between runs: they leave the
    cores to decoding, splitting, merging and encoding.

    Parameters
    ----------
    model
        The network.
    threads
        Threads that one run may use, at least 1.

    Raises
    ------
    BackendError
        ``onnxruntime`` is not installed.
    ModelError
        ONNX Runtime cannot run the network, or it has not one input and one output of rank 4.
    """

    provider = "cpu"

    def __init__(self, model: onnx.ModelProto, *, threads: int) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise BackendError(
                "running a model needs ONNX Runtime, which is not installed: "
                "pip install 'restore-rt[cpu]' (or restore-rt[gpu] on a machine with an NVIDIA "
                "GPU; never both)"
            ) from error
        self._library = onnxruntime
        self._blob = model.SerializeToString()
        self._threads = threads
        self._sessions: OrderedDict[tuple[int, ...], Any] = OrderedDict()
        self._bindings: dict[tuple[int, ...], tuple[tuple[int, int], Any]] = {}
        self._input, self._output, self._dimensions = self._interface()
        self.description = f"ONNX Runtime {onnxruntime.__version__}, {threads} threads"

    def run(self, tiles: NDArray[Any], out: NDArray[Any]) -> None:
        """Run the network on ``tiles`` into ``out``; see ``Backend.run``."""
        session = self._session(tiles.shape)
        addresses = (tiles.ctypes.data, out.ctypes.data)
        bound, binding = self._bindings.get(tiles.shape, (None, None))
        if bound != addresses:
            binding = session.io_binding()
            binding.bind_input(self._input, "cpu", 0, np.float32, tiles.shape, addresses[0])
            binding.bind_output(self._output, "cpu", 0, np.float32, out.shape, addresses[1])
            self._bindings[tiles.shape] = (addresses, binding)
        try:
            session.run_with_iobinding(binding)
        except Exception as error:
            raise self._translated(error, tiles.shape) from error

    def close(self) -> None:
        """Release all sessions."""
        self._bindings.clear()
        self._sessions.clear()

    def _session(self, shape: tuple[int, ...]) -> Any:
        session = self._sessions.get(shape)
        if session is None:
            session = self._create(dict(zip(self._dimensions, shape, strict=True)), shape)
            self._sessions[shape] = session
            while len(self._sessions) > _SESSIONS_KEPT:
                old, _ = self._sessions.popitem(last=False)
                self._bindings.pop(old, None)
        self._sessions.move_to_end(shape)
        return session

    def _create(self, sizes: dict[Any, int], shape: tuple[int, ...] | None) -> Any:
        options = self._library.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        for name, size in sizes.items():
            if isinstance(name, str):
                options.add_free_dimension_override_by_name(name, size)
        try:
            return self._library.InferenceSession(
                self._blob, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            if shape is not None:
                raise self._translated(error, shape) from error
            raise ModelError(f"ONNX Runtime cannot run this model: {error}") from error

    def _interface(self) -> tuple[str, str, list[Any]]:
        session = self._create({}, None)
        inputs, outputs = session.get_inputs(), session.get_outputs()
        if len(inputs) != 1 or len(outputs) != 1 or len(inputs[0].shape) != 4:
            raise ModelError(
                f"the model has {len(inputs)} inputs and {len(outputs)} outputs; it must have one "
                "of each, of shape (N, C, h, w)"
            )
        for value in (inputs[0], outputs[0]):
            if value.type != "tensor(float)":
                raise ModelError(
                    f"the model's {value.name!r} is {value.type}; on the CPU it must be float32: "
                    "export the model as fp32"
                )
        return inputs[0].name, outputs[0].name, list(inputs[0].shape)

    def _translated(self, error: Exception, shape: tuple[int, ...]) -> BackendError:
        text = str(error)
        if isinstance(error, MemoryError) or any(mark in text.lower() for mark in _OUT_OF_MEMORY):
            return OutOfMemoryError(f"too little memory to run tiles of shape {shape}: {text}")
        return BackendError(f"ONNX Runtime failed on tiles of shape {shape}: {text}")
