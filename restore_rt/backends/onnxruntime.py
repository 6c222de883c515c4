"""ONNX Runtime on its CPU provider."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from restore_rt.backends import OutOfMemoryError, dimensions, inputs_of
from restore_rt.errors import BackendError

if TYPE_CHECKING:
    import onnx

__all__ = ["OnnxRuntimeBackend", "import_onnxruntime"]

# A frame needs two shapes at most, full batches and the last one; each keeps memory of its own.
_SESSIONS_KEPT = 2

_OUT_OF_MEMORY = ("bad_alloc", "bad allocation", "failed to allocate", "out of memory")


def import_onnxruntime() -> Any:
    """Import the library.

    Raises
    ------
    BackendError
        It is not installed.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise BackendError(
            "running a model needs ONNX Runtime, which is not installed: "
            "pip install 'restore-rt[cpu]'"
        ) from error
    return onnxruntime


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
    """

    provider = "cpu"

    def __init__(self, model: onnx.ModelProto, *, threads: int) -> None:
        onnxruntime = import_onnxruntime()
        self._library = onnxruntime
        self._blob = model.SerializeToString()
        self._threads = threads
        self._sessions: OrderedDict[tuple[int, ...], Any] = OrderedDict()
        self._bindings: dict[tuple[int, ...], tuple[tuple[int, int], Any]] = {}
        source = inputs_of(model)[0]
        self._input, self._output = source.name, model.graph.output[0].name
        self._dimensions = dimensions(source)
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

    def release(self) -> None:
        """Release all sessions, with the memory that they keep."""
        self._bindings.clear()
        self._sessions.clear()

    def close(self) -> None:
        """Release everything."""
        self.release()
        self._blob = b""

    def _session(self, shape: tuple[int, ...]) -> Any:
        session = self._sessions.get(shape)
        if session is None:
            session = self._create(shape)
            self._sessions[shape] = session
            while len(self._sessions) > _SESSIONS_KEPT:
                old, _ = self._sessions.popitem(last=False)
                self._bindings.pop(old, None)
        self._sessions.move_to_end(shape)
        return session

    def _create(self, shape: tuple[int, ...]) -> Any:
        options = self._library.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # Its own lines would stand beside the one that tells the user.
        options.log_severity_level = 4
        for name, sizes in self._named_sizes(shape).items():
            if len(sizes) == 1:
                options.add_free_dimension_override_by_name(name, sizes.pop())
        try:
            return self._library.InferenceSession(
                self._blob, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            raise self._translated(error, shape) from error

    def _named_sizes(self, shape: tuple[int, ...]) -> dict[str, set[int]]:
        """Sizes by the name of their dimension; a name that stands twice may have two."""
        named: dict[str, set[int]] = {}
        for name, size in zip(self._dimensions, shape, strict=True):
            if isinstance(name, str):
                named.setdefault(name, set()).add(size)
        return named

    def _translated(self, error: Exception, shape: tuple[int, ...]) -> BackendError:
        text = str(error)
        if isinstance(error, MemoryError) or any(mark in text.lower() for mark in _OUT_OF_MEMORY):
            return OutOfMemoryError(f"too little memory to run tiles of shape {shape}: {text}")
        return BackendError(f"ONNX Runtime failed on tiles of shape {shape}: {text}")
