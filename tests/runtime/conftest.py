"""Model files and random numbers for the tests of the runtime."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from restore_rt import opening
from restore_rt.native.network import UnsupportedError
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


@pytest.fixture
def tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let networks run in tiles, as those do that the native backend cannot run."""

    def refuse(*_: object, **__: object) -> None:
        raise UnsupportedError("the native backend is not to be used")

    monkeypatch.setattr(opening, "open_native", refuse)


@pytest.fixture(params=["native", "tiles"])
def either_way(request: pytest.FixtureRequest) -> None:
    """Run with the native backend, and with tiles."""
    if request.param == "tiles":
        request.getfixturevalue("tiles")
