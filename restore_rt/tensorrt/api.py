# ruff: noqa: A002, D101, D102, N802
"""Protocols for the part of TensorRT's Python API that both libraries share and we use.

Neither library has type annotations, and either may be missing. Enumerations are only named,
because their numbers differ between versions. NVIDIA's documentation describes the calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

__all__ = [
    "Builder",
    "Config",
    "Context",
    "Engine",
    "Enumeration",
    "Memory",
    "Network",
    "OptimizationProfile",
    "Parser",
    "ParserError",
    "RtxConfig",
    "RtxContext",
    "RtxEngine",
    "RtxRuntimeConfig",
    "Runtime",
    "TensorRt",
    "TimingCache",
]


class Enumeration(Protocol):
    """A type whose members are attributes and lie in ``__members__``."""

    __members__: dict[str, Any]


class Memory(Protocol):
    """IHostMemory: bytes that TensorRT owns; ``bytes()`` copies them."""

    @property
    def nbytes(self) -> int: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...


class ParserError(Protocol):
    def desc(self) -> str: ...
    def node(self) -> int: ...
    def node_name(self) -> str: ...
    def node_operator(self) -> str: ...


class Parser(Protocol):
    @property
    def num_errors(self) -> int: ...
    def parse(self, model: bytes) -> bool: ...
    def get_error(self, index: int) -> ParserError: ...


class TimingCache(Protocol):
    def serialize(self) -> Memory: ...


class OptimizationProfile(Protocol):
    def set_shape(
        self,
        input: str,
        min: Sequence[int],
        opt: Sequence[int],
        max: Sequence[int],
    ) -> None: ...


class Config(Protocol):
    """IBuilderConfig."""

    progress_monitor: Any
    hardware_compatibility_level: Any

    def clear_flag(self, flag: Any) -> None: ...
    def set_memory_pool_limit(self, pool: Any, pool_size: int) -> None: ...
    def add_optimization_profile(self, profile: OptimizationProfile) -> int: ...
    def create_timing_cache(self, serialized_timing_cache: bytes) -> TimingCache | None: ...
    def set_timing_cache(self, cache: TimingCache, ignore_mismatch: bool) -> bool: ...


class RtxConfig(Config, Protocol):
    """What TensorRT-RTX's has besides."""

    num_compute_capabilities: int

    def set_compute_capability(self, compute_capability: Any, index: int) -> bool: ...


class Network(Protocol):
    @property
    def num_inputs(self) -> int: ...


class Builder(Protocol):
    def create_network(self, flags: int = ...) -> Network: ...
    def create_builder_config(self) -> Config: ...
    def create_optimization_profile(self) -> OptimizationProfile: ...
    def build_serialized_network(self, network: Network, config: Config) -> Memory | None: ...


class Context(Protocol):
    """IExecutionContext."""

    def set_optimization_profile_async(self, profile_index: int, stream_handle: int) -> bool: ...
    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool: ...
    def infer_shapes(self) -> list[str]: ...
    def get_tensor_shape(self, name: str) -> Sequence[int]: ...
    def update_device_memory_size_for_shapes(self) -> int: ...
    def set_device_memory(self, memory: int, size: int) -> None: ...
    def set_tensor_address(self, name: str, memory: int) -> bool: ...
    def execute_async_v3(self, stream_handle: int) -> bool: ...


class RtxContext(Context, Protocol):
    """What TensorRT-RTX's has besides."""

    def is_stream_capturable(self, stream: int) -> bool: ...


class Engine(Protocol):
    """ICudaEngine."""

    @property
    def num_io_tensors(self) -> int: ...
    def get_tensor_name(self, index: int) -> str: ...
    def create_execution_context(self, strategy: Any = ..., /) -> Context | None: ...


class RtxRuntimeConfig(Protocol):
    """IRuntimeConfig."""

    dynamic_shapes_kernel_specialization_strategy: Any

    def set_execution_context_allocation_strategy(self, strategy: Any) -> None: ...


class RtxEngine(Protocol):
    """What TensorRT-RTX's has besides."""

    def create_runtime_config(self) -> RtxRuntimeConfig: ...
    def create_execution_context(self, runtime_config: RtxRuntimeConfig, /) -> Context | None: ...


class Runtime(Protocol):
    """IRuntime; outlives its engines."""

    def deserialize_cuda_engine(self, serialized_engine: bytes, /) -> Engine | None: ...


class TensorRt(Protocol):
    """The module.

    ``ComputeCapability``, ``DynamicShapesKernelSpecializationStrategy`` are TensorRT-RTX's alone.
    """

    __version__: str
    ILogger: Any
    IProgressMonitor: Any
    BuilderFlag: Enumeration
    ComputeCapability: Enumeration
    DynamicShapesKernelSpecializationStrategy: Any
    ExecutionContextAllocationStrategy: Any
    HardwareCompatibilityLevel: Enumeration
    MemoryPoolType: Any
    NetworkDefinitionCreationFlag: Any

    def Builder(self, logger: Any) -> Builder: ...
    def OnnxParser(self, network: Network, logger: Any) -> Parser: ...
    def Runtime(self, logger: Any) -> Runtime: ...
