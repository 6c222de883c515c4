"""The state of a training (networks, optimisers and figures), and its steps."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from restore_rt.training.faults import TrainingError, output_fault
from restore_rt.training.loop.adversary import Opponent
from restore_rt.training.loop.checkpoint import load_weights
from restore_rt.training.loop.objective import Objective
from restore_rt.training.loop.starting import WEIGHTS, Start
from restore_rt.training.networks import build, coarse_to_fine
from restore_rt.training.precision import Precision
from restore_rt.training.recipes import Optim, Recipe

__all__ = ["KEYS", "TrainingState", "learning_rate"]

# What a checkpoint must have to go on from it. What was added later is not among them.
KEYS = (
    *WEIGHTS,
    *("pictures", "step", "best", "metrics", "losses", "network", "adam", "scaler", "opponent"),
)
# The stream of random numbers that says at how many smaller sizes holes are filled first.
LEVELS = 3


def learning_rate(optim: Optim, step: int) -> float:
    """Return the rate at `step`, counted from 0: a linear warm-up, then half a cosine."""
    if step < optim.warmup:
        return optim.rate * (step + 1) / optim.warmup
    progress = (step - optim.warmup) / max(1, optim.steps - optim.warmup)
    return optim.rate_end + (optim.rate - optim.rate_end) * (1 + math.cos(math.pi * progress)) / 2


class TrainingState:
    """A training's networks, optimisers and figures.

    `network` is trained, and `average` the running average of its weights. `done` steps were taken;
    `best` is the highest PSNR at a validation, over all variants, and `metrics` has the figures of
    the last one. `made_from` has fingerprints, by name, of what a resumed run must find again.

    Raises `InputError` if a perceptual loss lacks its weights.
    """

    def __init__(self, recipe: Recipe, precision: Precision) -> None:
        self.recipe, self.precision = recipe, precision
        torch.manual_seed(recipe.seed)
        self.network = self._build()
        self.average = self._build().eval()
        self.average.load_state_dict(self.network.state_dict())
        self.adam = torch.optim.Adam(self.network.parameters(), lr=recipe.optim.rate)
        self.objective = Objective(recipe, precision)
        self.opponent = Opponent(recipe, precision) if recipe.adversary else None
        self.made_from: dict[str, int] = dict(self.objective.made_from)
        self.done = 0
        self.best = -math.inf
        self.metrics: dict[str, float] = {}
        # Since the last validation.
        self._losses: list[float] = []
        self._sides: dict[str, list[float]] = {"discriminator_loss": [], "adversarial_loss": []}

    def _build(self) -> nn.Module:
        net = self.recipe.network
        network = build(net.name, scale=net.scale, colour=net.colour, **net.params)
        # Convolutions of few channels are faster so, on a CPU.
        return network.to(self.precision.device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]

    def step(self, x: Tensor, y: Tensor) -> float:
        """Train on a batch; returns the loss.

        Raises `TrainingError` if a loss or a gradient is not finite.
        """
        optim, adversary = self.recipe.optim, self.recipe.adversary
        rate = learning_rate(optim, self.done)
        for group in self.adam.param_groups:
            group["lr"] = rate
        device = self.precision.device
        x = x.to(device).contiguous(memory_format=torch.channels_last)
        y = y.to(device).contiguous(memory_format=torch.channels_last)
        self.adam.zero_grad()
        holes = x if self.recipe.network.mask else None
        if levels := self.recipe.data.levels:
            rng = np.random.default_rng([self.recipe.seed, LEVELS, self.done])
            with self.precision.autocast():
                x = coarse_to_fine(self.network, x, int(rng.integers(levels + 1)))
        with self.precision.autocast():
            output = self.network(x)
        output = output.float()
        loss: Tensor = self.objective(output, y, holes)
        if adversary and self.opponent:
            # Before the discriminator gets it, which would be blamed otherwise.
            self._check(loss, x, y)
            if self.done >= adversary.discriminator_start:
                self._sides["discriminator_loss"].append(self.opponent.learn(output, y))
            if self.done >= adversary.adversarial_start:
                judged = self.opponent.judge(output, y)
                if not math.isfinite(judged.item()):
                    raise self._error(f"the adversarial loss is {judged.item()}")
                self._sides["adversarial_loss"].append(judged.item())
                loss = loss + judged
        if adversary is None or self.done >= adversary.generator_start:
            self.precision.backward(loss, self.adam)
            self._check(loss, x, y)
            try:
                self.precision.descend(self.network, self.adam, clip=optim.clip)
            except TrainingError as error:
                raise self._error(str(error)) from None
        _follow(self.average, self.network, min(optim.ema, (self.done + 1) / (self.done + 10)))
        self._losses.append(loss.item())
        self.done += 1
        return self._losses[-1]

    def _check(self, loss: Tensor, x: Tensor, y: Tensor) -> None:
        if math.isfinite(loss.item()):
            return
        outputs: list[Tensor] = []

        def forward() -> None:
            with self.precision.autocast():
                outputs.append(self.network(x))

        fault = output_fault(self.network, forward)
        if not fault:
            with torch.no_grad():
                fault = self.objective.fault(outputs[0].float(), y)
        raise self._error(f"loss is {loss.item()}{fault}")

    def _error(self, what: str) -> TrainingError:
        rate = learning_rate(self.recipe.optim, self.done)
        return TrainingError(f"{what}; lower optim.rate, which was {rate:.3g} here")

    def figures(self) -> dict[str, float]:
        """Return the means since the last call: of the loss and, with an adversary, of its parts.

        ``discriminator_loss`` is the discriminator's own, ``adversarial_loss`` what it adds to the
        generator's loss; each is left out where it did not take part.
        """
        figures = {"loss": float(np.mean(self._losses))}
        for values in self._sides:
            if self._sides[values]:
                figures[values] = float(np.mean(self._sides[values]))
            self._sides[values].clear()
        self._losses.clear()
        return figures

    def content(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        return {
            "recipe": self.recipe.text,
            **self.made_from,
            "device": self.precision.device.type,
            "dtype": self.precision.dtype_name,
            "threads": torch.get_num_threads(),
            "step": self.done,
            "best": self.best,
            "metrics": self.metrics,
            "losses": self._losses,
            "sides": self._sides,
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "adam": self.adam.state_dict(),
            "scaler": self.precision.state(),
            "opponent": self.opponent.state() if self.opponent else {},
        }

    def load(self, content: Mapping[str, Any], path: Path) -> None:
        """Take up a checkpoint of this run, read from `path`."""
        load_weights(self.network, content["network"], path)
        load_weights(self.average, content["average"], path)
        self.adam.load_state_dict(content["adam"])
        self.precision.load(content["scaler"])
        if self.opponent:
            self.opponent.load(content["opponent"])
        self.done, self.best = content["step"], content["best"]
        self.metrics, self._losses = content["metrics"], content["losses"]
        self._sides |= content.get("sides", {})

    def begin_with(self, start: Start) -> None:
        """Take the weights of another run, or of a model.

        Raises `InputError` if they are of a network whose place this one cannot take.
        """
        start.give(self.network, self.recipe.network)
        self.average.load_state_dict(self.network.state_dict())


@torch.no_grad()
def _follow(average: nn.Module, network: nn.Module, decay: float) -> None:
    torch._foreach_lerp_(list(average.parameters()), list(network.parameters()), 1 - decay)
    # Buffers are constants, counts, or averages already.
    for mine, theirs in zip(average.buffers(), network.buffers(), strict=True):
        mine.copy_(theirs)
