"""A GPU that is not there, small networks, and a cache of their own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from restore_rt.model.manifest import Manifest, read_manifest
from tests.backends.stand_ins import Gpu
from tests.networks import save_model


@pytest.fixture
def gpu() -> Gpu:
    """Return a GPU of compute capability 8.9."""
    return Gpu()


@pytest.fixture
def model(tmp_path: Path) -> onnx.ModelProto:
    """Return a network with two convolutions, luma twice as large."""
    rng = np.random.default_rng(3)
    kernels = [rng.normal(size=(8, 1, 3, 3)) / 9, rng.normal(size=(4, 8, 3, 3)) / 36]
    return onnx.load(save_model(tmp_path / "small.onnx", kernels, scale=2, tile=(48, 64)))


@pytest.fixture
def manifest(model: onnx.ModelProto) -> Manifest:
    """Return what it says of itself."""
    found = read_manifest(model)
    assert found is not None
    return found


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of engines, which does not exist yet."""
    monkeypatch.setenv("RESTORE_RT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "engines"
