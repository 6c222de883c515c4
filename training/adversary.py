"""The discriminator's side of adversarial training."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from restore_rt.training.losses import ADVERSARIES
from restore_rt.training.networks import Discriminator
from restore_rt.training.recipe import Adversary, Recipe

__all__ = ["Opponent"]


class Opponent:
    """A discriminator that learns to tell targets from outputs, and judges the generator.

    Parameters
    ----------
    recipe
        With an adversary.
    device
        Where it runs.
    """

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        assert recipe.adversary is not None
        self.options: Adversary = recipe.adversary
        channels = 3 if recipe.network.colour == "rgb" else 1
        self.network = Discriminator(size=self.options.size, channels=channels).to(device)
        self.adam = torch.optim.Adam(
            self.network.parameters(), lr=self.options.rate, betas=(0.9, 0.99)
        )
        self.loss = ADVERSARIES[self.options.kind]
        self.clip = recipe.optim.clip

    def learn(self, output: Tensor, target: Tensor, precision: Any) -> float:
        """Take one step on a batch; returns the discriminator's loss."""
        self.network.requires_grad_(True)
        self.adam.zero_grad()
        with precision():
            real, fake = self.network(target), self.network(output.detach())
        loss = self.loss.discriminator(real.float(), fake.float())
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.clip)
        if math.isfinite(loss.item()) and math.isfinite(norm.item()):
            self.adam.step()
        return float(loss.item())

    def judge(self, output: Tensor, target: Tensor, precision: Any) -> Tensor:
        """Give the generator's adversarial loss, by the recipe's weight."""
        self.network.requires_grad_(False)
        with precision():
            fake, real = self.network(output), self.network(target)
        loss: Tensor = self.loss.generator(real.float(), fake.float())
        return self.options.weight * loss

    def state(self) -> dict[str, Any]:
        """Give what a checkpoint keeps."""
        return {"network": self.network.state_dict(), "adam": self.adam.state_dict()}

    def load(self, state: dict[str, Any]) -> None:
        """Take up what `state` gave."""
        self.network.load_state_dict(state["network"])
        self.adam.load_state_dict(state["adam"])
