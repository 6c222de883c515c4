"""The discriminator's side of adversarial training."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from restore_rt.training.faults import TrainingError, output_fault
from restore_rt.training.losses import ADVERSARIES
from restore_rt.training.networks import Discriminator
from restore_rt.training.precision import Precision
from restore_rt.training.recipes import Adversary, Recipe

__all__ = ["Opponent"]


class Opponent:
    """A discriminator that learns to tell targets from outputs, and judges the generator.

    The generator runs in `precision`; the discriminator's gradients get a scale of their own.
    """

    def __init__(self, recipe: Recipe, precision: Precision) -> None:
        assert recipe.adversary is not None
        self.options: Adversary = recipe.adversary
        self.precision = precision.twin()
        channels = 3 if recipe.network.colour == "rgb" else 1
        network = Discriminator(size=self.options.size, channels=channels)
        # Convolutions of few channels are faster so, on a CPU.
        self.network: Discriminator = network.to(
            precision.device,
            memory_format=torch.channels_last,  # type: ignore[call-overload]
        )
        self.adam = torch.optim.Adam(
            self.network.parameters(), lr=self.options.rate, betas=(0.9, 0.99)
        )
        self.loss = ADVERSARIES[self.options.kind]
        self.clip = recipe.optim.clip

    def learn(self, output: Tensor, target: Tensor) -> float:
        """Take one step on a batch; returns the discriminator's loss.

        Raises `TrainingError` if the loss or a gradient is not finite.
        """
        self.network.requires_grad_(True)
        self.adam.zero_grad()
        output = output.detach()
        with self.precision.autocast():
            real, fake = self.network(target), self.network(output)
        loss = self.loss.discriminator(real.float(), fake.float())
        self.precision.backward(loss, self.adam)
        try:
            if not math.isfinite(loss.item()):
                fault = output_fault(self.network, lambda: self._look(output, target))
                raise TrainingError(f"loss is {loss.item()}{fault}")
            self.precision.descend(self.network, self.adam, clip=self.clip)
        except TrainingError as error:
            raise TrainingError(
                f"the discriminator's {error}; lower adversary.rate, which is "
                f"{self.options.rate:.3g}"
            ) from None
        return float(loss.item())

    def _look(self, output: Tensor, target: Tensor) -> None:
        with self.precision.autocast():
            self.network(target)
            self.network(output)

    def judge(self, output: Tensor, target: Tensor) -> Tensor:
        """Give the generator's adversarial loss, by the recipe's weight."""
        self.network.requires_grad_(False)
        with self.precision.autocast():
            fake = self.network(output)
            real = self.network(target) if self.loss.compares else fake
        loss: Tensor = self.loss.generator(real.float(), fake.float())
        return self.options.weight * loss

    def state(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        return {
            "network": self.network.state_dict(),
            "adam": self.adam.state_dict(),
            "scaler": self.precision.state(),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Restore the result of `state`."""
        self.network.load_state_dict(state["network"])
        self.adam.load_state_dict(state["adam"])
        self.precision.load(state.get("scaler", {}))
