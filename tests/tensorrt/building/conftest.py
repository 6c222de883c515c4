"""A small model, and a GPU that is not there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from restore_rt.gpu.properties import Gpu
from restore_rt.tensorrt.building import build as building
from tests.networks import save_model

ADA = Gpu("NVIDIA GeForce RTX 4070", (8, 9))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Return an .onnx file with two convolutions, luma twice as large."""
    rng = np.random.default_rng(3)
    kernels = [rng.normal(size=(8, 1, 3, 3)), rng.normal(size=(4, 8, 3, 3))]
    return save_model(tmp_path / "model.onnx", kernels, scale=2, tile=(48, 64))


@pytest.fixture
def ada(monkeypatch: pytest.MonkeyPatch) -> Gpu:
    """Let the GPU at hand be of compute capability 8.9."""
    monkeypatch.setattr(building, "find_gpu", lambda: ADA)
    return ADA


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let there be none."""
    monkeypatch.setattr(building, "find_gpu", lambda: None)
