"""Model files and random numbers for the tests of the runtime."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.networks import Kernels, save_model

MakeModel = Callable[..., Path]


@pytest.fixture
def make_model(tmp_path: Path) -> MakeModel:
    """Return a function that writes a model file."""

    def make(kernels: Kernels, **options: Any) -> Path:
        return save_model(tmp_path / "model.onnx", kernels, **options)

    return make


@pytest.fixture
def rng() -> np.random.Generator:
    """Return a seeded generator."""
    return np.random.default_rng(7)
