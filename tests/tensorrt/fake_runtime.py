"""TensorRT with a runtime: plans hold their network, which ONNX Runtime runs on the CPU.

It shows that the calls come in an order that TensorRT takes, and what is done with the results;
not that TensorRT takes the network. Addresses of device memory are those of host memory.
"""

from __future__ import annotations

import ast
import threading
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import onnx
import onnxruntime

from restore_rt.tensorrt.library import Library
from tests.gpu.fake_gpu import at, depth_here, stream_at
from tests.tensorrt.building.fake_tensorrt import FakeTensorRt

_MARK = b"plan of "


class FakeRuntime(FakeTensorRt):
    """The module.

    Parameters
    ----------
    version
        See ``FakeTensorRt``.
    name
        ``"tensorrt"`` or ``"rtx"``.

    Attributes
    ----------
    builds_done, depth_of_build
        How many plans were built, and how often a context was pushed where the last one was.
    contexts
        All that were made.
    refuses
        A call that fails, with what is said of it.
    refused_plans, reason
        How many of the plans to come are not taken, and what is said of them.
    """

    def __init__(self, version: str = "11.4.0", *, name: str = "tensorrt") -> None:
        super().__init__(version)
        self.name = name
        self.builds_done = 0
        self.depth_of_build = -1
        self.contexts: list[FakeContext] = []
        self.refuses: tuple[str, str] = ("", "")
        self.refused_plans, self.reason = 0, "the plan is not liked"
        self.logger: Any = None
        strategies = {"STATIC": 0, "ON_PROFILE_CHANGE": 1, "USER_MANAGED": 2}
        self.ExecutionContextAllocationStrategy = SimpleNamespace(**strategies)
        self.building = threading.Lock()
        self.has_targets = name == "rtx"
        if name == "rtx":
            self.ComputeCapability = SimpleNamespace(__members__={"SM86": 86, "SM89": 89})
            self.DynamicShapesKernelSpecializationStrategy = SimpleNamespace(LAZY=0, EAGER=1)

    def library(self) -> Library:
        return Library(self.name, self.__version__, cast(Any, self))

    def plan(self) -> bytes:
        assert self.building.acquire(blocking=False), "two builds at once"
        self.builds_done += 1
        self.depth_of_build = depth_here()
        number = self.builds_done.to_bytes(4, "little")
        self.building.release()
        profile = onnx.StringStringEntryProto(key="profile", value=repr(self.seen["shapes"]))
        held = onnx.ModelProto.FromString(self.seen["model"])
        held.metadata_props.append(profile)
        blob: bytes = held.SerializeToString()
        return _MARK + number + blob

    def Runtime(self, logger: Any) -> Any:  # noqa: N802
        self.logger = logger

        def deserialize(plan: bytes) -> FakeEngine | None:
            assert depth_here()
            if self.refused_plans:
                self.refused_plans -= 1
                logger.log(1, self.reason)
                return None
            assert plan.startswith(_MARK)
            return FakeEngine(self, plan[len(_MARK) + 4 :])

        return SimpleNamespace(deserialize_cuda_engine=deserialize)

    def allows(self, call: str) -> bool:
        assert depth_here()
        if self.refuses[0] == call:
            self.logger.log(1, self.refuses[1])
            return False
        return True


class FakeEngine:
    """ICudaEngine."""

    num_io_tensors = 2

    def __init__(self, module: FakeRuntime, blob: bytes) -> None:
        self.module = module
        model = onnx.ModelProto.FromString(blob)
        self.profile = ast.literal_eval(model.metadata_props[-1].value)[1]
        self.session = onnxruntime.InferenceSession(blob, providers=["CPUExecutionProvider"])

    def get_tensor_name(self, index: int) -> str:
        return ("x", "y")[index]

    def create_runtime_config(self) -> Any:
        assert self.module.name == "rtx"
        config = SimpleNamespace(strategy=0, dynamic_shapes_kernel_specialization_strategy=0)
        config.set_execution_context_allocation_strategy = lambda value: setattr(
            config, "strategy", value
        )
        return config

    def create_execution_context(self, how: Any) -> FakeContext | None:
        if self.module.name == "rtx":
            assert how.dynamic_shapes_kernel_specialization_strategy == 1
            how = how.strategy
        assert how == 2, "the memory is to be ours"
        if not self.module.allows("create_execution_context"):
            return None
        context = FakeContext(self)
        self.module.contexts.append(context)
        return context


class FakeContext:
    """IExecutionContext; refuses calls that come too early."""

    def __init__(self, engine: FakeEngine) -> None:
        self.engine, self.module = engine, engine.module
        self.waited_for = -1
        self.shape: tuple[int, ...] = ()
        self.needs = -1
        self.memory = (0, -1)
        self.addresses: dict[str, int] = {}
        self.told = 0

    def set_optimization_profile_async(self, index: int, handle: int) -> bool:
        assert index == 0
        self.waited_for = stream_at(handle).waits + 1
        self.handle = handle
        return self.module.allows("set_optimization_profile_async")

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        assert name == "x"
        assert stream_at(self.handle).waits == self.waited_for, "the profile is not there yet"
        low, _, high = self.engine.profile
        if not all(a <= b <= c for a, b, c in zip(low, shape, high, strict=True)):
            return False
        self.shape = shape
        return self.module.allows("set_input_shape")

    def infer_shapes(self) -> list[str]:
        return [] if self.module.allows("infer_shapes") else ["x"]

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        assert name == "y"
        count, channels, height, width = self.shape
        return count, channels, 2 * height, 2 * width

    def update_device_memory_size_for_shapes(self) -> int:
        assert self.shape
        self.needs = 1000 * int(np.prod(self.shape))
        return self.needs

    def set_device_memory(self, memory: int, size: int) -> None:
        assert memory % 256 == 0
        assert size >= self.needs > 0
        self.memory = memory, size

    def set_tensor_address(self, name: str, memory: int) -> bool:
        assert memory % 256 == 0
        self.told += 1
        self.addresses[name] = memory
        return self.module.allows("set_tensor_address")

    def is_stream_capturable(self, stream: int) -> bool:
        assert self.module.name == "rtx"
        return self.module.allows("is_stream_capturable")

    def execute_async_v3(self, stream_handle: int) -> bool:
        assert self.memory[1] == self.needs
        assert self.addresses.keys() == {"x", "y"}
        if not self.module.allows("execute_async_v3"):
            return False
        source, target, session = self.addresses["x"], self.addresses["y"], self.engine.session
        kind = session.get_inputs()[0].type
        dtype = np.float16 if "16" in kind else np.float32

        def work() -> None:
            # It works in the memory that it was given.
            at(self.memory[0], (self.memory[1],), np.uint8)[...] = 0x5A
            (made,) = session.run(["y"], {"x": at(source, self.shape, dtype)})
            at(target, made.shape, dtype)[...] = made

        stream_at(stream_handle).queue.append(work)
        return True
