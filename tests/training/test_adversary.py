from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from restore_rt.training import precision
from restore_rt.training.faults import TrainingError
from restore_rt.training.loop.adversary import Opponent
from restore_rt.training.precision import Precision
from tests.training.conftest import RecipeOf

ADVERSARY = 'l1 = 1\n[adversary]\nkind = "hinge"\nweight = 0.5\nsize = 4\nrate = 2e-3\n'
MakeOpponent = Callable[..., Opponent]


@pytest.fixture
def opponent(recipe_of: RecipeOf) -> MakeOpponent:
    """Return a function that makes a small opponent of a kind."""

    def make(kind: str = "hinge", generator: Precision | None = None) -> Opponent:
        torch.manual_seed(0)
        text = ADVERSARY.replace("hinge", kind)
        recipe = recipe_of(("patch = 12", "patch = 16"), ("l1 = 1\n", text))
        return Opponent(recipe, generator or Precision("mixed", "cpu"))

    return make


def batch() -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(1)
    output, target = torch.rand(2, 2, 1, 33, 35, generator=rng)
    return output, target


def test_a_step_moves_the_discriminator_and_nothing_else(opponent: MakeOpponent) -> None:
    one, (output, target) = opponent(), batch()
    output.requires_grad_()
    before = {name: p.detach().clone() for name, p in one.network.named_parameters()}
    losses = [one.learn(output, target) for _ in range(20)]
    assert losses[-1] < losses[0]
    assert output.grad is None
    assert not any(torch.equal(p, before[name]) for name, p in one.network.named_parameters())
    one.judge(output, target).backward()  # type: ignore[no-untyped-call]
    assert output.grad is not None
    assert all(p.grad is None or not p.requires_grad for p in one.network.parameters())


def test_a_loss_that_is_no_number_stops_it(opponent: MakeOpponent) -> None:
    one, (output, target) = opponent(), batch()
    target[0, 0, 3, 3] = float("nan")
    with pytest.raises(
        TrainingError,
        match=r"discriminator's loss is nan, first in the output of layers\.0; "
        r"lower adversary\.rate, which is 0\.002",
    ):
        one.learn(output, target)


def test_a_gradient_that_is_no_number_stops_it(opponent: MakeOpponent) -> None:
    one, (output, target) = opponent(), batch()
    layer = one.network.get_submodule("layers.5")
    assert isinstance(layer, nn.Conv2d)
    assert layer.bias is not None
    layer.bias.register_hook(lambda gradient: gradient * float("inf"))  # type: ignore[no-untyped-call]
    with pytest.raises(
        TrainingError, match=r"norm is .*in the gradient of layers\.5\.bias; lower adv"
    ):
        one.learn(output, target)


@pytest.mark.parametrize(("kind", "looks"), [("hinge", 1), ("relativistic", 2)])
def test_targets_are_judged_only_where_that_counts(
    opponent: MakeOpponent, kind: str, looks: int
) -> None:
    one, seen = opponent(kind), []
    one.network.register_forward_hook(lambda *_: seen.append(1))
    loss = one.judge(*batch())
    assert len(seen) == looks
    assert loss.isfinite()


def test_its_gradients_are_scaled_like_the_generators(
    opponent: MakeOpponent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "lower_dtype", lambda *, gpu: torch.float16)
    generator = Precision("mixed", "cpu")
    before_it = generator.state()
    one, (output, target) = opponent(generator=generator), batch()
    assert one.precision.dtype is torch.float16
    scale = one.state()["scaler"]["scale"]
    before = one.network.layers[0].bias.detach().clone()  # type: ignore[operator]
    for _ in range(3):
        assert one.learn(output, target) < 10
    after = one.state()
    assert after["scaler"]["scale"] <= scale
    # An overflow of the first scale may be skipped; what is not, moves the weights.
    assert not torch.equal(one.network.layers[0].bias, before)  # type: ignore[arg-type]
    # Each side has a scale of its own, which the other's overflows leave alone.
    one.precision.load(after["scaler"] | {"scale": 2.0})
    assert generator.state() == before_it
    other = opponent()
    other.load(after)
    assert other.state()["scaler"] == after["scaler"]


def test_checkpoints_from_before_it_had_a_scaler_load(opponent: MakeOpponent) -> None:
    one, other = opponent(), opponent()
    one.learn(*batch())
    state = one.state()
    del state["scaler"]
    other.load(state)
    assert other.learn(*batch()) == one.learn(*batch())
