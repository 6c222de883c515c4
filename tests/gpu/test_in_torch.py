"""The networks in PyTorch, which figures of a GPU stand beside: on the CPU they are the same."""

from __future__ import annotations

import numpy as np
import pytest

import restore_rt
from tests.gpu.in_torch import InTorch, load_network, run_in_torch
from tests.pixels import random_frame

torch = pytest.importorskip("torch")


@pytest.mark.parametrize(
    ("model", "shape"), [("video-x2-fast", (40, 57)), ("photo-x2", (33, 40, 3))]
)
def test_a_picture_is_what_the_cpu_makes(model: str, shape: tuple[int, ...]) -> None:
    frame = random_frame(np.random.default_rng(0), shape, np.uint8)
    made = run_in_torch(load_network(model), torch.from_numpy(frame)).numpy()
    with restore_rt.load(model, device="cpu") as restorer:
        expected = restorer(frame)
    assert made.shape == expected.shape
    assert np.abs(made.astype(int) - expected).max() <= 1


@pytest.mark.skipif(torch.cuda.is_available(), reason="PyTorch sees a GPU")
def test_without_a_gpu_it_says_so() -> None:
    with pytest.raises(RuntimeError, match="sees no GPU"):
        InTorch("video-x2-fast", np.zeros((8, 8), np.uint8))
