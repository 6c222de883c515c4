from __future__ import annotations

import csv
import errno
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from restore_rt.errors import InputError, OutputError
from restore_rt.training import objective, trainer
from restore_rt.training.checkpoint import load_checkpoint, load_weights, save_checkpoint
from restore_rt.training.networks import NETWORKS
from restore_rt.training.recipe import Recipe
from restore_rt.training.trainer import TrainingError, learning_rate, train
from tests.training.conftest import picture


def quiet(line: str) -> None:
    pass


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def same(a: object, b: object) -> bool:
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and torch.equal(a, b)
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    return a == b


@pytest.mark.parametrize("broken_off", [4, 7])
def test_a_resumed_run_equals_an_unbroken_one(
    recipe_of: Callable[..., Recipe], pictures: Path, tmp_path: Path, broken_off: int
) -> None:
    recipe = recipe_of()
    whole = train(recipe, pictures, tmp_path / "whole", say=quiet)
    train(recipe, pictures, tmp_path / "parts", stop_after=broken_off, say=quiet)
    parts = train(recipe, pictures, tmp_path / "parts", resume=True, say=quiet)
    expected, actual = load_checkpoint(whole), load_checkpoint(parts)
    assert expected["step"] == actual["step"] == 12
    for part in ("network", "average", "best", "metrics", "losses"):
        assert same(expected[part], actual[part]), part
    assert same(expected["adam"]["state"], actual["adam"]["state"])
    assert expected["pictures"] == actual["pictures"] != 0
    tables = [rows(tmp_path / run / "metrics.csv") for run in ("whole", "parts")]
    assert [row["step"] for row in tables[1]] == ["4.0", "8.0", "12.0"]
    assert tables[0] == tables[1]


def test_a_run_that_stops_between_validations_says_so(
    recipe_of: Callable[..., Recipe], pictures: Path, tmp_path: Path
) -> None:
    state = load_checkpoint(train(recipe_of(), pictures, tmp_path / "run", stop_after=6, say=quiet))
    assert (state["step"], state["metrics"]["validation_step"]) == (6, 4)
    assert len(state["losses"]) == 2
    with pytest.raises(InputError, match="stop_after is 0; must be at least 1"):
        train(recipe_of(), pictures, tmp_path / "other", stop_after=0, say=quiet)
    assert not (tmp_path / "other").exists()


