from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from restore_rt.errors import ModelError
from restore_rt.export.exporter import measure_multiple
from restore_rt.export.halo import measure_halo
from restore_rt.export.samples import synthetic_samples
from restore_rt.training.networks import build


@pytest.mark.parametrize(("depth", "scale", "colour"), [(2, 3, "rgb"), (5, 1, "luma")])
def test_halo_of_a_stack_of_convolutions_is_its_depth(depth: int, scale: int, colour: str) -> None:
    torch.manual_seed(depth)
    network = build("compact", width=6, depth=depth, scale=scale, colour=colour)
    samples = [torch.from_numpy(s) for s in synthetic_samples(3 if colour == "rgb" else 1)[:2]]
    assert measure_halo(network, samples, scale=scale) == depth


def test_halo_of_video_x2_is_eight() -> None:
    torch.manual_seed(0)
    network = build("compact", width=16, depth=8, scale=2, colour="luma")
    samples = [torch.from_numpy(s) for s in synthetic_samples(1)]
    assert measure_halo(network, samples[:2], scale=2) == 8


def test_a_reach_along_one_axis_counts() -> None:
    network = nn.Conv2d(1, 1, (1, 11), padding=(0, 5))
    assert measure_halo(network, [torch.rand(1, 1, 40, 40)], scale=1) == 5


def test_a_reach_to_the_edge_is_an_error() -> None:
    class Mean(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x + x.mean(dim=(2, 3), keepdim=True)

    with pytest.raises(ModelError, match="to the edge of a 40x40 sample"):
        measure_halo(Mean(), [torch.rand(1, 1, 40, 40)], scale=1)


@pytest.mark.parametrize("multiple", [1, 4])
def test_multiple_is_found_by_trying(multiple: int) -> None:
    class Folds(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            folded = nn.functional.pixel_unshuffle(x, multiple)
            return nn.functional.pixel_shuffle(folded, multiple)

    assert measure_multiple(Folds(), 1, 1) == multiple
