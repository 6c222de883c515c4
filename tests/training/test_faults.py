from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from restore_rt.training.faults import gradient_fault, output_fault


class Breaks(nn.Module):
    """Gives NaN for every third value."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.where(torch.arange(x.shape[-1]) % 3 == 2, float("nan"), x)


def chain() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(4, 4), nn.Sequential(nn.Linear(4, 4), nn.ReLU()), nn.Linear(4, 4)
    )


def test_the_first_gradient_on_the_way_back_is_named() -> None:
    network = chain()
    assert gradient_fault(network) == ""
    network(torch.ones(1, 4)).sum().backward()
    assert gradient_fault(network) == ""
    for name in ("0.weight", "0.bias", "1.0.weight"):
        gradient = network.get_parameter(name).grad
        assert gradient is not None
        gradient[0] = float("inf")
    assert gradient_fault(network) == ", first in the gradient of 1.0.weight"


@pytest.mark.parametrize(("place", "name"), [(0, "0"), (1, "1"), (3, "3")])
def test_the_first_layer_whose_output_is_not_finite_is_named(place: int, name: str) -> None:
    network = chain()
    network.insert(place, Breaks())
    fault = output_fault(network, lambda: network(torch.ones(1, 4)))
    assert fault == f", first in the output of {name}"
    assert not any(module._forward_hooks for module in network.modules())


def test_weights_come_before_outputs() -> None:
    network = chain()
    assert output_fault(network, lambda: network(torch.ones(1, 4))) == ""
    with torch.no_grad():
        network.get_parameter("2.bias")[1] = float("nan")
    assert output_fault(network, lambda: None) == ", since the weights 2.bias are not finite"


def test_a_network_of_one_layer_has_no_name() -> None:
    network = Breaks()
    fault = output_fault(network, lambda: network(torch.ones(1, 4)))
    assert fault == ", first in the output of the network"
