from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from restore_rt.errors import InputError, ModelError
from restore_rt.training.networks import Discriminator, build
from restore_rt.training.networks.attention import PatchAttention, WholeAttention

COMPACT: dict[str, Any] = {"width": 3, "depth": 3}
RESTORE: dict[str, Any] = {"width": 3}
SRGAN: dict[str, Any] = {"blocks": 1, "filters": 3}
PYRAMID: dict[str, Any] = {"width": 4, "coarse": 1, "middle": 1, "fine": 1}


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize(("colour", "channels"), [("luma", 1), ("rgb", 3)])
@pytest.mark.parametrize(
    ("unshuffle", "size"), [(1, (1, 1)), (1, (5, 8)), (2, (2, 6)), (4, (4, 8))]
)
def test_compact_gives_scale_times_the_input(
    scale: int, colour: str, channels: int, unshuffle: int, size: tuple[int, int]
) -> None:
    network = build("compact", **COMPACT, scale=scale, colour=colour, unshuffle=unshuffle)
    shape = network(torch.zeros(2, channels, *size)).shape
    assert tuple(shape) == (2, channels, size[0] * scale, size[1] * scale)


@pytest.mark.parametrize("attention", ["none", "whole", "patch"])
@pytest.mark.parametrize("scale", [1, 2])
@pytest.mark.parametrize(("colour", "channels"), [("luma", 1), ("rgb", 3)])
@pytest.mark.parametrize("size", [(4, 4), (20, 12)])
def test_restore_gives_scale_times_the_input(
    attention: str, scale: int, colour: str, channels: int, size: tuple[int, int]
) -> None:
    network = build("restore", **RESTORE, scale=scale, colour=colour, attention=attention)
    shape = network(torch.zeros(2, channels, *size)).shape
    assert tuple(shape) == (2, channels, size[0] * scale, size[1] * scale)


@pytest.mark.parametrize("scale", [1, 2])
@pytest.mark.parametrize(("colour", "channels"), [("luma", 1), ("rgb", 3)])
@pytest.mark.parametrize("size", [(4, 4), (20, 12)])
def test_pyramid_gives_scale_times_the_input(
    scale: int, colour: str, channels: int, size: tuple[int, int]
) -> None:
    network = build("pyramid", **PYRAMID, scale=scale, colour=colour)
    shape = network(torch.zeros(2, channels, *size)).shape
    assert tuple(shape) == (2, channels, size[0] * scale, size[1] * scale)


@pytest.mark.parametrize("scale", [1, 2, 4])
@pytest.mark.parametrize(("colour", "channels"), [("luma", 1), ("rgb", 3)])
@pytest.mark.parametrize("size", [(1, 1), (5, 8)])
def test_srgan_gives_scale_times_the_input(
    scale: int, colour: str, channels: int, size: tuple[int, int]
) -> None:
    network = build("srgan", **SRGAN, scale=scale, colour=colour)
    shape = network(torch.zeros(2, channels, *size)).shape
    assert tuple(shape) == (2, channels, size[0] * scale, size[1] * scale)


def _silence(layer: nn.Module) -> None:
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()


@pytest.mark.parametrize("colour", ["luma", "rgb"])
@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("compact", {**COMPACT, "scale": 3}),
        ("compact", {**COMPACT, "scale": 1, "unshuffle": 2}),
        ("compact", {**COMPACT, "scale": 3, "unshuffle": 2}),
        ("compact", {**COMPACT, "scale": 2, "unshuffle": 4}),
        ("pyramid", {**PYRAMID, "scale": 1}),
        ("pyramid", {**PYRAMID, "scale": 2}),
        ("restore", {**RESTORE, "scale": 1}),
        ("restore", {**RESTORE, "scale": 2}),
        ("srgan", {**SRGAN, "scale": 1}),
    ],
)
def test_without_its_last_layer_it_repeats_every_pixel(
    name: str, params: dict[str, Any], colour: str
) -> None:
    network = build(name, colour=colour, **params)
    layers = network.get_submodule("layers") if name == "compact" else None
    _silence([*layers.children()][-1] if layers else network.get_submodule("last"))
    x = torch.rand(2, 3 if colour == "rgb" else 1, 8, 12)
    scale = params["scale"]
    expected = x.repeat_interleave(scale, dim=2).repeat_interleave(scale, dim=3)
    assert torch.equal(network(x), expected)


