"""The halo of a network: perturb one input pixel, see which outputs change."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from restore_rt.errors import ModelError
from restore_rt.export.samples import SIZE, synthetic_samples

__all__ = ["Halo", "ReachError", "find_halo", "measure_effect", "measure_halo"]

# Samples of these many times the usual size are tried before a network is given up: small ones
# first, since convolutions in double precision are slow.
GROWTH = (0.5, 1, 2, 4, 8)
# Networks of more weights would take hours in double precision; they look far, too.
MOST_PARAMETERS = 4_000_000
# What the pixels beyond an effective halo may change, of 1: half a step of 8 bits.
EFFECT = 0.5 / 255
# Sides of the samples that show it.
EFFECT_SIZES = (96, 192, 384)
PERTURBATIONS = (0.25, -0.25, 1.0, -1.0, 8.0, -8.0)


class ReachError(ModelError):
    """The halo reaches the edge of the samples that it was measured on."""


@dataclass(frozen=True)
class Halo:
    """How many pixels of context a tile needs; if not `exact`, more would still change a little."""

    pixels: int
    exact: bool


def find_halo(network: nn.Module, channels: int, *, scale: int, multiple: int) -> Halo:
    """Measure the halo on samples that grow until it fits; see `measure_halo`.

    A network with more than `MOST_PARAMETERS` weights gets an effective one, see `measure_effect`.
    Raises `ReachError` if the influence reaches the edge of the largest samples too.
    """
    if sum(parameter.numel() for parameter in network.parameters()) > MOST_PARAMETERS:
        return Halo(_find_effect(network, channels, scale=scale, multiple=multiple), exact=False)
    for growth in GROWTH:
        height, width = (math.ceil(side * growth / multiple) * multiple for side in SIZE)
        # Black and white, the last of them, excites little.
        samples = synthetic_samples(channels, size=(height, width))[:-1]
        inputs = [torch.from_numpy(sample) for sample in samples]
        try:
            pixels = measure_halo(network, inputs, scale=scale, multiple=multiple)
            return Halo(pixels, exact=True)
        except ReachError:
            continue
    raise ReachError(
        f"a change of one pixel reaches the edge of a sample of {height}x{width}; such a network "
        "cannot run on tiles: make one that looks less far (a mean over the picture looks at all)"
    )


def _find_effect(network: nn.Module, channels: int, *, scale: int, multiple: int) -> int:
    for size in EFFECT_SIZES:
        side = -(-size // (4 * multiple)) * 4 * multiple
        # Noise excites more than any picture does; waves and edges are what pictures have.
        samples = synthetic_samples(channels, size=(side, side))[:3]
        inputs = [torch.from_numpy(sample) for sample in samples]
        try:
            return measure_effect(network, inputs, scale=scale)
        except ReachError:
            continue
    raise ReachError(
        f"what lies {side // 4} pixels away still changes the output by more than half a step of "
        "8 bits; "
        "such a network cannot run on tiles"
    )


@torch.no_grad()
def measure_effect(network: nn.Module, samples: Sequence[Tensor], *, scale: int) -> int:
    """Measure from how many input pixels away what `network` sees changes no 8-bit output.

    Each sample's middle half is restored alone, and compared with what it is in the whole, and in
    white: how far from its edge they differ by more than `EFFECT` is how much context a tile needs.
    Samples are (1, C, H, W), with sides whose quarters are what the network takes multiples of.

    Raises `ReachError` if it is a quarter of a sample's side or more, so that the samples' own
    edges count too.
    """
    halo = 0
    for x in samples:
        top, left = (side // 4 for side in x.shape[2:])
        bottom, right = (3 * side // 4 for side in x.shape[2:])
        middle = x[:, :, top:bottom, left:right]
        # Where a picture is alike everywhere, even its mean is that of its middle.
        white = torch.ones_like(x)
        white[:, :, top:bottom, left:right] = middle
        alone = network(middle)
        for whole in (x, white):
            restored = network(whole)[:, :, top * scale : bottom * scale]
            restored = restored[:, :, :, left * scale : right * scale]
            differs = ((restored - alone).abs() > EFFECT)[0].any(dim=0)
            rows, columns = (places // scale for places in differs.nonzero(as_tuple=True))
            if not len(rows):
                continue
            # To the nearest of the four edges.
            near_row = torch.minimum(rows, bottom - top - 1 - rows)
            near_column = torch.minimum(columns, right - left - 1 - columns)
            halo = max(halo, int(torch.minimum(near_row, near_column).max()) + 1)
        if halo >= min(bottom - top, right - left) // 2:
            raise ReachError(
                f"the middle of a sample of {x.shape[2]}x{x.shape[3]} depends on what lies beyond "
                "it everywhere; measure on larger samples"
            )
    return halo


@torch.no_grad()
def measure_halo(
    network: nn.Module,
    samples: Sequence[Tensor],
    *,
    scale: int,
    multiple: int = 1,
    positions: int = 2,
    seed: int = 0,
) -> int:
    """Measure the distance in input pixels over which `network` looks, along either axis.

    In double precision, one pixel is changed, by little and by much and in both directions, since a
    ReLU that is off hides what lies behind it; any output bit that differs counts. The samples (1,
    C, H, W) are to excite the network: noise, and pieces of pictures. They must be larger than the
    reach that is found, or the result could be cut short by their edges: `ReachError` is raised
    then.

    `positions` pixels are tried around the middle of each sample, chosen by `seed`. A network that
    folds blocks of pixels, and so needs height and width to be multiples of `multiple`, looks
    further from some pixels of a block than from others: all their rows and columns are tried.
    """
    precise = copy.deepcopy(network).double().eval()
    generator = torch.Generator().manual_seed(seed)
    halo = 0
    for sample in samples:
        x = sample.double()
        height, width = x.shape[2:]
        before = precise(x)
        count = max(positions, multiple)
        # Off the middle by up to four pixels, so that grids inside the network show.
        dy, dx = (int(v) for v in torch.randint(-4, 5, (2,), generator=generator))
        for step in range(-(count // 2), count - count // 2):
            row, column = height // 2 + dy + step, width // 2 + dx + step
            room = min(row, column, height - 1 - row, width - 1 - column)
            for change in PERTURBATIONS:
                altered = x.clone()
                altered[0, :, row, column] += change
                # Of one shape with `before`, so that what it does not reach is computed alike.
                changed = (precise(altered) != before)[0].any(dim=0).nonzero()
                if len(changed):
                    reached = changed.div(scale, rounding_mode="floor")
                    distance = (reached - torch.tensor([row, column])).abs().max()
                    halo = max(halo, int(distance))
                if halo >= room:
                    raise ReachError(
                        f"a change reached {halo} pixels, to the edge of a {height}x{width} "
                        "sample; measure the halo on larger samples"
                    )
    return halo
