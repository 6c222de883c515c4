from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn

from restore_rt.training.loop import objective, state
from restore_rt.training.loop.checkpoint import load_checkpoint
from restore_rt.training.loop.trainer import TrainingError, learning_rate, train
from restore_rt.training.networks import NETWORKS, build
from restore_rt.training.recipes import Recipe
from tests.training.conftest import ADVERSARY, RecipeOf, quiet, same


def test_the_rate_warms_up_and_falls(recipe_of: RecipeOf) -> None:
    optim = recipe_of().optim
    rates = [learning_rate(optim, step) for step in range(12)]
    assert rates[0] == pytest.approx(optim.rate / 2)
    assert rates[1] == rates[2] == pytest.approx(optim.rate)
    assert rates[2:] == sorted(rates[2:], reverse=True)
    assert learning_rate(optim, 12) == pytest.approx(optim.rate_end)


def test_the_average_is_validated_as_it_will_be_used(
    recipe_of: RecipeOf, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
    content = load_checkpoint(train(recipe, pictures, tmp_path / "run", say=quiet))
    assert modes == {(True, True), (False, False)}
    for buffer in ("norm.running_mean", "norm.running_var", "norm.num_batches_tracked"):
        assert torch.equal(content["average"][buffer], content["network"][buffer])
    assert content["average"]["norm.num_batches_tracked"] == 12


@pytest.mark.parametrize("kind", ["hinge", "relativistic"])
def test_each_side_of_an_adversarial_run_starts_when_it_shall(
    recipe_of: RecipeOf, pictures: Path, tmp_path: Path, kind: str
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


def test_no_checkpoint_is_promised_where_there_is_none(
    recipe_of: RecipeOf, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objective, "LOSSES", {"l1": lambda a, b: (a - b).mean() / 0})
    with pytest.raises(
        TrainingError, match=r"^step 1: loss is -?inf, first in the loss l1; lower"
    ) as caught:
        train(recipe_of(), pictures, tmp_path / "run", say=quiet)
    assert "kept" not in str(caught.value)


def test_the_first_value_that_is_no_number_stops_the_run(
    recipe_of: RecipeOf, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = iter(range(100))

    def breaks(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        loss = (output - target).abs().mean()
        return loss * float("nan") if next(calls) == 5 else loss

    monkeypatch.setattr(objective, "LOSSES", {"l1": breaks})
    with pytest.raises(TrainingError, match="step 6: loss is nan"):
        train(recipe_of(), pictures, tmp_path / "run", say=quiet)
    assert load_checkpoint(tmp_path / "run" / "last.pt")["step"] == 4


def test_an_activation_that_is_no_number_names_its_layer(
    recipe_of: RecipeOf, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = iter(range(100))

    def with_a_fault(*args: Any, **params: Any) -> nn.Module:
        network = build(*args, **params)

        def breaks(module: nn.Module, inputs: Any, output: Tensor) -> Tensor:
            # The calls of the average's validations count too.
            return output * float("nan") if module.training and next(calls) >= 5 else output

        network.get_submodule("layers.2").register_forward_hook(breaks)
        return network

    monkeypatch.setattr(state, "build", with_a_fault)
    with pytest.raises(
        TrainingError, match=r"step 6: loss is nan, first in the output of layers\.2;.* is kept"
    ):
        train(recipe_of(), pictures, tmp_path / "run", say=quiet)


def test_a_gradient_that_is_no_number_names_its_layer(
    recipe_of: RecipeOf, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = iter(range(100))

    def with_a_fault(*args: Any, **params: Any) -> nn.Module:
        network = build(*args, **params)
        network.get_parameter("layers.2.weight").register_hook(  # type: ignore[no-untyped-call]
            lambda gradient: gradient * float("nan") if next(calls) == 2 else gradient
        )
        return network

    monkeypatch.setattr(state, "build", with_a_fault)
    message = (
        r"step 3: gradient norm is nan, first in the gradient of layers\.2\.weight; lower optim"
    )
    with pytest.raises(TrainingError, match=message):
        train(recipe_of(), pictures, tmp_path / "run", say=quiet)
