"""Adversarial losses of discriminator and generator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["ADVERSARIES", "Adversary"]


@dataclass(frozen=True)
class Adversary:
    """A pair of losses; each takes (real_logits, fake_logits) of one shape and gives a mean.

    `compares` tells whether the generator's looks at the logits of real pictures at all.
    """

    discriminator: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor, Tensor], Tensor]
    compares: bool = True


def _hinge_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    return (torch.relu(1 - real).mean() + torch.relu(1 + fake).mean()) / 2


def _hinge_generator(real: Tensor, fake: Tensor) -> Tensor:
    del real
    return -fake.mean()


def _relativistic_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    more_real = F.softplus(-(real - fake.mean()))
    less_real = F.softplus(fake - real.mean())
    return (more_real.mean() + less_real.mean()) / 2


def _relativistic_generator(real: Tensor, fake: Tensor) -> Tensor:
    return _relativistic_discriminator(fake, real)


# Lim and Ye, "Geometric GAN", 2017 (arXiv 1705.02894).
hinge = Adversary(_hinge_discriminator, _hinge_generator, compares=False)

# Which of the two looks more real than the other does on average: Jolicoeur-Martineau, "The
# Relativistic Discriminator", 2018, as in Wang et al., "ESRGAN", 2018 (arXiv 1809.00219).
relativistic = Adversary(_relativistic_discriminator, _relativistic_generator)

ADVERSARIES: Mapping[str, Adversary] = {"hinge": hinge, "relativistic": relativistic}
