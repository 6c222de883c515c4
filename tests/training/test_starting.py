from __future__ import annotations

from pathlib import Path

import onnx
import pytest
import torch
from torch import nn

from restore_rt.errors import InputError, ModelError
from restore_rt.export import export_onnx
from restore_rt.model import registry as zoo
from restore_rt.model.manifest import read_manifest
from restore_rt.training.loop.checkpoint import load_checkpoint
from restore_rt.training.loop.starting import load_start
from restore_rt.training.loop.trainer import train
from restore_rt.training.networks import build, deepen, fold, unfold
from restore_rt.training.recipes import Network, Recipe
from tests.export.test_quantization import without_manifest
from tests.networks import nearest, save_model
from tests.training.conftest import RecipeOf

# Nothing that is learned shows at such a rate.
STILL = (("rate = 1e-2", "rate = 1e-12"), ("rate_end = 1e-4", "rate_end = 0"))
EXPANDED = ("width = 4, depth = 3", "width = 4, depth = 3, expand = 2")
DEEPER = ("width = 4, depth = 3", "width = 4, depth = 5, expand = 2")


def quiet(line: str) -> None:
    pass


def network_of(checkpoint: Path, recipe: Recipe) -> nn.Module:
    """Return the averaged network of a checkpoint."""
    net = recipe.network
    network = build(net.name, scale=net.scale, colour=net.colour, **net.params)
    network.load_state_dict(load_checkpoint(checkpoint)["average"])
    return network.eval()


def agree(a: nn.Module, b: nn.Module) -> bool:
    """Tell whether two luma networks compute the same."""
    x = torch.rand(2, 1, 13, 17)
    with torch.no_grad():
        return bool(torch.allclose(a(x), b(x), atol=1e-5))


@pytest.mark.parametrize("other", [EXPANDED, DEEPER])
@pytest.mark.parametrize("exported", [False, True])
def test_a_run_begins_as_what_it_starts_from(
    recipe_of: RecipeOf, pictures: Path, tmp_path: Path, other: tuple[str, str], exported: bool
) -> None:
    recipe = recipe_of(EXPANDED)
    first = train(recipe, pictures, tmp_path / "first", say=quiet)
    source = first
    if exported:
        source = tmp_path / "first.onnx"
        export_onnx(first, source, say=quiet)
    further = recipe_of(other, *STILL)
    second = train(further, pictures, tmp_path / "second", start=source, stop_after=1, say=quiet)
    begun = network_of(second, further)
    assert agree(network_of(first, recipe), begun)
    assert not agree(build("compact", **further.network.params, scale=2, colour="luma"), begun)


def test_a_deeper_network_learns_with_all_of_its_layers(
    recipe_of: RecipeOf, pictures: Path, tmp_path: Path
) -> None:
    first = train(recipe_of(), pictures, tmp_path / "first", say=quiet)
    recipe = recipe_of(DEEPER)
    begun = train(recipe, pictures, tmp_path / "a", start=first, stop_after=1, say=quiet)
    ended = train(recipe, pictures, tmp_path / "b", start=first, say=quiet)
    before, after = (load_checkpoint(path)["network"] for path in (begun, ended))
    assert all(not torch.equal(before[name], after[name]) for name in before)


def test_a_shipped_model_can_be_trained_on() -> None:
    start = load_start("video-x2")
    manifest = read_manifest(onnx.load(zoo.path_of("video-x2")))
    assert manifest is not None
    assert start.path == zoo.path_of("video-x2")
    assert start.folded
    assert start.network is not None
    ours = start.network
    network = build(ours.name, scale=ours.scale, colour=ours.colour, **ours.params)
    start.give(network, ours)
    plain = fold(build(ours.name, scale=ours.scale, colour=ours.colour, **ours.params))
    plain.load_state_dict(start.weights)
    assert agree(plain, network)


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("compact", {"width": 5, "depth": 3, "expand": 2, "unshuffle": 2}),
        ("restore", {"width": 4}),
        ("srgan", {"blocks": 1, "filters": 4}),
    ],
)
def test_what_was_folded_unfolds(name: str, params: dict[str, int]) -> None:
    make = {"scale": 2, "colour": "luma", **params}
    trained, other = build(name, **make).eval(), build(name, **make).eval()
    x = torch.rand(1, 1, 16, 24)
    with torch.no_grad():
        expected = trained(x)
        unfold(other, fold(trained))
        assert torch.allclose(other(x), expected, atol=1e-5)


def test_layers_that_are_put_in_change_nothing() -> None:
    narrow = {"width": 6, "scale": 3, "colour": "luma"}
    network, deeper = build("compact", **narrow, depth=2), build("compact", **narrow, depth=6)
    deeper.load_state_dict(deepen(network.state_dict(), 4))
    assert agree(network, deeper)


def test_a_network_whose_place_cannot_be_taken_is_named(tmp_path: Path) -> None:
    start = load_start("video-x2")
    for params in ({"width": 16, "depth": 7}, {"width": 17, "depth": 8}):
        described = Network(name="compact", scale=2, colour="luma", params={**params})
        network = build("compact", scale=2, colour="luma", **params)
        with pytest.raises(InputError, match=r"video-x2\.onnx is of another network, 'compact'"):
            start.give(network, described)
    other = Network(name="srgan", scale=2, colour="luma", params={"blocks": 1, "filters": 4})
    with pytest.raises(InputError, match=r"this recipe's is 'srgan'"):
        start.give(build("srgan", scale=2, colour="luma", blocks=1, filters=4), other)


def test_what_is_no_start_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="'video-x9' is neither a shipped model"):
        load_start("video-x9")
    with pytest.raises(InputError, match="no checkpoint at"):
        load_start(tmp_path / "none.pt")
    # It has a manifest, but no recipe that tells its layers.
    with pytest.raises(ModelError, match=r"a\.onnx does not say with a recipe of this version"):
        load_start(save_model(tmp_path / "a.onnx", nearest(1, 2), scale=2))
    with pytest.raises(ModelError, match=r"b\.onnx does not say with a recipe"):
        load_start(without_manifest(tmp_path / "b.onnx"))
