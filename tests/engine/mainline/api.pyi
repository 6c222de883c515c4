"""Stands in for `restore_rt.engine.api` when mypy checks the calls against TensorRT's own stubs."""

from typing import Any, Protocol

import tensorrt
from tensorrt import Builder as Builder
from tensorrt import IBuilderConfig as Config
from tensorrt import IHostMemory as Memory
from tensorrt import INetworkDefinition as Network
from tensorrt import IOptimizationProfile as OptimizationProfile
from tensorrt import ITimingCache as TimingCache
from tensorrt import OnnxParser as Parser
from tensorrt import ParserError as ParserError

__all__ = [
    "Builder",
    "Config",
    "Enumeration",
    "Memory",
    "Network",
    "OptimizationProfile",
    "Parser",
    "ParserError",
    "RtxConfig",
    "TensorRt",
    "TimingCache",
]

class Enumeration(Protocol):
    __members__: dict[str, Any]

class RtxConfig(Config):
    num_compute_capabilities: int
    def set_compute_capability(self, compute_capability: Any, index: int) -> bool: ...

class TensorRt:
    __version__: str
    Builder: type[tensorrt.Builder]
    OnnxParser: type[tensorrt.OnnxParser]
    # What is derived from these is checked when it runs.
    ILogger: Any
    IProgressMonitor: Any
    BuilderFlag: type[tensorrt.BuilderFlag]
    HardwareCompatibilityLevel: type[tensorrt.HardwareCompatibilityLevel]
    MemoryPoolType: type[tensorrt.MemoryPoolType]
    NetworkDefinitionCreationFlag: type[tensorrt.NetworkDefinitionCreationFlag]
    # TensorRT-RTX's alone.
    ComputeCapability: Enumeration
