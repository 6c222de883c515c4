"""ONNX Runtime as its build for GPUs shows itself, over the real one's CPU provider.

Addresses of device memory are those of host memory. Runs are queued on the stream that a session
was given, and are done when that is waited for.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime

from tests.gpu.fake_gpu import depth_here, stream_at

CPU, CUDA, TENSORRT = (f"{name}ExecutionProvider" for name in ("CPU", "CUDA", "Tensorrt"))


class FakeOnnxRuntime:
    """The module.

    Parameters
    ----------
    on_cpu
        Operators that only the CPU has.
    on_cuda
        Operators that TensorRT does not take.
    starts
        Whether its providers start; else it uses the CPU, as the real one does.
    tells
        Whether it tells where nodes are, as version 1.32 does.
    room
        Most values that an input may have.
    """

    __version__ = "1.32.0"
    cuda_version = "13.0"

    def __init__(
        self,
        *,
        on_cpu: tuple[str, ...] = (),
        on_cuda: tuple[str, ...] = (),
        starts: bool = True,
        tells: bool = True,
        room: int = 10**9,
    ) -> None:
        self.on_cpu, self.on_cuda, self.starts, self.room = on_cpu, on_cuda, starts, room
        self.sessions: list[FakeSession] = []
        members: dict[str, Any] = {"module": self}
        if tells:
            members["get_provider_graph_assignment_info"] = FakeSession.placement
        self.InferenceSession = type("InferenceSession", (FakeSession,), members)
        self.SessionOptions, self.RunOptions = FakeOptions, FakeRunOptions

    def get_available_providers(self) -> list[str]:
        return [TENSORRT, CUDA, CPU]


class FakeOptions:
    """SessionOptions; notes what it is told."""

    def __init__(self) -> None:
        self.real = onnxruntime.SessionOptions()
        self.entries: dict[str, str] = {}
        self.sizes: dict[str, int] = {}
        self.intra_op_num_threads = self.inter_op_num_threads = self.log_severity_level = 0

    def add_session_config_entry(self, key: str, value: str) -> None:
        self.entries[key] = value

    def add_free_dimension_override_by_name(self, name: str, size: int) -> None:
        self.sizes[name] = size
        self.real.add_free_dimension_override_by_name(name, size)


class FakeRunOptions:
    """RunOptions."""

    def __init__(self) -> None:
        self.entries: dict[str, str] = {}
        self.log_severity_level = 0

    def add_run_config_entry(self, key: str, value: str) -> None:
        self.entries[key] = value


class FakeSession:
    """A session; ``runs`` are the addresses and the run options of each run."""

    module: FakeOnnxRuntime

    def __init__(
        self, blob: bytes, options: FakeOptions, *, providers: Any, enable_fallback: int
    ) -> None:
        assert not enable_fallback
        assert depth_here()
        assert isinstance(blob, bytes)
        self.options, self.providers = options, providers
        self.asked = [name for name, _ in providers]
        self.runs: list[tuple[tuple[int, int], dict[str, str]]] = []
        assert CPU not in self.asked
        for _, values in providers:
            assert all(isinstance(value, str) for value in values.values())
        real = options.real
        real.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
        self.real = onnxruntime.InferenceSession(blob, real, providers=[CPU])
        if options.entries.get("session.disable_cpu_ep_fallback") == "1" and self._strangers():
            raise RuntimeError(
                "This session contains graph nodes that are assigned to the default CPU EP, but "
                "fallback to CPU EP has been explicitly disabled by the user."
            )
        self.module.sessions.append(self)

    def get_providers(self) -> list[str]:
        return [*self.asked, CPU] if self.module.starts else [CPU]

    def placement(self) -> list[Any]:
        assert self.options.entries["session.record_ep_graph_assignment_info"] == "1"
        return [
            SimpleNamespace(ep_name=self._place(node), get_nodes=lambda node=node: [node])
            for part in self.real.get_provider_graph_assignment_info()
            for node in part.get_nodes()
        ]

    def _place(self, node: Any) -> str:
        if node.op_type in self.module.on_cpu:
            return CPU
        return CUDA if node.op_type in self.module.on_cuda else self.asked[0]

    def _strangers(self) -> bool:
        parts = self.real.get_provider_graph_assignment_info()
        return any(self._place(node) == CPU for part in parts for node in part.get_nodes())

    def io_binding(self) -> FakeBinding:
        return FakeBinding(self)

    def run_with_iobinding(self, binding: FakeBinding, options: FakeRunOptions) -> None:
        assert binding.session is self
        assert depth_here()
        (source, shape, dtype), (target, out, _) = binding.input, binding.output
        if np.prod(shape) > self.module.room:
            raise RuntimeError("CUDNN failure 4: CUDNN_STATUS_ALLOC_FAILED")
        self.runs.append(((source, target), options.entries))
        stream = stream_at(int(self.providers[0][1]["user_compute_stream"]))
        assert options.entries["disable_synchronize_execution_providers"] == "1"

        def work() -> None:
            real = self.real.io_binding()
            real.bind_input(self.real.get_inputs()[0].name, "cpu", 0, dtype, shape, source)
            real.bind_output(self.real.get_outputs()[0].name, "cpu", 0, dtype, out, target)
            self.real.run_with_iobinding(real)

        stream.queue.append(work)


class FakeBinding:
    """IOBinding over raw addresses."""

    def __init__(self, session: FakeSession) -> None:
        self.session = session
        self.input: Any = None
        self.output: Any = None

    def bind_input(
        self, name: str, where: str, index: int, dtype: Any, shape: tuple[int, ...], address: int
    ) -> None:
        assert (name, where, index) == ("x", "cuda", 0)
        self.input = address, shape, dtype

    def bind_output(
        self, name: str, where: str, index: int, dtype: Any, shape: tuple[int, ...], address: int
    ) -> None:
        assert (name, where, index) == ("y", "cuda", 0)
        self.output = address, shape, dtype
