"""Models that repeat pixels: what should survive does, bit for bit."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.networks import nearest, save_model


@pytest.fixture(scope="session")
def nearest_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an .onnx file that enlarges RGB twice by repeating pixels."""
    path = tmp_path_factory.mktemp("model") / "nearest-x2.onnx"
    return save_model(path, nearest(3, 2), scale=2)


@pytest.fixture(scope="session")
def luma_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an .onnx file that enlarges luma twice by repeating pixels."""
    path = tmp_path_factory.mktemp("model") / "nearest-luma-x2.onnx"
    return save_model(path, nearest(1, 2), scale=2, content="video")
