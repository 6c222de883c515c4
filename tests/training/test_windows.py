"""Networks that see the frames before and after the one that they restore."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from restore_rt.errors import InputError
from restore_rt.training.data.pictures import Library, survey
from restore_rt.training.data.regions import Regions
from restore_rt.training.loop.starting import _further, load_start
from restore_rt.training.loop.trainer import train
from restore_rt.training.networks import build, fold
from restore_rt.training.recipes import Network, RecipeError, load_recipe
from tests.training.conftest import RecipeOf, quiet
from tests.training.test_clips import numbered, write_clip

# The tiny recipe, with a window of three, and three frames in each variant.
WINDOW = (
    ("depth = 3 }", "depth = 3, window = 3 }"),
    ("share = 2", "share = 2\nframes = 3"),
    ('"jpeg"\nshare = 1', '"jpeg"\nshare = 1\nframes = 3'),
)


@pytest.mark.parametrize("unshuffle", [1, 2])
@pytest.mark.parametrize(("colour", "planes"), [("luma", 1), ("rgb", 3)])
def test_what_is_added_to_is_the_middle_frame(colour: str, planes: int, unshuffle: int) -> None:
    network = build(
        "compact", width=4, depth=3, scale=2, colour=colour, unshuffle=unshuffle, window=3
    )
    for layer in network.get_submodule("layers").children():
        for parameter in layer.parameters():
            torch.nn.init.zeros_(parameter)
    x = torch.rand(2, 3 * planes, 6, 8)
    middle = x[:, planes : 2 * planes]
    expected = middle.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    assert torch.equal(network(x), expected)


def test_every_frame_of_the_window_matters() -> None:
    network = build("compact", width=4, depth=3, scale=2, colour="luma", window=3)
    x = torch.rand(1, 3, 8, 8)
    for frame in range(3):
        other = x.clone()
        other[:, frame] = 0
        assert not torch.allclose(network(other), network(x))
    with pytest.raises(InputError, match="window is 2; there are 1, 3"):
        build("compact", width=4, depth=3, scale=2, colour="luma", window=2)


@pytest.mark.parametrize("params", [{}, {"unshuffle": 2}, {"depth": 5, "expand": 2}])
def test_a_window_begins_as_the_network_of_single_frames(
    recipe_of: RecipeOf, pictures: Path, tmp_path: Path, params: dict[str, int]
) -> None:
    shuffled = params.get("unshuffle", 1)
    single = recipe_of(("depth = 3 }", f"depth = 3, unshuffle = {shuffled} }}"))
    start = load_start(train(single, pictures, tmp_path, stop_after=1, say=quiet))
    whole = {"width": 4, "depth": 3, "window": 3, **params}
    network = build("compact", scale=2, colour="luma", **whole)
    start.give(network, Network(name="compact", scale=2, colour="luma", params={**whole}))
    alone = build("compact", scale=2, colour="luma", width=4, depth=3, unshuffle=shuffled)
    start.give(alone, single.network)
    x = torch.rand(1, 3, 12, 16)
    with torch.no_grad():
        assert torch.allclose(network(x), alone(x[:, 1:2]), atol=1e-5)
        assert torch.allclose(fold(network)(x), alone(x[:, 1:2]), atol=1e-5)
    with pytest.raises(InputError, match="is of another network"):
        load_start("video-x2").give(network, single.network)


def test_a_window_is_not_given_up() -> None:
    # A network of single frames cannot do what one with a window does.
    theirs, ours = (
        Network(name="compact", scale=2, colour="luma", params={"width": 4, "depth": 3, **more})
        for more in ({"window": 3}, {})
    )
    assert _further(theirs, ours) is None
    assert _further(ours, theirs) == (0, 3)
    assert _further(theirs, theirs) == (0, 1)


def test_regions_hold_the_frames_around_their_target(
    recipe_of: RecipeOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "patterns").mkdir()
    flat = [np.full_like(frame, 20 * n) for n, frame in enumerate(numbered(6))]
    write_clip(tmp_path / "patterns" / "a.mkv", flat)
    files = survey(tmp_path, ["patterns"], smallest=88, say=quiet)
    regions = Regions(recipe_of(*WINDOW, ("share = 2", "share = 1e9")), files, Library())
    seen = set()
    for number in range(24):
        pair = regions.training(number)
        assert pair.input.shape[0] == 3
        assert pair.target.shape[0] == 1
        before, now, after = (int(plane[0, 0]) for plane in pair.input)
        assert abs(now - int(pair.target[0, 0, 0])) <= 1
        step = round(20 * 219 / 255)
        seen.add((round((now - before) / step), round((after - now) / step)))
    # At an end of the piece that was taken of the clip, the frame itself stands for its neighbour.
    assert seen == {(1, 1), (0, 1), (1, 0)}


def test_a_window_is_trained_and_shown(recipe_of: RecipeOf, pictures: Path, tmp_path: Path) -> None:
    last = train(recipe_of(*WINDOW), pictures, tmp_path / "run", stop_after=4, say=quiet)
    assert last.is_file()
    (sample,) = (tmp_path / "run" / "samples").iterdir()
    # Its pictures are grey: of each window the middle frame.
    rgb = np.asarray(Image.open(sample).convert("RGB")).astype(int)
    assert np.ptp(rgb, axis=2).max() == 0


def test_variants_must_have_the_frames_of_the_window(recipe_of: RecipeOf) -> None:
    with pytest.raises(
        RecipeError, match=r"variants\[0\]\.frames is 1; a network whose window is 3"
    ):
        recipe_of(WINDOW[0])
    assert load_recipe("video-x2").network.window == 1
