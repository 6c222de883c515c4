"""Training of networks that fill holes: masks, the network, its data, runs and the export."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from restore_rt.cli import run
from restore_rt.errors import InputError
from restore_rt.inpaint import fill, halve
from restore_rt.model.manifest import read_manifest
from restore_rt.training.data.batches import load_data
from restore_rt.training.data.holes import with_hole
from restore_rt.training.degradations import parse_spec
from restore_rt.training.degradations.holes import Holes
from restore_rt.training.degradations.shapes import SHAPES
from restore_rt.training.loop.checkpoint import load_checkpoint
from restore_rt.training.loop.objective import Objective
from restore_rt.training.loop.trainer import train
from restore_rt.training.loop.validation import validate
from restore_rt.training.metrics.fidelity import psnr
from restore_rt.training.networks import build, coarse_to_fine
from restore_rt.training.precision import Precision
from restore_rt.training.recipes import Recipe, RecipeError, load_recipe, parse_recipe
from tests.training.conftest import picture, quiet, same

TEXT = """
seed = 7
loss = { psnr = 1 }

[model]
name = "tiny-inpaint"
version = "1"
task = "inpaint"
content = "photo"
tile = [128, 128]
trained_on = "patterns"
licence = "CC0-1.0"

[network]
name = "inpaint"
scale = 1
colour = "rgb"
mask = true
params = { half = 6, fine = 1, width = 4, blocks = 1 }

[data]
holdout = 3
batch = 3
patch = 32
levels = 2

[data.folders]
patterns = 1

[data.cache]
region = 40
count = 6
renew = 2

[[data.variants]]
name = "scratches"
share = 2
steps = [{ kind = "holes", shapes = ["scratch"], coverage = [0.02, 0.1] }]

[[data.variants]]
name = "flakes"
share = 1
steps = [{ kind = "holes", shapes = ["flake"], coverage = [0.1, 0.2], size = [4, 20] }]

[optim]
steps = 12
validation_interval = 4
rate = 1e-2
rate_end = 1e-4
warmup = 2
clip = 1.0
ema = 0.9
"""


def recipe_of(*replacements: tuple[str, str]) -> Recipe:
    text = TEXT
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new)
    return parse_recipe(text)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("coverage", [0.01, 0.08, 0.3])
def test_masks_cover_what_they_are_to_cover(shape: str, coverage: float) -> None:
    step = Holes(shapes=(shape,), coverage=(coverage, coverage), size=(2, 30))
    shares = []
    for seed in range(8):
        mask = step.mask(np.random.default_rng(seed), 96, 131)
        assert mask.shape == (96, 131)
        assert mask.dtype == bool
        shares.append(mask.mean())
    # The last shape may be larger than what was lacking; a square is rounded to whole pixels.
    assert min(shares) >= 0.95 * coverage
    assert np.median(shares) <= 2.5 * coverage + 0.04


def test_masks_depend_on_the_generator_alone() -> None:
    first, second, other = (Holes().mask(np.random.default_rng(seed), 64, 80) for seed in (1, 1, 2))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (5, 3)])
def test_a_mask_of_a_tiny_picture_leaves_something(size: tuple[int, int]) -> None:
    for seed in range(30):
        mask = Holes(coverage=(0.6, 0.6)).mask(np.random.default_rng(seed), *size)
        assert not mask.all()


def test_holes_are_painted_whitish_for_other_networks() -> None:
    (step,) = parse_spec("holes:flake|blob:coverage=0.1")
    frame = np.zeros((60, 80, 3), np.uint8)
    (painted,) = step.apply([frame], np.random.default_rng(0), scale=1)
    changed = (painted != frame).any(axis=2)
    assert 0.09 < changed.mean() < 0.4
    assert painted[changed].min() > 180
    assert not frame.any()


@pytest.mark.parametrize(("colour", "channels"), [("luma", 1), ("rgb", 3)])
@pytest.mark.parametrize("size", [(4, 4), (20, 12)])
def test_the_network_changes_holes_alone(colour: str, channels: int, size: tuple[int, int]) -> None:
    network = build("inpaint", half=6, fine=1, width=6, blocks=2, scale=1, colour=colour)
    torch.nn.init.ones_(network.last.bias)  # type: ignore[arg-type, union-attr]
    x = torch.rand(2, channels + 1, *size)
    x[:, -1] = 0
    x[:, -1, 1:3, 1:3] = 1
    with torch.no_grad():
        y = network(x)
    assert y.shape == (2, channels, *size)
    changed = (y != x[:, :-1]).any(1)
    assert torch.equal(changed, x[:, -1] == 1)


@pytest.mark.parametrize(
    ("params", "message"),
    [({"scale": 2}, "scale"), ({"half": 0}, "half"), ({"blocks": 0}, "blocks")],
)
def test_parameters_that_are_not_allowed_are_named(params: dict[str, int], message: str) -> None:
    usual = {"half": 6, "fine": 1, "width": 4, "blocks": 1, "scale": 1}
    with pytest.raises(InputError, match=message):
        build("inpaint", colour="rgb", **(usual | params))


class _Coarse(torch.nn.Module):
    """Notes what it is given, and answers with one value."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[torch.Tensor] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen.append(x)
        return torch.full_like(x[:, :-1], 0.25)


