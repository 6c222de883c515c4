"""How far a network looks, found by trying: perturb one input pixel, see which outputs change."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from restore_rt.errors import ModelError

__all__ = ["measure_halo"]

PERTURBATIONS = (0.25, -0.25, 1.0, -1.0, 8.0, -8.0)


@torch.no_grad()
def measure_halo(
    network: nn.Module, samples: Sequence[Tensor], *, scale: int, positions: int = 2, seed: int = 0
) -> int:
    """Measure the distance in input pixels over which `network` looks.

    In double precision, one pixel of one channel is changed, by little and by much and in both
    directions, since a ReLU that is off hides what lies behind it; any output bit that differs
    counts. The input must be larger than the reach that is found, or the result could be cut
    short by its edge: then this raises instead.

    Parameters
    ----------
    network
        Takes (N, C, H, W), gives (N, C, scale*H, scale*W).
    samples
        Inputs (1, C, H, W) that excite the network: noise, and pieces of pictures.
    scale
        Output size over input size.
    positions
        Pixels tried around the middle of each sample.
    seed
        For the choice of those pixels.

    Returns
    -------
    int
        The halo: an output sample over input pixel p depends on no pixel further than this from p,
        along either axis.

    Raises
    ------
    ModelError
        If the influence reaches a sample's edge.
    """
    precise = copy.deepcopy(network).double().eval()
    generator = torch.Generator().manual_seed(seed)
    halo = 0
    for sample in samples:
        x = sample.double()
        _, channels, height, width = x.shape
        before = precise(x)
        for _ in range(positions):
            # Off the middle by up to four pixels, so that grids inside the network show.
            dy, dx = (int(v) for v in torch.randint(-4, 5, (2,), generator=generator))
            row, column = height // 2 + dy, width // 2 + dx
            room = min(row, column, height - 1 - row, width - 1 - column)
            for channel, change in itertools.product(range(channels), PERTURBATIONS):
                altered = x.clone()
                altered[0, channel, row, column] += change
                # Of one shape with `before`, so that what it does not reach is computed alike.
                changed = (precise(altered) != before)[0].any(dim=0).nonzero()
                if len(changed):
                    reached = changed.div(scale, rounding_mode="floor")
                    distance = (reached - torch.tensor([row, column])).abs().max()
                    halo = max(halo, int(distance))
            if halo >= room:
                raise ModelError(
                    f"a change reached {halo} pixels, to the edge of a {height}x{width} sample; "
                    "measure the halo on larger samples"
                )
    return halo
