"""The networks that a recipe can name, and how to build one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from restore_rt.errors import ModelError
from restore_rt.training.networks.chroma import ChromaNet
from restore_rt.training.networks.compact import CompactNet, deepen, look_around
from restore_rt.training.networks.discriminator import Discriminator
from restore_rt.training.networks.folding import fold, unfold
from restore_rt.training.networks.inpaint import InpaintNet, coarse_to_fine
from restore_rt.training.networks.pyramid import PyramidNet
from restore_rt.training.networks.restore import RestoreNet
from restore_rt.training.networks.rrdb import Rrdb
from restore_rt.training.networks.srgan import SrGan
from restore_rt.training.networks.srvgg import Srvgg

__all__ = [
    "NETWORKS",
    "Discriminator",
    "build",
    "coarse_to_fine",
    "deepen",
    "fold",
    "look_around",
    "unfold",
]

NETWORKS: Mapping[str, Callable[..., nn.Module]] = {
    "chroma": ChromaNet,
    "compact": CompactNet,
    "inpaint": InpaintNet,
    "pyramid": PyramidNet,
    "restore": RestoreNet,
    "rrdb": Rrdb,
    "srgan": SrGan,
    "srvgg": Srvgg,
}


def build(name: str, /, **params: Any) -> nn.Module:
    """Build the network called `name` with its parameters.

    Raises `ModelError` if the name is unknown or a parameter is not one that the network takes.
    """
    if name not in NETWORKS:
        raise ModelError(f"unknown network {name!r}; there are: {', '.join(sorted(NETWORKS))}")
    try:
        return NETWORKS[name](**params)
    except TypeError as error:
        raise ModelError(f"network {name!r} cannot be built from {params}: {error}") from None
