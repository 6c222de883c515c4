from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from restore_rt.export import halo
from restore_rt.export.conversion import measure_multiple
from restore_rt.export.halo import Halo, ReachError, find_halo, measure_effect, measure_halo
from restore_rt.export.samples import synthetic_samples
from restore_rt.model import registry as zoo
from restore_rt.model.manifest import read_manifest
from restore_rt.training.networks import build, fold
from restore_rt.training.recipes import parse_recipe


@pytest.mark.parametrize(("depth", "scale", "colour"), [(2, 3, "rgb"), (5, 1, "luma")])
def test_halo_of_a_stack_of_convolutions_is_its_depth(depth: int, scale: int, colour: str) -> None:
    torch.manual_seed(depth)
    network = build("compact", width=6, depth=depth, scale=scale, colour=colour)
    samples = [torch.from_numpy(s) for s in synthetic_samples(3 if colour == "rgb" else 1)[:2]]
    assert measure_halo(network, samples, scale=scale) == depth


def test_the_shipped_model_looks_as_far_as_it_says() -> None:
    path = zoo.path_of("video-x2")
    model = onnx.load(path)
    manifest = read_manifest(model)
    assert manifest is not None
    net = parse_recipe(manifest.recipe).network
    network = fold(build(net.name, scale=net.scale, colour=net.colour, **net.params))
    arrays = {t.name: onnx.numpy_helper.to_array(t).copy() for t in model.graph.initializer}
    network.load_state_dict({name: torch.from_numpy(a) for name, a in arrays.items()})

    # The network just built is the one in the file.
    (sample, *_) = synthetic_samples(1)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (shipped,) = session.run(["y"], {"x": sample})
    with torch.no_grad():
        assert np.allclose(shipped, network(torch.from_numpy(sample)), atol=1e-5)

    assert measure_multiple(network, 1, net.scale) == manifest.multiple
    found = find_halo(network, 1, scale=net.scale, multiple=manifest.multiple)
    assert found == Halo(manifest.halo, exact=True)


def test_a_reach_along_one_axis_counts() -> None:
    network = nn.Conv2d(1, 1, (1, 11), padding=(0, 5))
    assert measure_halo(network, [torch.rand(1, 1, 40, 40)], scale=1) == 5


class Mean(nn.Module):
    """Looks at all of the picture."""

    def forward(self, x: Tensor) -> Tensor:
        return x + x.mean(dim=(2, 3), keepdim=True)


def test_a_reach_to_the_edge_is_an_error() -> None:
    with pytest.raises(ReachError, match="to the edge of a 40x40 sample"):
        measure_halo(Mean(), [torch.rand(1, 1, 40, 40)], scale=1)
    with pytest.raises(ReachError, match="776x1048; such a network cannot run on tiles"):
        find_halo(Mean(), 1, scale=1, multiple=1)


def test_samples_grow_until_the_halo_fits() -> None:
    torch.manual_seed(0)
    network = nn.Conv2d(1, 1, (1, 121), padding=(0, 60))
    assert find_halo(network, 1, scale=1, multiple=1) == Halo(60, exact=True)


class Folds(nn.Module):
    """A 3x3 convolution of blocks of pixels."""

    def __init__(self, block: int) -> None:
        super().__init__()
        self.block = block
        self.layer = nn.Conv2d(block**2, block**2, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        folded = self.layer(nn.functional.pixel_unshuffle(x, self.block))
        return nn.functional.pixel_shuffle(folded, self.block)


@pytest.mark.parametrize("multiple", [1, 4])
def test_multiple_is_found_by_trying(multiple: int) -> None:
    assert measure_multiple(Folds(multiple), 1, 1) == multiple


@pytest.mark.parametrize("seed", range(5))
def test_halo_counts_the_pixels_of_a_block_that_look_furthest(seed: int) -> None:
    torch.manual_seed(0)
    sample = torch.rand(1, 1, 64, 80)
    # From the first pixel of a block to the last one of the next.
    assert measure_halo(Folds(8), [sample], scale=1, multiple=8, seed=seed) == 15


class Fading(nn.Module):
    """Looks 40 pixels far along each axis, at weights that halve with every pixel."""

    def __init__(self) -> None:
        super().__init__()
        distances = torch.arange(-40, 41).abs()
        line = 0.5**distances
        self.line = nn.Parameter((line / line.sum()).view(1, 1, 1, -1))

    def forward(self, x: Tensor) -> Tensor:
        along = nn.functional.conv2d(x, self.line, padding=(0, 40))
        both = nn.functional.conv2d(along, self.line.transpose(2, 3), padding=(40, 0))
        return nn.functional.interpolate(both, scale_factor=2.0, mode="nearest")


def test_an_effective_halo_is_how_far_what_is_seen_matters() -> None:
    samples = [torch.from_numpy(s) for s in synthetic_samples(1, size=(192, 192))[:3]]
    found = measure_effect(Fading(), samples, scale=2)
    # Beyond d pixels to one side lies a third of 2^-d of the weight, and in a corner twice that.
    assert 5 <= found <= 9
    assert measure_halo(Fading(), samples[:1], scale=2) == 40


def test_a_large_network_gets_an_effective_halo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(halo, "MOST_PARAMETERS", 80)
    found = find_halo(Fading(), 1, scale=2, multiple=4)
    assert not found.exact
    assert 5 <= found.pixels <= 9
    everywhere = Mean()
    everywhere.weights = nn.Parameter(torch.zeros(100))
    with pytest.raises(ReachError, match=r"96 pixels away still changes .* cannot run on tiles"):
        find_halo(everywhere, 1, scale=1, multiple=1)
