"""Stands in for a library that runs networks on a GPU: the CPU computes when the stream does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto

from restore_rt import gpu_opening as opening
from restore_rt.errors import OutOfMemoryError
from restore_rt.model.graph import inputs_of
from restore_rt.model.precision import widen
from restore_rt.tiled.session import OnnxRuntimeBackend
from tests.gpu.emulator import Emulator

__all__ = ["Stage", "StandIn"]

Array = NDArray[Any]
Spoil = Callable[[Array, bool], Array]


class StandIn:
    """A backend on an emulated GPU; see ``DeviceBackend``."""

    name = "onnxruntime"

    def __init__(self, stage: Stage, model: onnx.ModelProto, stream: Any) -> None:
        half = inputs_of(model)[0].type.tensor_type.elem_type == TensorProto.FLOAT16
        self.dtype: np.dtype[Any] = np.dtype(np.float16 if half else np.float32)
        self.capturable = stage.capturable
        self.description = f"a stand-in, {'fp16' if half else 'fp32'}"
        self.prepared: list[tuple[int, ...]] = []
        self.calls = 0
        self.closed = False
        self._stage, self._stream = stage, stream
        self._network = OnnxRuntimeBackend(widen(model), threads=1)

    def prepare(self, shape: tuple[int, int, int, int]) -> None:
        if shape[0] * shape[2] * shape[3] > self._stage.most_pixels:
            raise OutOfMemoryError(f"too little memory for {shape}")
        if shape not in self.prepared:
            self.prepared.append(shape)

    def enqueue(self, tiles: Any, out: Any) -> None:
        assert tiles.shape in self.prepared
        assert tiles.pointer % 256 == out.pointer % 256 == 0
        assert tiles.dtype == out.dtype == self.dtype
        assert tiles.is_contiguous
        assert out.is_contiguous
        self.calls += 1
        emulator = self._stage.emulator
        source, target = emulator.array(tiles), emulator.array(out)

        def run() -> None:
            given = source.astype(np.float32)
            result = np.empty(target.shape, np.float32)
            self._network.run(given, result)
            target[...] = self._stage.spoil(result, self.dtype == np.float16)

        emulator.enqueue(self._stream.handle, run)

    def release(self, shape: tuple[int, int, int, int] | None = None) -> None:
        self.prepared = [kept for kept in self.prepared if shape not in (None, kept)]

    def close(self) -> None:
        self.closed = True
        self._network.close()


class Stage:
    """An emulated GPU with stand-ins in place of libraries.

    Attributes
    ----------
    opened
        The stand-ins, in the order in which they were opened.
    capturable
        Of those to come.
    most_pixels
        Of a batch of tiles that they take.
    spoil
        Is given each result, and whether it is fp16's, and returns it changed.
    """

    def __init__(self, emulator: Emulator, patch: pytest.MonkeyPatch) -> None:
        self.emulator = emulator
        self.opened: list[StandIn] = []
        self.capturable = True
        self.most_pixels = 1 << 30
        self.spoil: Spoil = lambda result, half: result
        patch.setattr(opening, "open_device_backend", self._open)
        patch.setattr(opening, "missing_for", lambda backend: [])

    def _open(self, model: onnx.ModelProto, manifest: Any, *, stream: Any, **_: Any) -> StandIn:
        made = StandIn(self, model, stream)
        self.opened.append(made)
        return made
