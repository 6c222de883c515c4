"""A model that repeats pixels: what should survive does, bit for bit."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from restore_rt.manifest import Manifest, weights_sha256, write_manifest
from tests.networks import nearest, network


@pytest.fixture(scope="session")
def nearest_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an .onnx file that enlarges RGB twice by repeating pixels."""
    model = network(nearest(3, 2), 2)
    manifest = Manifest(
        name="nearest-x2",
        version="1",
        task="upscale",
        content="photo",
        scale=2,
        colour="rgb",
        halo=0,
        tile=(64, 64),
        sha256=weights_sha256(model),
        trained_on="nothing",
        licence="Apache-2.0",
        recipe="",
    )
    write_manifest(model, manifest)
    path = tmp_path_factory.mktemp("model") / "nearest-x2.onnx"
    onnx.save(model, path)
    return path
