"""The target of an engine, and the targets that a library can build for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from restore_rt.errors import EngineError, InputError
from restore_rt.gpu.properties import Gpu
from restore_rt.tensorrt.library import Library
from restore_rt.tensorrt.sidecar import AMPERE, EXACT

if TYPE_CHECKING:
    from restore_rt.tensorrt.api import Config, RtxConfig

__all__ = ["Target", "choose_target"]


@dataclass(frozen=True)
class Target:
    """A target, and the library's settings for it.

    Attributes
    ----------
    name
        The target's name in the sidecar.
    gpu
        The GPU that the builder runs on; None if no GPU is needed.
    capability
        Member of ``ComputeCapability``, for TensorRT-RTX.
    level
        Member of ``HardwareCompatibilityLevel``, for TensorRT.
    """

    name: str
    gpu: Gpu | None
    capability: str | None = None
    level: str | None = None

    def apply(self, library: Library, config: Config) -> None:
        """Configure the builder for the target.

        Raises
        ------
        EngineError
            The builder refuses.
        """
        if self.level is not None:
            levels = library.module.HardwareCompatibilityLevel
            config.hardware_compatibility_level = levels.__members__[self.level]
        if self.capability is not None:
            rtx = cast("RtxConfig", config)
            rtx.num_compute_capabilities = 1
            capability = library.module.ComputeCapability.__members__[self.capability]
            if not rtx.set_compute_capability(capability, 0):
                raise EngineError(f"{library} refuses the target {self.name}")


def choose_target(library: Library, wanted: str | None, gpu: Gpu | None) -> Target:
    """Return the settings for a target.

    Parameters
    ----------
    library
        TensorRT builds on the GPU that the engine runs on, or for similar GPUs; TensorRT-RTX builds
        for every GPU that it supports, without a GPU.
    wanted
        A compute capability as in ``"sm89"``, or ``"ampere+"``; None for this machine's GPU.
    gpu
        This machine's GPU.

    Raises
    ------
    InputError
        The library cannot build for this target.
    EngineError
        TensorRT finds no GPU.
    """
    if wanted is not None:
        wanted = wanted.strip().lower()
        if wanted != AMPERE and not re.fullmatch(r"sm[0-9]{2,3}", wanted):
            raise InputError(
                f"target is {wanted!r}; give a compute capability like sm89, or {AMPERE} (TensorRT "
                "only)"
            )
    if library.name == "rtx":
        return _for_rtx(library, wanted, gpu)
    return _for_tensorrt(library, wanted, gpu)


def _for_rtx(library: Library, wanted: str | None, gpu: Gpu | None) -> Target:
    known = [name for name in library.module.ComputeCapability.__members__ if name[:2] == "SM"]
    known.sort(key=lambda name: int(name[2:]))
    allowed = ", ".join(known).lower()
    if wanted is None and gpu is None:
        raise InputError(
            f"there is no GPU here to build for; say which it is with --target: {allowed}"
        )
    name = wanted or (gpu.target if gpu else "")
    if name.upper() not in known:
        whose = "" if wanted or gpu is None else f", that of {gpu.name}"
        raise InputError(
            f"target is {name}{whose}; {library} builds for {allowed}"
            + ("; for others use --library tensorrt" if name.startswith("sm") else "")
        )
    return Target(name, None, capability=name.upper())


def _for_tensorrt(library: Library, wanted: str | None, gpu: Gpu | None) -> Target:
    if gpu is None:
        raise EngineError(
            f"{library} builds on a GPU of the kind that the engine is to run on, and there is "
            "none here; run it there, or build with --library rtx, which needs none"
        )
    if wanted is None:
        return Target(EXACT, gpu, level="NONE")
    if wanted == AMPERE:
        if gpu.capability < (8, 0):
            raise InputError(
                f"target is {wanted}, which {library} builds on Ampere and later GPUs (sm80 and "
                f"up); this is {gpu}: leave --target out"
            )
        return Target(AMPERE, gpu, level="AMPERE_PLUS")
    if wanted != gpu.target:
        raise InputError(
            f"target is {wanted}, and {library} builds for the GPU at hand, {gpu}: build there, or "
            f"use --target {AMPERE} where both are Ampere or later, or --library rtx"
        )
    level = "SAME_COMPUTE_CAPABILITY"
    if level not in library.module.HardwareCompatibilityLevel.__members__:
        raise InputError(
            f"target is {wanted}, and {library} cannot build for all GPUs of one compute "
            "capability; leave --target out for this GPU alone"
        )
    return Target(wanted, gpu, level=level)
