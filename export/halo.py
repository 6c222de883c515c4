"""How far a network looks, found by trying: perturb one input pixel, see which outputs change."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from restore_rt.errors import ModelError
from restore_rt.export.samples import SIZE, synthetic_samples

__all__ = ["ReachError", "find_halo", "measure_halo"]

# Samples of these many times the usual size are tried before a network is given up: small ones
# first, since convolutions in double precision are slow.
GROWTH = (0.5, 1, 2, 4, 8)
PERTURBATIONS = (0.25, -0.25, 1.0, -1.0, 8.0, -8.0)


class ReachError(ModelError):
    """The network looks as far as the edge of the samples that its halo was measured on."""


def find_halo(network: nn.Module, channels: int, *, scale: int, multiple: int) -> int:
    """Measure the halo on samples that grow until it fits; see `measure_halo`.

    Raises
    ------
    ReachError
        If the influence reaches the edge of the largest samples too.
    """
    for growth in GROWTH:
        height, width = (math.ceil(side * growth / multiple) * multiple for side in SIZE)
        # Black and white, the last of them, excites little.
        samples = synthetic_samples(channels, size=(height, width))[:-1]
        inputs = [torch.from_numpy(sample) for sample in samples]
        try:
            return measure_halo(network, inputs, scale=scale, multiple=multiple)
        except ReachError:
            continue
    raise ReachError(
        f"a change of one pixel reaches the edge of a sample of {height}x{width}; such a network "
        "cannot run on tiles: make one that looks less far (a mean over the picture looks at all)"
    )


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
    """Measure the distance in input pixels over which `network` looks.

    In double precision, one pixel is changed, by little and by much and in both directions, since
    a ReLU that is off hides what lies behind it; any output bit that differs
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
    multiple
        What the network needs height and width to be multiples of. One that folds blocks of
        pixels looks further from some pixels of a block than from others, so all their rows
        and columns are tried.
    positions
        Pixels tried around the middle of each sample, if `multiple` is not more.
    seed
        For the choice of those pixels.

    Returns
    -------
    int
        The halo: an output sample over input pixel p depends on no pixel further than this from p,
        along either axis.

    Raises
    ------
    ReachError
        If the influence reaches a sample's edge.
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
