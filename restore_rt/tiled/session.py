"""ONNX Runtime: sessions of one network by the shape of its input, and the CPU provider."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from restore_rt.errors import BackendError, MissingBackendError, OutOfMemoryError
from restore_rt.model.graph import dimensions, inputs_of

if TYPE_CHECKING:
    import onnx

__all__ = ["OnnxRuntimeBackend", "Sessions", "import_onnxruntime"]

# A frame needs two shapes at most, full batches and the last one; each keeps memory of its own.
_SESSIONS_KEPT = 2
# Results lie in a ring, and tiles may take turns with those of the next frame.
_BINDINGS_KEPT = 16

_OUT_OF_MEMORY = (
    "bad_alloc",
    "bad allocation",
    "failed to allocate",
    "out of memory",
    "alloc_failed",
    "cudaerrormemoryallocation",
)

Shape = tuple[int, ...]


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
        raise MissingBackendError(
            "running this model needs ONNX Runtime, which is not installed: "
            "pip install 'restore-rt[cpu]'"
        ) from error
    return onnxruntime


@dataclass
class _Open:
    """A session, and its bindings by the addresses of input and output."""

    session: Any
    bindings: OrderedDict[tuple[int, int], Any] = field(default_factory=OrderedDict)


class Sessions:
    """A network in ONNX Runtime, one session for each shape of its input.

    A session that knows its shape lays out memory once and for all. Sessions bind the caller's
    buffers directly, so a run copies nothing. Worker threads sleep between runs: they leave the
    cores to decoding, splitting, merging and encoding.

    Parameters
    ----------
    library
        The module.
    model
        The network.
    threads
        CPU threads that one run may use, at least 1.
    """

    place = ("cpu", 0)
    """Where input and output lie, as ONNX Runtime calls it."""

    kept = _SESSIONS_KEPT
    """Most sessions at a time: those that were used last."""

    dtype: np.dtype[Any] = np.dtype(np.float32)
    """Of input and output."""

    def __init__(self, library: Any, model: onnx.ModelProto, *, threads: int) -> None:
        self._library = library
        self._blob = model.SerializeToString()
        self._threads = threads
        self._sessions: OrderedDict[Shape, _Open] = OrderedDict()
        source = inputs_of(model)[0]
        self._input, self._output = source.name, model.graph.output[0].name
        self._dimensions = dimensions(source)

    def release(self) -> None:
        """Release all sessions, with the memory that they keep."""
        for shape in [*self._sessions]:
            self._forget(shape)

    def close(self) -> None:
        """Release everything."""
        self.release()
        self._blob = b""

    def _opened(self, shape: Shape) -> _Open:
        opened = self._sessions.get(shape)
        if opened is None:
            opened = _Open(self._create(shape))
            self._sessions[shape] = opened
            while len(self._sessions) > self.kept:
                self._forget(next(iter(self._sessions)))
        self._sessions.move_to_end(shape)
        return opened

    def _forget(self, shape: Shape) -> None:
        self._sessions.pop(shape, None)

    def _bind(self, opened: _Open, shape: Shape, out: Shape, addresses: tuple[int, int]) -> Any:
        binding = opened.bindings.get(addresses)
        if binding is None:
            where, index = self.place
            kind = self.dtype.type
            binding = opened.session.io_binding()
            binding.bind_input(self._input, where, index, kind, shape, addresses[0])
            binding.bind_output(self._output, where, index, kind, out, addresses[1])
            opened.bindings[addresses] = binding
            while len(opened.bindings) > _BINDINGS_KEPT:
                opened.bindings.popitem(last=False)
        opened.bindings.move_to_end(addresses)
        return binding

    def _providers(self, shape: Shape) -> list[tuple[str, dict[str, str]]]:
        """Return the providers with their options, the preferred one first."""
        return [("CPUExecutionProvider", {})]

    def _entries(self) -> dict[str, str]:
        """Return entries for a session's configuration."""
        return {}

    def _fixed_sizes(self, shape: Shape) -> dict[str, int]:
        """Return sizes by the name of their dimension; a name that stands twice may have two."""
        named: dict[str, set[int]] = {}
        for name, size in zip(self._dimensions, shape, strict=True):
            if isinstance(name, str):
                named.setdefault(name, set()).add(size)
        return {name: sizes.pop() for name, sizes in named.items() if len(sizes) == 1}

    def _create(self, shape: Shape) -> Any:
        options = self._library.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        for key, value in self._entries().items():
            options.add_session_config_entry(key, value)
        # Its own lines would stand beside the one that tells the user.
        options.log_severity_level = 4
        for name, size in self._fixed_sizes(shape).items():
            options.add_free_dimension_override_by_name(name, size)
        try:
            # What it would fall back to is a slower provider, in silence.
            return self._library.InferenceSession(
                self._blob, options, providers=self._providers(shape), enable_fallback=0
            )
        except Exception as error:
            raise self._translated(error, shape) from error

    def _translated(self, error: Exception, shape: Shape) -> BackendError:
        text = str(error)
        if isinstance(error, MemoryError) or any(mark in text.lower() for mark in _OUT_OF_MEMORY):
            return OutOfMemoryError(f"too little memory to run tiles of shape {shape}: {text}")
        return BackendError(f"ONNX Runtime failed on tiles of shape {shape}: {text}")


class OnnxRuntimeBackend(Sessions):
    """A network on ONNX Runtime's CPU provider.

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

    name = "onnxruntime"

    def __init__(self, model: onnx.ModelProto, *, threads: int) -> None:
        library = import_onnxruntime()
        super().__init__(library, model, threads=threads)
        self.description = f"ONNX Runtime {library.__version__}, {threads} threads"

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
        opened = self._opened(tiles.shape)
        addresses = (tiles.ctypes.data, out.ctypes.data)
        binding = self._bind(opened, tiles.shape, out.shape, addresses)
        try:
            opened.session.run_with_iobinding(binding)
        except Exception as error:
            raise self._translated(error, tiles.shape) from error
