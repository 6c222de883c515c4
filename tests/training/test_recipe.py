from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from restore_rt.training import RecipeError, load_recipe
from restore_rt.training.recipe import Recipe, parse_recipe


def test_a_recipe_is_read_whole(recipe_of: Callable[..., Recipe], text: str) -> None:
    recipe = recipe_of()
    assert recipe.model.tile == (32, 48)
    assert recipe.network.params == {"width": 4, "depth": 3}
    assert [variant.kind for variant in recipe.data.variants] == ["clean", "h264", "jpeg"]
    assert recipe.data.folders == {"patterns": 1.0}
    assert recipe.text == text


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seed = 7", "sed = 7", "unknown key 'sed'; allowed here: seed"),
        ("seed = 7", "", "missing key 'seed'"),
        ("seed = 7", "seed = true", "'seed' must be int, not True"),
        ("batch = 3", "batch = 3.0", "'data.batch' must be int, not 3.0"),
        ("batch = 3", "batch = 0", "data.batch is 0; must be at least 1"),
        ("rate = 1e-2", 'rate = "high"', "'optim.rate' must be float, not 'high'"),
        ("width = 4", 'width = "4"', "'network.params.width' must be int"),
        ("tile = [32, 48]", "tile = [32]", "'model.tile' must have 2 entries, not 1"),
        ('kind = "jpeg"', 'kind = "gif"', r"data.variants\[2\].kind is 'gif'"),
        ("low = 40", "low = 95", r"data.variants\[2\] goes from 95 to 90; allowed are 1 to 95"),
        ('loss = "l1"', 'loss = "l3"', "optim.loss is 'l3'; there are"),
        ('name = "compact"', 'name = "dense"', "network.name is 'dense'"),
        ('colour = "luma"', 'colour = "rgb"', "data.full_range is for luma"),
        ("ema = 0.9", "ema = 1", "optim.ema is 1.0"),
        ("[optim]", "[optim", "not valid TOML"),
    ],
)
def test_what_is_wrong_is_said(text: str, old: str, new: str, message: str) -> None:
    assert old in text
    with pytest.raises(RecipeError, match=message):
        parse_recipe(text.replace(old, new))


def test_a_file_is_named_in_its_error(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("seed = 1\n")
    with pytest.raises(RecipeError, match=r"mine\.toml: missing key 'model'"):
        load_recipe(file)


def test_a_missing_file_lists_what_is_shipped(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="shipped: video-x2"):
        load_recipe(tmp_path / "none.toml")


def test_shipped_recipe_is_valid() -> None:
    recipe = load_recipe("video-x2")
    assert recipe.model.name == "video-x2"
    assert "CC-BY-SA-4.0" in recipe.model.licence
