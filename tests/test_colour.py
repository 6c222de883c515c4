"""Frames in colour through luma models: whatever runs the network, the result is the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import restore_rt
from restore_rt.errors import RestoreError
from tests.networks import MakeModel
from tests.pixels import random_frame


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_both_backends_make_the_same_of_rgb_through_luma(
    make_model: MakeModel, rng: np.random.Generator, dtype: type
) -> None:
    frame = random_frame(rng, (37, 53, 3), dtype)
    path = make_model([np.full((outputs, 1, 3, 3), 1 / 9) for outputs in (1, 4)], scale=2)
    with (
        restore_rt.load(path, backend="native") as native,
        restore_rt.load(path, backend="onnxruntime") as tiled,
    ):
        most = 1e-6 if dtype is np.float32 else 1
        difference = native(frame).astype(np.float64) - tiled(frame)
        assert np.abs(difference).max() <= most
        assert native.stages.seconds.keys() == {"network"}
        assert tiled.stages.seconds.keys() == {"split", "network", "merge", "chroma"}


@pytest.mark.parametrize("backend", ["native", "onnxruntime"])
def test_infinity_in_a_channel_is_never_delivered(make_model: MakeModel, backend: Any) -> None:
    """Luma is finite here, and the difference of two channels is not."""
    frame = np.zeros((20, 20, 3), np.float32)
    frame[10, 10] = (3e38, -3e38, 0)
    path = make_model([np.full((4, 1, 1, 1), 1e-3)], scale=2)
    with (
        restore_rt.load(path, backend=backend) as restorer,
        pytest.raises(RestoreError, match="infinity"),
    ):
        restorer(frame)