def test_the_network_fills_smaller_sizes_first_and_deep_holes_get_that() -> None:
    frame = picture(3, 32, 48)
    hole = np.zeros((32, 48), bool)
    hole[6:24, 9:27] = True
    hole[2, :] = True
    planes = with_hole(frame.transpose(2, 0, 1), hole)
    x = torch.from_numpy(planes)[None].float() / 255
    network = _Coarse()
    filled = coarse_to_fine(network, x, 2)
    assert [tuple(each.shape[2:]) for each in network.seen] == [(8, 12), (16, 24)]
    assert torch.equal(filled[:, -1], x[:, -1])
    # What the runtime gives the network at half the size.
    half, half_hole = halve(frame, hole)
    seen = (network.seen[1][0] * 255).numpy()
    known = half_hole == 0
    assert np.array_equal(seen[3] == 0, known)
    assert np.abs(seen[:3].transpose(1, 2, 0) - half)[known].max() <= 1
    changed = (filled[0, :3] != x[0, :3]).any(0).numpy()
    assert not changed[2].any()
    # Two pixels deep the first fill is kept, and from four on nothing of it.
    wanted = np.zeros_like(hole)
    wanted[8:22, 11:25] = True
    assert np.array_equal(changed, wanted)
    assert torch.allclose(filled[0, :3, 9:21, 12:24], torch.tensor(0.25))


def test_batches_are_pictures_with_holes_that_are_filled(pictures: Path) -> None:
    first, second = (load_data(recipe_of(), pictures, say=quiet)[0] for _ in range(2))
    for step in (0, 1, 7):
        x, y = first.batch(step)
        assert tuple(x.shape) == (3, 4, 32, 32)
        assert tuple(y.shape) == (3, 3, 32, 32)
        for taken, wanted in zip(x.numpy(), y.numpy(), strict=True):
            hole = taken[3] == 1
            assert 0.01 < hole.mean() < 0.6
            assert set(np.unique(taken[3])) == {0, 1}
            assert np.array_equal(taken[:3, ~hole], wanted[:, ~hole])
            frame = np.rint(wanted * 255).astype(np.uint8).transpose(1, 2, 0)
            filled = fill(frame, hole).transpose(2, 0, 1)
            assert np.array_equal(np.rint(taken[:3] * 255).astype(np.uint8), filled)
        again = second.batch(step)
        assert torch.equal(x, again[0])
        assert torch.equal(y, again[1])
    for patches in (first, second):
        patches.regions.close()


def test_validation_measures_the_holes(pictures: Path) -> None:
    patches, pairs, _ = load_data(recipe_of(), pictures, say=quiet)
    patches.regions.close()
    # Its last layer begins with zeros, so that it keeps the first fill.
    network = build("inpaint", half=6, fine=1, width=4, blocks=1, scale=1, colour="rgb")
    scores = validate(network, pairs, scale=1, device=torch.device("cpu"))
    for name, some in pairs.items():
        expected = []
        for pair in some:
            hole = pair.hole
            assert hole is not None
            expected.append(psnr(pair.input[:3, hole].T, pair.target[:, hole].T))
        assert scores[name] == pytest.approx(np.mean(expected), abs=0.01)


def test_losses_of_pixels_are_of_the_holes_relative_to_the_first_fill() -> None:
    objective = Objective(
        recipe_of(("loss = { psnr = 1 }", "loss = { l1 = 1 }")), Precision("fp32", "cpu")
    )
    target = torch.zeros(2, 3, 8, 8)
    mask = torch.zeros(2, 1, 8, 8)
    mask[0, :, 0, :4] = 1
    mask[1, :, :4] = 1

    def off(first: float, second: float) -> torch.Tensor:
        return target + mask * torch.tensor([first, second]).view(2, 1, 1, 1)

    holes = torch.cat((off(0.08, 0.48), mask), 1)
    loss = objective(off(0.05, 0.4), target, holes)
    assert loss.item() == pytest.approx((0.05 / 0.1 + 0.4 / 0.5) / 2)
    # Of 64 pixels 4 and 32 are holes.
    assert objective(off(0.05, 0.4), target).item() == pytest.approx((0.05 / 16 + 0.4 / 2) / 2)


