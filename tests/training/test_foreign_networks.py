"""The networks of ESRGAN and Real-ESRGAN, as they are built and trained here."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional as F

from restore_rt.errors import InputError
from restore_rt.training.networks import build

RRDB: dict[str, Any] = {"blocks": 1, "filters": 8, "growth": 4}
PLUS: dict[str, Any] = {"blocks": 23, "filters": 64, "growth": 32}
SRVGG: dict[str, Any] = {"width": 8, "depth": 3}


@pytest.mark.parametrize("colour", ["luma", "rgb"])
@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("srvgg", {**SRVGG, "scale": 1}),
        ("srvgg", {**SRVGG, "scale": 3}),
        ("srvgg", {**SRVGG, "scale": 4}),
        ("rrdb", {**RRDB, "scale": 1}),
        ("rrdb", {**RRDB, "scale": 2}),
        ("rrdb", {**RRDB, "scale": 4}),
        ("rrdb", {**RRDB, "scale": 2, "unshuffle": 2}),
        ("rrdb", {**RRDB, "scale": 1, "unshuffle": 4}),
        ("rrdb", {**RRDB, "scale": 8}),
    ],
)
def test_the_output_is_scale_times_the_input(
    name: str, params: dict[str, Any], colour: str
) -> None:
    torch.manual_seed(0)
    network = build(name, **params, colour=colour)
    channels, side = 3 if colour == "rgb" else 1, params.get("unshuffle", 1)
    x = torch.rand(2, channels, 5 * side, 7 * side)
    scale = params["scale"]
    assert network(x).shape == (2, channels, 5 * side * scale, 7 * side * scale)
    network(x).square().mean().backward()
    for key, parameter in network.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.abs().sum() > 0, key


@pytest.mark.parametrize(
    ("name", "params", "count"),
    [
        # As published: realesr-animevideov3, realesr-general-x4v3, RealESRGAN_x4plus and x2plus.
        ("srvgg", {"width": 64, "depth": 18, "scale": 4}, 621_424),
        ("srvgg", {"width": 64, "depth": 34, "scale": 4}, 1_213_296),
        ("rrdb", {**PLUS, "scale": 4}, 16_697_987),
        ("rrdb", {**PLUS, "scale": 2, "unshuffle": 2}, 16_703_171),
    ],
)
def test_parameters_are_those_of_the_published_networks(
    name: str, params: dict[str, Any], count: int
) -> None:
    network = build(name, **params, colour="rgb")
    assert sum(parameter.numel() for parameter in network.parameters()) == count


@pytest.mark.parametrize("scale", [1, 2, 3])
def test_srvgg_without_its_last_layer_is_the_nearest_upsample(scale: int) -> None:
    network = build("srvgg", **SRVGG, scale=scale, colour="rgb")
    with torch.no_grad():
        network.get_parameter("last.weight").zero_()
        x = torch.rand(1, 3, 4, 5)
        expected = x.repeat_interleave(scale, 2).repeat_interleave(scale, 3)
        assert torch.equal(network(x), expected)


def test_rrdb_adds_a_fifth_of_what_its_blocks_find() -> None:
    torch.manual_seed(1)
    network = build("rrdb", blocks=1, filters=1, growth=1, scale=1, colour="luma")
    with torch.no_grad():
        for key, parameter in network.named_parameters():
            parameter.zero_()
            if key.endswith("weight"):
                # Each layer hands on what the first of its inputs is.
                parameter[0, 0, 1, 1] = 1
        x = torch.rand(1, 1, 6, 6) - 0.5
        # Three dense blocks, each of which adds a fifth of its input to it.
        block = x + 0.2 * x * 1.2**3
        assert torch.allclose(network(x), F.leaky_relu(x + block, 0.2))


def test_an_unshuffled_network_is_the_larger_one_on_blocks_of_pixels() -> None:
    torch.manual_seed(2)
    network = build("rrdb", **RRDB, scale=2, colour="rgb", unshuffle=2)
    x = torch.rand(1, 3, 8, 6)
    blocks = x.reshape(1, 3, 4, 2, 3, 2).permute(0, 1, 3, 5, 2, 4).reshape(1, 12, 4, 3)
    network_on_blocks = build("rrdb", **RRDB, scale=2, colour="rgb", unshuffle=2)
    network_on_blocks.load_state_dict(network.state_dict())
    network_on_blocks.gather = torch.nn.Identity()
    assert torch.equal(network(x), network_on_blocks(blocks))


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("srvgg", {"scale": 0}),
        ("srvgg", {"scale": 9}),
        ("srvgg", {"colour": "yuv"}),
        ("srvgg", {"depth": 1}),
        ("srvgg", {"width": 0}),
        ("rrdb", {"scale": 3}),
        ("rrdb", {"colour": "yuv"}),
        ("rrdb", {"blocks": 0}),
        ("rrdb", {"filters": 0}),
        ("rrdb", {"growth": 0}),
        ("rrdb", {"unshuffle": 3}),
    ],
)
def test_wrong_parameters_are_refused(name: str, wrong: dict[str, Any]) -> None:
    params = {"rrdb": RRDB, "srvgg": SRVGG}[name]
    (key,) = wrong
    with pytest.raises(InputError, match=f"{key} is|{key} {wrong[key]}"):
        build(name, **{**params, "scale": 2, "colour": "rgb", **wrong})
