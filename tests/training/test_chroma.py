"""Training data and the network for chroma."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from restore_rt.errors import InputError
from restore_rt.training.data.chroma import chroma_inputs, chroma_of, full_range, i420_of
from restore_rt.training.networks import build
from restore_rt.training.recipes import RecipeError, load_recipe, parse_recipe
from tests.training.conftest import picture


def test_i420_has_the_colours_of_bt601_on_the_left_samples() -> None:
    rgb = np.zeros((4, 8, 3), np.uint8)
    rgb[:, 4:] = (255, 0, 0)
    i420 = i420_of(rgb)
    assert i420.shape == (6, 8)
    assert [*i420[0]] == [16] * 4 + [81] * 4
    # The sample on column 4 sees a quarter of what is left of it.
    np.testing.assert_array_equal(chroma_of(i420)[1], [[128, 128, 212, 240]] * 2)
    np.testing.assert_array_equal(chroma_of(i420)[0], [[128, 128, 100, 90]] * 2)


def test_full_range_is_stretched() -> None:
    i420 = np.array([[16, 235], [16, 125], [128, 240]], np.uint8)
    np.testing.assert_array_equal(full_range(i420), [[0, 255], [0, 127], [128, 255]])


def test_inputs_hold_luma_and_chroma_where_they_lie() -> None:
    i420 = i420_of(picture(0, 20, 24))
    inputs = chroma_inputs(i420)
    assert inputs.shape == (16, 10, 12)
    levels = np.rint(inputs.astype(np.float32) * 255)
    np.testing.assert_array_equal(levels[1], i420[:20:2, 1::2])
    np.testing.assert_array_equal(levels[4:6] + 128, chroma_of(i420))


def test_the_network_begins_as_an_enlargement() -> None:
    network = build("chroma", width=4, depth=2, scale=2, colour="chroma")
    with torch.no_grad():
        network.layers[-1].weight.zero_()  # type: ignore[union-attr, index]
        x = torch.zeros(1, 16, 6, 8)
        x[:, 4], x[:, 5] = 0.25, -0.5
        y = network(x)
    assert y.shape == (1, 2, 12, 16)
    assert torch.allclose(y[0, 0, 1:-1, 1:-1], torch.tensor(0.25))
    assert torch.allclose(y[0, 1, 1:-1, 1:-1], torch.tensor(-0.5))


@pytest.mark.parametrize(
    ("params", "message"),
    [({"scale": 3}, "scale"), ({"colour": "luma"}, "colour"), ({"depth": 1}, "depth")],
)
def test_other_parameters_are_refused(params: dict[str, int | str], message: str) -> None:
    usual: dict[str, int | str] = {"width": 4, "depth": 2, "scale": 2, "colour": "chroma"}
    with pytest.raises(InputError, match=message):
        build("chroma", **(usual | params))


def test_a_recipe_s_codec_must_give_planes() -> None:
    text = load_recipe("video-x2-chroma").text
    with pytest.raises(RecipeError, match="'codec' with planes must be the last step"):
        parse_recipe(text.replace("planes = true", "luma = true"))
    luma = load_recipe("video-x2").text
    with pytest.raises(RecipeError, match="'codec' with planes is for chroma networks"):
        parse_recipe(luma.replace("luma = true", "planes = true"))