@pytest.mark.parametrize("scale", [2, 4])
def test_srgan_without_its_last_layer_keeps_a_slope(scale: int) -> None:
    network = build("srgan", colour="luma", **SRGAN, scale=scale)
    _silence(network.get_submodule("last"))
    slope = torch.linspace(0, 1, 11).expand(1, 1, 7, 11)
    inner = network(slope)[0, 0, :, scale:-scale]
    steps = inner.diff(dim=1)
    torch.testing.assert_close(steps, torch.full_like(steps, 0.1 / scale))


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("compact", {"width": 16, "depth": 8, "scale": 2}),
        ("pyramid", {"width": 32, "coarse": 4, "scale": 2}),
        ("restore", {"width": 16, "scale": 1}),
        ("restore", {"width": 16, "scale": 2}),
        ("srgan", {"blocks": 16, "filters": 16, "scale": 4}),
    ],
)
def test_training_starts_near_the_upsample(name: str, params: dict[str, Any]) -> None:
    torch.manual_seed(5)
    network = build(name, colour="rgb", **params)
    x = torch.rand(1, 3, 32, 32)
    scale = params["scale"]
    expected = x.repeat_interleave(scale, dim=2).repeat_interleave(scale, dim=3)
    assert (network(x) - expected).abs().mean() < 0.25


@pytest.mark.parametrize(
    ("name", "params", "count"),
    [
        ("compact", {"width": 16, "depth": 8, "scale": 2, "colour": "luma"}, 14_660),
        ("pyramid", {"width": 32, "coarse": 4, "scale": 2, "colour": "rgb"}, 917_987),
        ("restore", {"width": 32, "scale": 1, "colour": "rgb"}, 468_203),
        ("restore", {"width": 48, "scale": 2, "colour": "rgb"}, 1_055_951),
    ],
)
def test_parameters(name: str, params: dict[str, Any], count: int) -> None:
    assert sum(p.numel() for p in build(name, **params).parameters()) == count


@pytest.mark.parametrize("name", ["compact", "pyramid", "restore", "srgan"])
def test_every_parameter_learns(name: str) -> None:
    torch.manual_seed(0)
    params = {
        "compact": COMPACT,
        "pyramid": {**PYRAMID, "width": 8},
        "restore": {"width": 8},
        "srgan": SRGAN,
    }[name]
    network = build(name, **params, scale=2, colour="rgb")
    network(torch.rand(2, 3, 16, 16)).square().mean().backward()
    for key, parameter in network.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.abs().sum() > 0, key


def test_unknown_name_lists_the_valid_ones() -> None:
    names = "chroma, compact, inpaint, pyramid, restore, rrdb, srgan, srvgg"
    with pytest.raises(ModelError, match=rf"'dense'.*there are: {names}"):
        build("dense")


def test_unknown_parameter_is_named() -> None:
    with pytest.raises(ModelError, match="heads"):
        build("compact", width=4, depth=3, scale=2, colour="luma", heads=2)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("compact", {"scale": 5}),
        ("compact", {"colour": "yuv"}),
        ("compact", {"depth": 1}),
        ("compact", {"width": 0}),
        ("compact", {"expand": -1}),
        ("compact", {"unshuffle": 3}),
        ("pyramid", {"scale": 3}),
        ("pyramid", {"closing": 0}),
        ("pyramid", {"width": 0}),
        ("pyramid", {"coarse": -1}),
        ("restore", {"scale": 3}),
        ("restore", {"colour": "yuv"}),
        ("restore", {"width": 0}),
        ("restore", {"growth": 0}),
        ("restore", {"closing": 0}),
        ("restore", {"attention": "local"}),
        ("srgan", {"scale": 3}),
        ("srgan", {"colour": "yuv"}),
        ("srgan", {"blocks": 0}),
        ("srgan", {"filters": 0}),
    ],
)
def test_wrong_parameters_are_refused(name: str, wrong: dict[str, Any]) -> None:
    params = {"compact": COMPACT, "pyramid": PYRAMID, "restore": RESTORE, "srgan": SRGAN}[name]
    (key,) = wrong
    with pytest.raises(InputError, match=f"{key} is|{key} {wrong[key]}"):
        build(name, **{**params, "scale": 2, "colour": "luma", **wrong})


