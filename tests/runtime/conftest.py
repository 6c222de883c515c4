"""Model files and random numbers for the tests of the runtime."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from restore_rt.manifest import Manifest, weights_sha256, write_manifest
from tests.networks import Kernels, network

MakeModel = Callable[..., Path]


@pytest.fixture
def make_model(tmp_path: Path) -> MakeModel:
    """Return a function that writes a model file."""

    def make(
        kernels: Kernels,
        *,
        scale: int = 1,
        manifest: bool = True,
        file: str = "model",
        size: tuple[int | str, ...] = ("n", "h", "w"),
        **fields: Any,
    ) -> Path:
        model = network(kernels, scale, size)
        if manifest:
            described: dict[str, Any] = {
                "name": file,
                "version": "1",
                "task": "upscale",
                "content": "photo",
                "scale": scale,
                "colour": "luma" if kernels[0].shape[1] == 1 else "rgb",
                "halo": sum(kernel.shape[2] // 2 for kernel in kernels),
                "tile": (64, 64),
                "sha256": weights_sha256(model),
                "trained_on": "nothing",
                "licence": "Apache-2.0",
                "recipe": "",
            }
            write_manifest(model, Manifest(**(described | fields)))
        path = tmp_path / f"{file}.onnx"
        onnx.save(model, path)
        return path

    return make


@pytest.fixture
def rng() -> np.random.Generator:
    """Return a seeded generator."""
    return np.random.default_rng(7)
