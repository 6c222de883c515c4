from __future__ import annotations

import errno
import re
from pathlib import Path
from typing import cast

import onnx
import pytest
import torch
from torch import Tensor, nn

from restore_rt.model import registry as zoo
from restore_rt.model.manifest import read_manifest
from restore_rt.training import RecipeError, load_recipe
from restore_rt.training.degradations.video import H264
from restore_rt.training.networks import NETWORKS
from restore_rt.training.recipes import Recipe, parse_recipe
from tests.training.conftest import RecipeOf

ADVERSARY = '\n[adversary]\nkind = "hinge"\nweight = 1\nsize = 4\nrate = 1e-3\n'
PERCEPTUAL = 'perceptual = 1\n[perceptual]\nlayer = "{}"\n'


def test_a_recipe_is_read_whole(recipe_of: RecipeOf, text: str) -> None:
    recipe = recipe_of()
    assert recipe.model.tile == (32, 48)
    assert recipe.network.params == {"width": 4, "depth": 3}
    assert [variant.name for variant in recipe.data.variants] == ["clean", "h264", "jpeg"]
    assert recipe.data.variants[1].steps[1] == H264(crf=(20.0, 30.0), luma=True)
    assert recipe.loss == {"l1": 1.0}
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
        ("width = 4", "width = 4.5", "'network.params.width' must be int or str, not 4.5"),
        ("tile = [32, 48]", "tile = [32]", "'model.tile' must have 2 entries, not 1"),
        (
            'kind = "jpeg"',
            'kind = "gif"',
            r"data.variants\[2\].steps\[1\].kind is 'gif'; there are",
        ),
        ("[40, 90]", "[95, 90]", r"variants\[2\].steps\[1\]: quality is \[95, 90\]; allowed is 1"),
        ("quality = ", "qualty = ", r"unknown key 'data.variants\[2\].steps\[1\].qualty'"),
        ('[{ kind = "reduce" }]', "[]", r"data.variants\[0\] has 0 steps 'reduce'; .*needs 1"),
        ('name = "jpeg"', 'name = "clean"', "data.variants has 'clean' twice"),
        ('name = "jpeg"', 'name = "J P"', r"data.variants\[2\].name is 'J P'; use small"),
        ("frames = 4", "frames = 0", r"data.variants\[1\].frames is 0; must be 1 to 64"),
        ("luma = true }]", 'luma = true }, { kind = "jpeg" }]', "must be the last step"),
        ("l1 = 1", "l3 = 1", "loss has 'l3'; there are"),
        ("l1 = 1", "", "loss is empty"),
        ("l1 = 1", "l1 = 0", "loss.l1 is 0.0; must be above 0"),
        ("l1 = 1", "perceptual = 1", "loss.perceptual and the table"),
        ("region = 20", "region = 11", "data.cache.region is 11; must be at least data.patch, 12"),
        ("renew = 2", "renew = 0", "data.cache.renew is 0"),
        ("holdout = 3", "holdout = 3\ngroups = '('", "data.groups is '\\(', no regular expression"),
        ("holdout = 3", "holdout = 3\nreduced = [0.9, 0.5]", r"data.reduced is \[0.9, 0.5\]; must"),
        ("holdout = 3", "holdout = 3\nreduced = [0, 1]", r"data.reduced is \[0.0, 1.0\]; must"),
        ("holdout = 3", "holdout = 3\nsymmetries = 4", "data.symmetries is 4; there are"),
        ("ema = 0.9", 'ema = 0.9\nprecision = "half"', "optim.precision is 'half'; there are"),
        ('name = "compact"', 'name = "dense"', "network.name is 'dense'"),
        ('colour = "luma"', 'colour = "rgb"', "data.full_range is for luma"),
        ("ema = 0.9", "ema = 1", "optim.ema is 1.0"),
        ("[optim]", "[optim", "not valid TOML"),
        ('name = "tiny-x2"', 'name = ""', "model.name is ''; write letters, digits"),
        ('name = "tiny-x2"', 'name = "../x"', "model.name is '../x'; write letters, digits"),
        ('version = "1"', 'version = ""', "model.version is ''; write letters, digits"),
        ('licence = "CC0-1.0"', 'licence = " "', "model.licence is empty; name the licences"),
        ("seed = 7", "seed = -1", "seed is -1; must be at least 0"),
        ('task = "upscale"', 'task = "zoom"', "model.task is 'zoom'; there are"),
        ('content = "video"', 'content = "film"', "model.content is 'film'; there are"),
        ('colour = "luma"', 'colour = "yuv"', "network.colour is 'yuv'; there are"),
        ("rate = 1e-2", "rate = inf", "optim.rate is inf; must be above 0, and finite"),
        ("share = 2", "share = nan", r"data.variants\[0\].share is nan"),
        ("width = 4", "wide = 4", "network.params is {'wide': 4.*'wide'"),
        ("depth = 3", "depth = 1", "network.params is .*depth is 1"),
        ("width = 4,", "scale = 2,", "network.params has 'scale'; write it as network.scale"),
        ("width = 4,", 'colour = "rgb",', "network.params has 'colour'; write it as network.co"),
        ("width = 4,", 'name = "x",', "network.params has 'name'; write it as network.name"),
        ("l1 = 1", f"l1 = 1{ADVERSARY}", "patch is 12, of which outputs are 24x24; a discriminat"),
        ("l1 = 1", "l1 = 1\n[sharpen]\nsigma = 0", "sharpen.sigma is 0.0; must be 0.2 to 2"),
        ("l1 = 1", PERCEPTUAL.format("conv2"), "perceptual.layer is 'conv2'; write it like"),
        ("l1 = 1", PERCEPTUAL.format("conv6_1"), "perceptual.layer is 'conv6_1'; write it like"),
    ],
)
def test_what_is_wrong_is_said(text: str, old: str, new: str, message: str) -> None:
    assert old in text
    with pytest.raises(RecipeError, match=message):
        parse_recipe(text.replace(old, new))


