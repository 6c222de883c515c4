"""Replaces `restore_rt.tensorrt.api` when mypy checks the calls against TensorRT's stubs."""

from typing import Any, Protocol

import tensorrt
from tensorrt import Builder as Builder
from tensorrt import IBuilderConfig as Config
from tensorrt import ICudaEngine as Engine
from tensorrt import IExecutionContext as Context
from tensorrt import IHostMemory as Memory
from tensorrt import INetworkDefinition as Network
from tensorrt import IOptimizationProfile as OptimizationProfile
from tensorrt import ITimingCache as TimingCache
from tensorrt import OnnxParser as Parser
from tensorrt import ParserError as ParserError
from tensorrt import Runtime as Runtime

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
    __members__: dict[str, Any]

class RtxConfig(Config):
    num_compute_capabilities: int
    def set_compute_capability(self, compute_capability: Any, index: int) -> bool: ...

class RtxContext(Context):
    def is_stream_capturable(self, stream: int) -> bool: ...

class RtxRuntimeConfig:
    dynamic_shapes_kernel_specialization_strategy: Any
    def set_execution_context_allocation_strategy(self, strategy: Any) -> None: ...

class RtxEngine:
    def create_runtime_config(self) -> RtxRuntimeConfig: ...
    def create_execution_context(self, runtime_config: RtxRuntimeConfig, /) -> Context | None: ...

class TensorRt:
    __version__: str
    Builder: type[tensorrt.Builder]
    OnnxParser: type[tensorrt.OnnxParser]
    Runtime: type[tensorrt.Runtime]
    # What is derived from these is checked when it runs.
    ILogger: Any
    IProgressMonitor: Any
    BuilderFlag: type[tensorrt.BuilderFlag]
    ExecutionContextAllocationStrategy: type[tensorrt.ExecutionContextAllocationStrategy]
    HardwareCompatibilityLevel: type[tensorrt.HardwareCompatibilityLevel]
    MemoryPoolType: type[tensorrt.MemoryPoolType]
    NetworkDefinitionCreationFlag: type[tensorrt.NetworkDefinitionCreationFlag]
    # TensorRT-RTX's alone.
    ComputeCapability: Enumeration
    DynamicShapesKernelSpecializationStrategy: Any
