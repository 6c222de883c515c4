"""Compilation of a network into a plan by TensorRT's parser and builder."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from restore_rt.errors import EngineError, ModelError
from restore_rt.tensorrt.building.messages import Log, explain, log_of, parser_errors
from restore_rt.tensorrt.building.network import Network
from restore_rt.tensorrt.building.running import Steps, make_monitor, run_apart
from restore_rt.tensorrt.building.target import Target
from restore_rt.tensorrt.library import Library
from restore_rt.tensorrt.profile import Profile

if TYPE_CHECKING:
    from restore_rt.tensorrt import api

__all__ = ["Plan", "build_plan"]

# A library has one log, so one build at a time can tell what is said of it.
_BUILDING = threading.Lock()


@dataclass(frozen=True)
class Plan:
    """The builder's result: the engine, and its measurements (empty without a timing cache)."""

    blob: bytes
    timing: bytes


def build_plan(
    library: Library,
    network: Network,
    profile: Profile,
    target: Target,
    *,
    workspace: int | None = None,
    timing: bytes | None = None,
    follow: Callable[[], None] = lambda: None,
    active: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> Plan:
    """Build a plan.

    Parameters
    ----------
    library, network, profile, target
        Library, network, sizes and target of the plan.
    workspace
        Limit of a layer's working memory in bytes; None for the library's own limit.
    timing
        Earlier measurements; ``b""`` for a new timing cache, None for no timing cache.
    follow
        Called after each of the builder's steps, whose number is not known in advance; an exception
        stops the build.
    active
        Returns a context in which the GPU to build on is current; entered in the thread that the
        library works in. By default the first GPU.

    Raises
    ------
    ModelError
        The parser refuses the network; the message names the node.
    EngineError
        The builder fails.
    KeyboardInterrupt
        Ctrl-C stopped the build.
    """
    steps = Steps(follow)

    def work() -> Plan:
        with _BUILDING, active():
            log = log_of(library)
            log.errors.clear()
            try:
                return _build(library, network, profile, target, workspace, timing, steps, log)
            except MemoryError as error:
                raise EngineError(
                    f"{library} ran out of memory while building {network.path}: give a smaller "
                    "profile, or end other programs"
                ) from error

    return run_apart(work, steps.stop)


def _build(
    library: Library,
    network: Network,
    profile: Profile,
    target: Target,
    workspace: int | None,
    timing: bytes | None,
    steps: Steps,
    log: Log,
) -> Plan:
    trt = library.module
    builder = trt.Builder(log.logger)
    definition = builder.create_network(_typed_flags(trt))
    parser = trt.OnnxParser(definition, log.logger)
    if not parser.parse(network.blob):
        reasons = parser_errors(parser) or log.errors
        raise ModelError(f"{library} does not take {network.path}: {explain(reasons)}")
    config = builder.create_builder_config()
    config.progress_monitor = make_monitor(trt, steps)
    # fp32 is to be fp32: TF32 has fp16's mantissa, and who wants that takes fp16.
    config.clear_flag(trt.BuilderFlag.__members__["TF32"])
    target.apply(library, config)
    if workspace is not None:
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, workspace)
    cache = _use_cache(config, timing, library)
    shapes = builder.create_optimization_profile()
    wanted = [network.input_shape(shape) for _, shape in profile.named()]
    shapes.set_shape(network.input.name, *wanted)
    if config.add_optimization_profile(shapes) < 0:
        raise EngineError(f"{library} refuses the profile {profile}: {explain(log.errors)}")
    plan = builder.build_serialized_network(definition, config)
    if steps.error is not None:
        raise steps.error
    if plan is None:
        raise EngineError(
            f"{library} cannot build {network.path} for {target.name} with the profile {profile}: "
            f"{explain(log.errors)}"
        )
    return Plan(bytes(plan), b"" if cache is None else bytes(cache.serialize()))


def _typed_flags(trt: api.TensorRt) -> int:
    """Return the flags of a network whose types are those of the graph.

    A builder that can choose other types, which its FP16 flag shows, needs a flag for strong
    typing.
    """
    if "FP16" not in trt.BuilderFlag.__members__:
        return 0
    return 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)


def _use_cache(
    config: api.Config, timing: bytes | None, library: Library
) -> api.TimingCache | None:
    if timing is None:
        return None
    cache = config.create_timing_cache(timing)
    # Measurements of another device would choose wrong tactics: never ignore a mismatch.
    if cache is None or not config.set_timing_cache(cache, False):
        raise EngineError(f"{library} refuses the timing cache; remove it or name another file")
    return cache