def test_patches_that_a_loss_cannot_compare_are_refused(text: str) -> None:
    # The smallest patch that is allowed, of a network that does not enlarge.
    text = text.replace("patch = 12", "patch = 8").replace("scale = 2", "scale = 1")
    text = text.replace('{ kind = "reduce" }, ', "").replace('{ kind = "reduce" }', "")
    assert parse_recipe(text).data.patch == 8
    with pytest.raises(RecipeError, match="outputs are 8x8; the loss ssim needs at least 11x11"):
        parse_recipe(text.replace("l1 = 1", "ssim = 1"))
    parse_recipe(text.replace("l1 = 1", PERCEPTUAL.format("conv4_4")))
    with pytest.raises(RecipeError, match="outputs are 8x8; the layer conv5_1 needs at least 16x"):
        parse_recipe(text.replace("l1 = 1", PERCEPTUAL.format("conv5_1")))


@pytest.mark.parametrize("side", ["generator", "discriminator", "adversarial"])
def test_no_side_of_an_adversarial_run_starts_after_its_end(text: str, side: str) -> None:
    text = text.replace("patch = 12", "patch = 16")

    def starts(step: int) -> Recipe:
        return parse_recipe(text.replace("l1 = 1", f"l1 = 1{ADVERSARY}{side}_start = {step}\n"))

    assert getattr(starts(11).adversary, f"{side}_start") == 11
    with pytest.raises(RecipeError, match=f"{side}_start is 12; .* below optim.steps, 12"):
        starts(12)


def test_files_are_looked_for_beside_the_recipe(text: str, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(text)
    assert load_recipe(tmp_path / "mine.toml").folder == tmp_path
    assert parse_recipe(text).folder == Path()
    # Where it lies is no part of what it says.
    assert load_recipe(tmp_path / "mine.toml") == parse_recipe(text)


@pytest.mark.parametrize(("tile", "fits"), [("[16, 24]", True), ("[16, 26]", False)])
def test_a_tile_that_the_network_does_not_take_is_refused(
    text: str, tile: str, fits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Folds(nn.Module):
        def __init__(self, *, scale: int, colour: str) -> None:
            super().__init__()

        def forward(self, x: Tensor) -> Tensor:
            x = nn.functional.pixel_unshuffle(x, 4).repeat(1, 4, 1, 1)
            return nn.functional.pixel_shuffle(x, 8)

    monkeypatch.setitem(cast("dict[str, type]", NETWORKS), "folds", Folds)
    text = text.replace("[32, 48]", tile).replace('"compact"', '"folds"')
    text = text.replace("{ width = 4, depth = 3 }", "{}")
    if fits:
        assert parse_recipe(text).network.name == "folds"
    else:
        with pytest.raises(RecipeError, match=r"model.tile is \[16, 26\], which network 'folds'"):
            parse_recipe(text)


def test_checking_a_recipe_leaves_the_random_state_alone(text: str) -> None:
    torch.manual_seed(1)
    parse_recipe(text)
    after = torch.rand(3)
    torch.manual_seed(1)
    assert torch.equal(torch.rand(3), after)


def test_a_file_is_named_in_its_error(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("seed = 1\n")
    with pytest.raises(RecipeError, match=r"mine\.toml: missing key 'model'"):
        load_recipe(file)


def test_a_file_that_cannot_be_read_is_one_error(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RecipeError, match=r"cannot read the recipe .*: File name too long"):
        load_recipe(tmp_path / ("x" * 300))
    (tmp_path / "latin.toml").write_bytes(text.encode() + b"# caf\xe9")
    with pytest.raises(RecipeError, match=r"latin\.toml is no UTF-8 text"):
        load_recipe(tmp_path / "latin.toml")

    def refused(self: Path, *args: object, **options: object) -> str:
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(Path, "stat", refused)
    monkeypatch.setattr(Path, "read_text", refused)
    with pytest.raises(
        RecipeError, match=r"read the recipe .*mine\.toml: Permission denied; change the permis"
    ):
        load_recipe(tmp_path / "mine.toml")


def test_a_folder_with_the_name_of_a_shipped_recipe_does_not_hide_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "video-x2").mkdir()
    monkeypatch.chdir(tmp_path)
    assert load_recipe("video-x2").model.name == "video-x2"


def test_a_missing_file_lists_what_is_shipped(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"shipped: .*video-x2"):
        load_recipe(tmp_path / "none.toml")


def test_shipped_recipe_is_valid() -> None:
    recipe = load_recipe("video-x2")
    assert recipe.model.name == "video-x2"
    assert "CC-BY-SA-4.0" in recipe.model.licence


@pytest.mark.parametrize("name", [manifest.name for manifest in zoo.models()])
def test_a_shipped_model_carries_its_shipped_recipe(name: str) -> None:
    manifest = read_manifest(onnx.load(zoo.path_of(name)))
    assert manifest is not None
    # Some were exported while the validation interval was called an epoch, which is still read.
    assert re.search(r"^(epoch|validation_interval) = ", manifest.recipe, re.MULTILINE)
    assert parse_recipe(manifest.recipe) == parse_recipe(load_recipe(name).text)
