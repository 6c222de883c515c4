from __future__ import annotations

import pytest
import torch

from restore_rt.errors import InputError, ModelError
from restore_rt.training.networks import build


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize(("colour", "channels"), [("luma", 1), ("rgb", 3)])
@pytest.mark.parametrize("size", [(1, 1), (5, 8)])
def test_output_is_scale_times_the_input(
    scale: int, colour: str, channels: int, size: tuple[int, int]
) -> None:
    network = build("compact", width=3, depth=3, scale=scale, colour=colour)
    shape = network(torch.zeros(2, channels, *size)).shape
    assert tuple(shape) == (2, channels, size[0] * scale, size[1] * scale)


@pytest.mark.parametrize("colour", ["luma", "rgb"])
def test_without_its_last_layer_it_repeats_every_pixel(colour: str) -> None:
    network = build("compact", width=3, depth=2, scale=3, colour=colour)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.startswith("layers.1."):
                parameter.zero_()
    x = torch.rand(2, 3 if colour == "rgb" else 1, 4, 5)
    expected = x.repeat_interleave(3, dim=2).repeat_interleave(3, dim=3)
    assert torch.equal(network(x), expected)


def test_parameters_of_video_x2() -> None:
    network = build("compact", width=16, depth=8, scale=2, colour="luma")
    assert sum(p.numel() for p in network.parameters()) == 14_660


def test_unknown_name_lists_the_valid_ones() -> None:
    with pytest.raises(ModelError, match=r"'dense'.*there are: compact"):
        build("dense")


def test_unknown_parameter_is_named() -> None:
    with pytest.raises(ModelError, match="heads"):
        build("compact", width=4, depth=3, scale=2, colour="luma", heads=2)


@pytest.mark.parametrize("wrong", [{"scale": 5}, {"colour": "yuv"}, {"depth": 1}, {"width": 0}])
def test_wrong_parameters_are_refused(wrong: dict[str, object]) -> None:
    params = {"width": 4, "depth": 3, "scale": 2, "colour": "luma", **wrong}
    with pytest.raises(InputError):
        build("compact", **params)
