"""A module in the place of ``tensorrt``, which needs a GPU: it notes how it is used.

It shows that the calls are those that version 10 and version 11 take, not that TensorRT likes the
network.
"""

from __future__ import annotations

from types import ModuleType, SimpleNamespace
from typing import Any, cast

from restore_rt.tensorrt.library import Library

STEPS = 8


class FakeTensorRt(ModuleType):
    """The module.

    Parameters
    ----------
    version
        ``"10.16.0"`` or ``"11.4.0"``, which have different flags.
    parses, builds
        Whether parser and builder succeed; else they say ``errors``.
    takes_cache
        Whether a timing cache is of this device.

    Attributes
    ----------
    seen
        What was asked of it, by what.
    """

    def __init__(
        self,
        version: str = "11.4.0",
        *,
        parses: bool = True,
        builds: bool = True,
        takes_cache: bool = True,
        errors: tuple[str, ...] = (),
    ) -> None:
        super().__init__("tensorrt")
        self.__version__ = version
        self.seen: dict[str, Any] = {}
        self.parses, self.builds, self.takes_cache = parses, builds, takes_cache
        self.errors = errors
        self.has_targets = False
        weakly = {"FP16": 0, "INT8": 1} if version.startswith("10.") else {}
        self.BuilderFlag = SimpleNamespace(__members__={**weakly, "TF32": 7})
        flags = {"EXPLICIT_BATCH": 0, "STRONGLY_TYPED": 1} if weakly else {}
        self.NetworkDefinitionCreationFlag = SimpleNamespace(**flags)
        self.MemoryPoolType = SimpleNamespace(WORKSPACE="workspace")
        levels = ("NONE", "AMPERE_PLUS", "SAME_COMPUTE_CAPABILITY")
        self.HardwareCompatibilityLevel = SimpleNamespace(
            __members__={name: f"level {name}" for name in levels}
        )
        self.ILogger, self.IProgressMonitor = _Logger, _Monitor

    def library(self) -> Library:
        """Return it as it would have been opened."""
        return Library("tensorrt", self.__version__, cast(Any, self))

    def plan(self) -> bytes:
        """Return what a build gives."""
        return b"plan" * 100

    def Builder(self, logger: Any) -> _Builder:  # noqa: N802
        return _Builder(self, logger)

    def OnnxParser(self, network: Any, logger: Any) -> _Parser:  # noqa: N802
        return _Parser(self)


class _Logger:
    Severity = SimpleNamespace(INTERNAL_ERROR=0, ERROR=1, WARNING=2)

    def log(self, severity: int, msg: str) -> None:
        raise AssertionError("to be overridden")


class _Monitor:
    def step_complete(self, phase_name: str, step: int) -> bool:
        raise AssertionError("to be overridden")


class _Memory(bytes):
    @property
    def nbytes(self) -> int:
        return len(self)


class _Builder:
    def __init__(self, module: FakeTensorRt, logger: Any) -> None:
        self._module, self._logger = module, logger

    def create_network(self, flags: int = 0) -> Any:
        self._module.seen["flags"] = flags
        return SimpleNamespace(num_inputs=1)

    def create_builder_config(self) -> _Config:
        return _Config(self._module)

    def create_optimization_profile(self) -> Any:
        def set_shape(name: str, *shapes: tuple[int, ...]) -> None:
            self._module.seen["shapes"] = name, shapes

        return SimpleNamespace(set_shape=set_shape)

    def build_serialized_network(self, network: Any, config: _Config) -> _Memory | None:
        module = self._module
        module.seen["level"] = config.hardware_compatibility_level
        monitor = config.progress_monitor
        monitor.phase_start("Building", None, STEPS)
        module.seen["steps"] = 0
        going = True
        while going and module.seen["steps"] < STEPS:
            module.seen["steps"] += 1
            going = monitor.step_complete("Building", module.seen["steps"])
        monitor.phase_finish("Building")
        if not (going and module.builds):
            self._logger.log(2, "a warning")
            for text in module.errors:
                self._logger.log(1, text)
            return None
        return _Memory(module.plan())


class _Config:
    def __init__(self, module: FakeTensorRt) -> None:
        self._module = module
        self.progress_monitor: Any = None
        self.hardware_compatibility_level: Any = None
        self.num_compute_capabilities = 0

    def clear_flag(self, flag: Any) -> None:
        self._module.seen["cleared"] = flag

    def set_memory_pool_limit(self, pool: Any, pool_size: int) -> None:
        self._module.seen["limit"] = pool, pool_size

    def add_optimization_profile(self, profile: Any) -> int:
        return 0

    def create_timing_cache(self, serialized_timing_cache: bytes) -> Any:
        self._module.seen["timing"] = serialized_timing_cache
        return SimpleNamespace(serialize=lambda: _Memory(serialized_timing_cache + b"+measured"))

    def set_timing_cache(self, cache: Any, ignore_mismatch: bool) -> bool:
        assert not ignore_mismatch
        return self._module.takes_cache

    def set_compute_capability(self, compute_capability: Any, index: int) -> bool:
        assert self._module.has_targets, "TensorRT has no such call"
        self._module.seen["capability"] = compute_capability, index
        return True


class _Parser:
    def __init__(self, module: FakeTensorRt) -> None:
        self._module = module

    @property
    def num_errors(self) -> int:
        return 0 if self._module.parses else 1

    def parse(self, model: bytes) -> bool:
        self._module.seen["model"] = model
        return self._module.parses

    def get_error(self, index: int) -> Any:
        return SimpleNamespace(
            desc=lambda: "it is not liked", node=lambda: 3, node_name=lambda: "conv_3",
            node_operator=lambda: "Conv",
        )  # fmt: skip
