from __future__ import annotations

import pytest
import torch
from torch import nn

from restore_rt.training.networks import build, fold
from restore_rt.training.networks.folding import FoldingConv, Unshuffle


@pytest.mark.parametrize(("inputs", "outputs"), [(1, 4), (3, 5), (6, 6)])
@pytest.mark.parametrize("expand", [1, 4])
def test_branches_forward_and_fold_agree(inputs: int, outputs: int, expand: int) -> None:
    torch.manual_seed(inputs * expand)
    layer = FoldingConv(inputs, outputs, expand=expand)
    with torch.no_grad():
        layer.direct.bias.normal_()  # type: ignore[union-attr]
        x = torch.rand(2, inputs, 7, 9)
        expected = layer.direct(x) + layer.narrow(layer.widen(x))
        torch.testing.assert_close(layer(x), expected, rtol=0, atol=1e-5)
        folded = fold(nn.Sequential(layer))
        torch.testing.assert_close(folded(x), expected, rtol=0, atol=1e-5)
    assert type(folded[0]) is nn.Conv2d  # type: ignore[index]


@pytest.mark.parametrize(("scale", "colour", "unshuffle"), [(2, "luma", 1), (1, "rgb", 2)])
def test_a_trained_network_folds(scale: int, colour: str, unshuffle: int) -> None:
    torch.manual_seed(0)
    network = build(
        "compact", width=8, depth=4, scale=scale, colour=colour, expand=2, unshuffle=unshuffle
    )
    adam = torch.optim.Adam(network.parameters(), lr=1e-2)
    x = torch.rand(2, 3 if colour == "rgb" else 1, 12, 16)
    before = network(x).detach()
    for _ in range(5):
        adam.zero_grad()
        network(x).square().mean().backward()
        adam.step()
    network.eval().requires_grad_(False)
    expected = network(x)
    assert (expected - before).abs().max() > 0.01
    folded = fold(network)
    assert folded is network
    torch.testing.assert_close(folded(x), expected, rtol=0, atol=1e-5)
    assert not any(isinstance(m, FoldingConv | Unshuffle) for m in folded.modules())
    plain = build("compact", width=8, depth=4, scale=scale, colour=colour)
    if unshuffle == 1:
        assert folded.state_dict().keys() == plain.state_dict().keys()


@pytest.mark.parametrize("side", [2, 4])
@pytest.mark.parametrize("channels", [1, 3])
def test_unshuffle_folds_exactly(side: int, channels: int) -> None:
    layer = Unshuffle(channels, side)
    x = torch.rand(2, channels, 8, 12)
    assert torch.equal(layer.plain()(x), layer(x))


def test_fold_leaves_other_networks_alone() -> None:
    network = build("restore", width=2, scale=1, colour="luma")
    names = [type(m).__name__ for m in network.modules()]
    x = torch.rand(1, 1, 8, 8)
    expected = network(x)
    assert torch.equal(fold(network)(x), expected)
    assert [type(m).__name__ for m in network.modules()] == names
