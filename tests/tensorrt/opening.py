"""Backends of TensorRT over a GPU that is not there, with tiles and what becomes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx

from restore_rt.model.manifest import Manifest
from restore_rt.tensorrt.backend import TensorRtBackend, open_network_backend
from restore_rt.tensorrt.library import Library
from restore_rt.tiled.session import OnnxRuntimeBackend
from tests.gpu import fake_gpu
from tests.tensorrt.fake_runtime import FakeTensorRtWithRuntime

SHAPE = (2, 1, 12, 20)
OTHER = (1, 1, 16, 16)


def opened(
    model: onnx.ModelProto,
    manifest: Manifest,
    gpu: fake_gpu.Gpu,
    folder: Path,
    fake: FakeTensorRtWithRuntime | Library,
    **options: Any,
) -> TensorRtBackend:
    return open_network_backend(
        model,
        manifest,
        library=fake if isinstance(fake, Library) else fake.library(),
        device=gpu.device,
        stream=gpu.stream,
        pool=gpu.pool,
        folder=folder,
        **options,
    )


def tiles_of(shape: tuple[int, ...] = SHAPE, seed: int = 1) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).random(shape, np.float32)


def expected_of(model: onnx.ModelProto, tiles: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    count, channels, height, width = tiles.shape
    out = np.empty((count, channels, 2 * height, 2 * width), np.float32)
    OnnxRuntimeBackend(model, threads=1).run(tiles, out)
    return out