def test_a_run_killed_between_its_checkpoints_keeps_its_best(
    recipe_of: Callable[..., Recipe],
    pictures: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    train(recipe_of(), pictures, tmp_path / "whole", say=quiet)
    written = 0

    def killed(path: Path, state: dict[str, Any]) -> None:
        nonlocal written
        written += 1
        if written == 4:
            raise KeyboardInterrupt
        save_checkpoint(path, state)

    monkeypatch.setattr(trainer, "save_checkpoint", killed)
    with pytest.raises(KeyboardInterrupt):
        train(recipe_of(), pictures, tmp_path / "parts", say=quiet)
    train(recipe_of(), pictures, tmp_path / "parts", resume=True, say=quiet)
    whole, parts = (load_checkpoint(tmp_path / run / "best.pt") for run in ("whole", "parts"))
    assert whole["step"] == parts["step"]
    assert same(whole["average"], parts["average"])


def test_the_average_is_validated_as_it_will_be_used(
    recipe_of: Callable[..., Recipe],
    pictures: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    modes = set()

    class Normed(nn.Module):
        def __init__(self, *, scale: int, colour: str) -> None:
            super().__init__()
            self.norm = nn.BatchNorm2d(1)
            self.layer = nn.Conv2d(1, scale**2, 1)
            self.scale = scale

        def forward(self, x: Tensor) -> Tensor:
            modes.add((torch.is_grad_enabled(), self.training))
            return nn.functional.pixel_shuffle(self.layer(self.norm(x)), self.scale)

    monkeypatch.setitem(cast("dict[str, type]", NETWORKS), "normed", Normed)
    recipe = recipe_of(('"compact"', '"normed"'), ("{ width = 4, depth = 3 }", "{}"))
    modes.clear()
    state = load_checkpoint(train(recipe, pictures, tmp_path / "run", say=quiet))
    assert modes == {(True, True), (False, False)}
    for buffer in ("norm.running_mean", "norm.running_var", "norm.num_batches_tracked"):
        assert torch.equal(state["average"][buffer], state["network"][buffer])
    assert state["average"]["norm.num_batches_tracked"] == 12


def test_training_brings_the_loss_down(
    recipe_of: Callable[..., Recipe], pictures: Path, tmp_path: Path
) -> None:
    recipe = recipe_of(("steps = 12", "steps = 60"), ("epoch = 4", "epoch = 10"))
    train(recipe, pictures, tmp_path / "run", say=quiet)
    table = rows(tmp_path / "run" / "metrics.csv")
    assert float(table[-1]["loss"]) < 0.9 * float(table[0]["loss"])
    assert float(table[-1]["psnr_clean"]) > float(table[0]["psnr_clean"])


def test_the_first_value_that_is_no_number_stops_the_run(
    recipe_of: Callable[..., Recipe],
    pictures: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = iter(range(100))

    def breaks(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        loss = (output - target).abs().mean()
        return loss * float("nan") if next(calls) == 5 else loss

    monkeypatch.setattr(objective, "LOSSES", {"l1": breaks})
    with pytest.raises(TrainingError, match="step 6: loss is nan"):
        train(recipe_of(), pictures, tmp_path / "run", say=quiet)
    assert load_checkpoint(tmp_path / "run" / "last.pt")["step"] == 4


def test_a_run_is_neither_overwritten_nor_invented(
    recipe_of: Callable[..., Recipe], pictures: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    with pytest.raises(InputError, match="nothing to resume"):
        train(recipe_of(), pictures, run, resume=True, say=quiet)
    train(recipe_of(), pictures, run, stop_after=1, say=quiet)
    with pytest.raises(InputError, match="has a run already"):
        train(recipe_of(), pictures, run, say=quiet)
    # Found out before the pictures, which are not there, are looked for.
    with pytest.raises(InputError, match="another recipe"):
        train(recipe_of(("seed = 7", "seed = 8")), tmp_path / "none", run, resume=True, say=quiet)


def test_the_rate_warms_up_and_falls(recipe_of: Callable[..., Recipe]) -> None:
    optim = recipe_of().optim
    rates = [learning_rate(optim, step) for step in range(12)]
    assert rates[0] == pytest.approx(optim.rate / 2)
    assert rates[1] == rates[2] == pytest.approx(optim.rate)
    assert rates[2:] == sorted(rates[2:], reverse=True)
    assert learning_rate(optim, 12) == pytest.approx(optim.rate_end)


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    save_checkpoint(path, {"step": 3})
    assert load_checkpoint(path)["step"] == 3
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(InputError, match=r"last\.pt cannot be read as a checkpoint"):
        load_checkpoint(path)
    with pytest.raises(InputError, match="no checkpoint at"):
        load_checkpoint(tmp_path / "none.pt")


def test_a_full_disk_is_one_error_and_leaves_the_former_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "last.pt"
    save_checkpoint(path, {"step": 3})

    def full(self: Path, data: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match=r"cannot write .*last\.pt: the disk is full"):
        save_checkpoint(path, {"step": 4})
    assert load_checkpoint(path)["step"] == 3
    assert list(tmp_path.iterdir()) == [path]


def test_weights_of_another_network_are_one_error() -> None:
    with pytest.raises(InputError, match=r"last\.pt does not fit .*weight") as caught:
        load_weights(nn.Conv2d(1, 1, 1), {}, Path("last.pt"))
    assert "\n" not in str(caught.value)


def test_samples_and_records_are_written(
    recipe_of: Callable[..., Recipe], pictures: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    train(recipe_of(), pictures, run, say=quiet)
    grids = sorted(file.name for file in (run / "samples").iterdir())
    assert grids == ["step_0000004.png", "step_0000008.png", "step_0000012.png"]
    # Four pictures side by side, a row for each of three variants.
    with Image.open(run / "samples" / grids[0]) as grid:
        assert grid.width > 3 * grid.height / 3
    recorded = json.loads((run / "metrics.json").read_text())
    assert [row["step"] for row in recorded] == [4, 8, 12]
    assert {"loss", "rate", "psnr_clean", "psnr_h264", "psnr_jpeg"} < set(recorded[0])
    assert any((run / "tensorboard").iterdir())
    assert (run / "recipe.toml").read_text() == recipe_of().text


def test_other_pictures_than_before_are_refused(
    recipe_of: Callable[..., Recipe], pictures: Path, tmp_path: Path
) -> None:
    train(recipe_of(), pictures, tmp_path / "run", stop_after=1, say=quiet)
    Image.fromarray(picture(99)).save(pictures / "patterns" / "99.png")
    with pytest.raises(InputError, match=r"the pictures in .* are not those"):
        train(recipe_of(), pictures, tmp_path / "run", resume=True, say=quiet)


def test_a_run_can_begin_with_the_weights_of_another(
    recipe_of: Callable[..., Recipe], pictures: Path, tmp_path: Path
) -> None:
    first = train(recipe_of(), pictures, tmp_path / "first", say=quiet)
    slow = recipe_of(("rate = 1e-2", "rate = 1e-9"), ("rate_end = 1e-4", "rate_end = 0"))
    second = train(slow, pictures, tmp_path / "second", start=first, stop_after=1, say=quiet)
    before, after = load_checkpoint(first)["average"], load_checkpoint(second)["average"]
    assert all(torch.allclose(before[name], after[name], atol=1e-6) for name in before)
    wider = recipe_of(("width = 4", "width = 5"))
    with pytest.raises(InputError, match=r"last\.pt does not fit the network"):
        train(wider, pictures, tmp_path / "third", start=first, say=quiet)
    with pytest.raises(InputError, match="leave out the start"):
        train(slow, pictures, tmp_path / "second", start=first, resume=True, say=quiet)


ADVERSARY = """
[adversary]
kind = "{kind}"
weight = 0.1
size = 4
rate = 1e-3
generator_start = 2
discriminator_start = 1
adversarial_start = 4
"""


@pytest.mark.parametrize("kind", ["hinge", "relativistic"])
def test_each_side_of_an_adversarial_run_starts_when_it_shall(
    recipe_of: Callable[..., Recipe], pictures: Path, tmp_path: Path, kind: str
) -> None:
    larger = (("patch = 12", "patch = 16"), ("l1 = 1\n", "l1 = 1\n" + ADVERSARY.format(kind=kind)))
    plain = recipe_of(larger[0])
    recipe = recipe_of(*larger)

    def after(step: int, what: Recipe = recipe) -> dict[str, Any]:
        run = tmp_path / f"{step}-{what.adversary is None}"
        return load_checkpoint(train(what, pictures, run, stop_after=step, say=quiet))

    one, two, three, five = (after(step) for step in (1, 2, 3, 5))
    # The generator waits for two steps, the discriminator for one.
    assert same(one["network"], two["network"])
    assert not same(two["network"], three["network"])
    assert one["opponent"]["adam"]["state"] == {}
    assert two["opponent"]["adam"]["state"] != {}
    assert not same(five["network"], after(5, plain)["network"])


def test_an_adversarial_run_resumes_exactly(
    recipe_of: Callable[..., Recipe], pictures: Path, tmp_path: Path
) -> None:
    recipe = recipe_of(
        ("patch = 12", "patch = 16"), ("l1 = 1\n", "l1 = 1\n" + ADVERSARY.format(kind="hinge"))
    )
    whole = train(recipe, pictures, tmp_path / "whole", say=quiet)
    train(recipe, pictures, tmp_path / "parts", stop_after=6, say=quiet)
    parts = train(recipe, pictures, tmp_path / "parts", resume=True, say=quiet)
    expected, actual = load_checkpoint(whole), load_checkpoint(parts)
    for part in ("network", "average", "opponent", "losses"):
        assert same(expected[part], actual[part]), part
    # PSNR does not judge such a run: the best is the latest.
    assert load_checkpoint(tmp_path / "whole" / "best.pt")["step"] == 12


def test_progress_goes_to_the_follower_instead_of_lines(
    recipe_of: Callable[..., Recipe], pictures: Path, tmp_path: Path
) -> None:
    steps: list[int] = []
    lines: list[str] = []
    train(
        recipe_of(), pictures, tmp_path / "run", stop_after=5, follow=steps.append, say=lines.append
    )
    assert steps == [0, 1, 2, 3, 4, 5]
    assert not any("steps/s" in line for line in lines)
    train(recipe_of(), pictures, tmp_path / "other", stop_after=5, say=lines.append)
    assert any("steps/s" in line for line in lines)
