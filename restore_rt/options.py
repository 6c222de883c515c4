"""The options of ``restore_rt.load``: which values are allowed, and which exclude each other."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Literal

from restore_rt.chroma import BICUBIC
from restore_rt.errors import InputError
from restore_rt.model.manifest import COLOURS, MOST_SCALE
from restore_rt.progress import Progress, silent
from restore_rt.threads import thread_count

__all__ = ["BACKENDS", "PRECISIONS", "Backend", "Colour", "LoadOptions", "Precision"]

Backend = Literal["auto", "native", "onnxruntime", "tensorrt"]
Precision = Literal["auto", "fp32", "fp16", "bf16"]
Colour = Literal["rgb", "luma"]

BACKENDS = ("auto", "native", "onnxruntime", "tensorrt")
PRECISIONS = ("auto", "fp32", "fp16", "bf16")
_DEVICE = re.compile(r"auto|cpu|cuda(:[0-9]{1,3})?", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class LoadOptions:
    """The keyword options of ``restore_rt.load``, which describes them; checked when made.

    Raises
    ------
    InputError
        A value is not allowed, or two exclude each other.
    """

    device: str = "auto"
    backend: str = "auto"
    precision: str = "auto"
    tile: int | tuple[int, int] | None = None
    overlap: int | None = None
    feather: int | None = None
    batch: int = 1
    threads: int | None = None
    memory_limit: int | None = None
    scale: int | None = None
    colour: str | None = None
    chroma: str | os.PathLike[str] = BICUBIC
    allow_bf16: bool = False
    allow_cpu_nodes: bool = False
    progress: Progress = silent

    def __post_init__(self) -> None:
        """Check each option by itself, then those that exclude each other."""
        if not isinstance(self.device, str) or not _DEVICE.fullmatch(self.device):
            raise InputError(
                f"device is {self.device!r}; allowed are auto, cpu, cuda, and cuda:N for the GPU "
                "with number N"
            )
        for name, allowed in (("backend", BACKENDS), ("precision", PRECISIONS)):
            if getattr(self, name) not in allowed:
                raise InputError(
                    f"{name} is {getattr(self, name)!r}; allowed are {', '.join(allowed)}"
                )
        tile = (self.tile, self.tile) if isinstance(self.tile, int) else self.tile
        if tile is not None and not (
            isinstance(tile, tuple | list)
            and len(tile) == 2
            and all(_is_count(side) for side in tile)
        ):
            raise InputError(
                f"tile is {self.tile!r}; it must be one whole number, or two (height and width), "
                "above 0"
            )
        for name, least in (("overlap", 0), ("feather", 0), ("memory_limit", 1), ("batch", 1)):
            value = getattr(self, name)
            if not _is_count(value, least) and (value is not None or name == "batch"):
                raise InputError(f"{name} is {value!r}; it must be a whole number from {least} on")
        if self.scale is not None and not (_is_count(self.scale) and self.scale <= MOST_SCALE):
            raise InputError(
                f"scale is {self.scale!r}; it must be a whole number from 1 to {MOST_SCALE}"
            )
        if self.colour not in (None, *COLOURS):
            raise InputError(f"colour is {self.colour!r}; allowed are {', '.join(COLOURS)}")
        if not isinstance(self.chroma, str | os.PathLike) or not str(self.chroma):
            raise InputError(
                f"chroma is {self.chroma!r}; allowed are 'bicubic', 'network' and the file of a "
                "chroma network"
            )
        thread_count(self.threads)
        self._check_together()

    @property
    def on_cpu(self) -> bool:
        """Whether only the CPU may run the network."""
        return self.device == "cpu" or self.backend == "native" or self.precision == "bf16"

    @property
    def on_gpu(self) -> bool:
        """Whether only a GPU may run the network."""
        on_gpu = self.backend == "tensorrt" or self.precision == "fp16"
        return on_gpu or self.device.startswith("cuda")

    @property
    def gives_tiles(self) -> bool:
        """Whether the caller gave anything about tiles, rather than leaving it to the model."""
        return self.batch != 1 or any(
            value is not None for value in (self.tile, self.overlap, self.feather)
        )

    @property
    def gpu(self) -> int:
        """The number of the GPU, if one runs the network."""
        return int(self.device.partition(":")[2] or 0)

    def _check_together(self) -> None:
        if self.on_cpu:
            why = next(
                f"{name}={value!r}"
                for name, value in (
                    ("device", self.device),
                    ("backend", self.backend),
                    ("precision", self.precision),
                )
                if value in ("cpu", "native", "bf16")
            )
            for name, given in (
                ("device", self.device.startswith("cuda")),
                ("backend", self.backend == "tensorrt"),
                ("precision", self.precision == "fp16"),
                ("memory_limit", self.memory_limit is not None),
                ("allow_cpu_nodes", self.allow_cpu_nodes),
            ):
                if given:
                    raise InputError(
                        f"{name}={getattr(self, name)!r} needs a GPU, and {why} runs on the CPU: "
                        "leave one of them out"
                    )
        if self.on_gpu and self.chroma != BICUBIC:
            raise InputError(
                f"chroma is {str(self.chroma)!r}, which is not built for GPUs yet: leave it out, "
                "or give device='cpu'"
            )
        if self.backend == "native" and self.gives_tiles:
            raise InputError(
                "tile, overlap, feather or batch is given, and backend is 'native', which takes "
                "whole frames: leave them out, or give backend='onnxruntime'"
            )
        if self.precision == "bf16" and self.backend == "onnxruntime":
            raise InputError(
                "precision is 'bf16', which only the native backend computes in, and backend is "
                "'onnxruntime': leave one of them out"
            )


def _is_count(value: object, least: int = 1) -> bool:
    """Tell whether a value is a whole number from ``least`` on."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least