@pytest.mark.parametrize("size", [(6, 8), (8, 7), (3, 3)])
def test_restore_takes_multiples_of_4_alone(size: tuple[int, int]) -> None:
    network = build("restore", **RESTORE, scale=1, colour="luma")
    # torch's own error, from which the export finds the multiple.
    with pytest.raises(RuntimeError):
        network(torch.zeros(1, 1, *size))


def test_patch_attention_sees_its_neighbourhood_alone() -> None:
    torch.manual_seed(0)
    attention = PatchAttention(8)
    with torch.no_grad():
        attention.weigh.excite.weight.mul_(30)
        x = torch.rand(1, 8, 64, 64)
        altered = x.clone()
        altered[:, :, 20:24, 24:28] = 5
        differs = (attention(altered) != attention(x)).any(1)[0]
    rows, columns = differs.nonzero().unbind(1)
    # Four patches of 4 pixels in each direction around the one that changed.
    assert (int(rows.min()), int(rows.max())) == (20 - 16, 23 + 16)
    assert (int(columns.min()), int(columns.max())) == (24 - 16, 27 + 16)


def test_patch_attention_commutes_with_shifts_by_a_patch() -> None:
    torch.manual_seed(0)
    attention = PatchAttention(8).double()
    x = torch.rand(1, 8, 96, 96, dtype=torch.float64)
    shifted = attention(x[:, :, 4:, 8:])
    expected = attention(x)[:, :, 4:, 8:]
    # Away from the border, whose patches have fewer neighbours.
    torch.testing.assert_close(shifted[:, :, 16:, 16:], expected[:, :, 16:, 16:])


def test_patch_attention_takes_no_padding_into_its_means() -> None:
    torch.manual_seed(0)
    attention = PatchAttention(8)
    weights = attention(torch.ones(1, 8, 40, 40))
    torch.testing.assert_close(weights, weights[:, :, :1, :1].expand_as(weights))


def test_attentions_agree_where_the_neighbourhood_is_the_whole() -> None:
    torch.manual_seed(0)
    patch, whole = PatchAttention(8), WholeAttention(8)
    whole.load_state_dict(patch.state_dict())
    x = torch.rand(2, 8, 20, 20)
    torch.testing.assert_close(patch(x), whole(x))


@pytest.mark.parametrize(("channels", "size"), [(3, (32, 32)), (1, (45, 71))])
def test_discriminator_gives_a_map_of_logits(channels: int, size: tuple[int, int]) -> None:
    logits = Discriminator(size=4, channels=channels)(torch.rand(2, channels, *size))
    assert tuple(logits.shape) == (2, 1, size[0] // 8, size[1] // 8)


def test_discriminator_judges_each_picture_apart_from_its_batch() -> None:
    torch.manual_seed(0)
    network = Discriminator(size=8)
    x = torch.rand(3, 3, 40, 48)
    torch.testing.assert_close(network(x)[1:2], network(x[1:2]))
    norms = [m for m in network.modules() if isinstance(m, nn.InstanceNorm2d)]
    assert [norm.num_features for norm in norms] == [8, 16, 16, 32, 32, 32]


@pytest.mark.parametrize("wrong", [{"size": 0}, {"channels": 2}])
def test_wrong_discriminators_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(InputError, match="size must be at least 1, channels 1 or 3"):
        Discriminator(**{"size": 4, **wrong})


def test_discriminator_needs_32_pixels() -> None:
    with pytest.raises(InputError, match=r"31x40.*at least 32x32"):
        Discriminator(size=4)(torch.rand(1, 3, 31, 40))


def test_mixed_precision_leaves_the_picture_under_the_differences_exact() -> None:
    network = build("compact", width=4, depth=2, scale=2, colour="rgb", unshuffle=2)
    torch.nn.init.zeros_(network.get_parameter("layers.1.weight"))
    x = torch.rand(1, 3, 6, 8)
    expected = x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(network(x), expected)
    assert torch.equal(network(x), expected)
