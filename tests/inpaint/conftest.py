"""What the tests of in-painting share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.inpaint.networks import residual, save_inpainter


@pytest.fixture
def inpainter(tmp_path: Path) -> Path:
    """Return the file of a random network."""
    kernel = np.random.default_rng(5).normal(0, 0.05, (3, 4, 3, 3))
    return save_inpainter(tmp_path / "small.onnx", residual(kernel))


@pytest.fixture
def spots() -> NDArray[Any]:
    """Return a mask for 150x230 with thin lines, spots and a wide hole."""
    mask = np.zeros((150, 230), np.uint8)
    mask[20:23, 10:200] = 255
    mask[60:70, 55:66] = 255
    mask[80:140, 90:160] = 255
    mask[149, 229] = 255
    return mask