def test_a_run_learns_and_a_resumed_one_ends_as_an_unbroken_one(
    pictures: Path, tmp_path: Path
) -> None:
    recipe = recipe_of(("steps = 12", "steps = 40"), ("interval = 4", "interval = 20"))
    whole = train(recipe, pictures, tmp_path / "whole", device="cpu", say=quiet)
    train(recipe, pictures, tmp_path / "broken", device="cpu", stop_after=23, say=quiet)
    resumed = train(recipe, pictures, tmp_path / "broken", device="cpu", resume=True, say=quiet)
    ended, again = load_checkpoint(whole), load_checkpoint(resumed)
    assert same(ended, again)
    lines = (tmp_path / "whole" / "metrics.csv").read_text().splitlines()
    assert lines[0].split(",")[-2:] == ["psnr_scratches", "psnr_flakes"]
    losses = [float(line.split(",")[1]) for line in lines[1:]]
    assert losses[1] < losses[0]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("mask = true", "mask = false", "network.mask is false and model.task 'inpaint'"),
        ('task = "inpaint"', 'task = "repair"', "network.mask is true and model.task 'repair'"),
        (
            'steps = [{ kind = "holes", shapes = ["flake"]',
            'steps = [{ kind = "jpeg" }, { kind = "holes", shapes = ["flake"]',
            r"data.variants\[1\]: .* the one step must be 'holes'",
        ),
        ("patch = 32", "patch = 34", "data.patch is 34; it must be a multiple of 4"),
        ("patch = 32", "patch = 24", "data.patch halved 2 times"),
        ("levels = 2", "full_range = 0.5", "full_range"),
        ('["scratch"]', '["scrath"]', "scrath"),
    ],
)
def test_recipes_that_do_not_fit_together_are_refused(old: str, new: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        recipe_of((old, new))


def test_levels_are_for_networks_with_a_mask() -> None:
    text = load_recipe("repair-x1").text.replace("patch = 64", "patch = 64\nlevels = 1")
    with pytest.raises(RecipeError, match=r"data\.levels is 1"):
        parse_recipe(text)


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_the_exported_file_takes_an_image_and_a_mask(
    pictures: Path, tmp_path: Path, precision: str
) -> None:
    last = train(recipe_of(), pictures, tmp_path / "run", device="cpu", say=quiet)
    file = tmp_path / "tiny.onnx"
    arguments = ["export", str(last), "-o", str(file), "--precision", precision]
    assert run([*arguments, "--images", str(pictures)]) == 0
    model = onnx.load(file)
    manifest = read_manifest(model)
    assert manifest is not None
    assert (manifest.task, manifest.colour, manifest.multiple) == ("inpaint", "rgb", 4)
    session = onnxruntime.InferenceSession(str(file))
    shapes = {each.name: each.shape[1] for each in session.get_inputs()}
    assert shapes == {"image": 3, "mask": 1}
    rng = np.random.default_rng(0)
    x = rng.random((2, 4, 36, 52), np.float32)
    x[:, 3] = x[:, 3] > 0.7
    (y,) = session.run(["y"], {"image": x[:, :3], "mask": x[:, 3:]})
    network = build("inpaint", half=6, fine=1, width=4, blocks=1, scale=1, colour="rgb")
    network.load_state_dict(load_checkpoint(last)["average"])
    with torch.no_grad():
        expected = network(torch.from_numpy(x)).numpy()
    assert np.abs(y - expected).max() < (1e-5 if precision == "fp32" else 5e-3)
    if precision == "fp32":
        again = tmp_path / "again.onnx"
        assert run(["export", str(file), "-o", str(again)]) == 0
        assert onnx.load(again).graph == model.graph


def test_bytes_and_a_mask_do_not_go_together(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    last = train(recipe_of(), pictures, tmp_path / "run", device="cpu", stop_after=1, say=quiet)
    assert run(["export", str(last), "-o", str(tmp_path / "a.onnx"), "--io", "u8"]) == 2
    assert "takes a mask beside the picture" in capsys.readouterr().err
