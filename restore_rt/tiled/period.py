"""The shift that a network of a fixed size keeps: tiles begin at multiples of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from restore_rt.tiled.probe import Probe

__all__ = ["find_period"]

_HALF_STEP = 0.5 / 255


def find_period(
    probe: Probe, *, channels: int, scale: int, size: tuple[int, int], candidates: Sequence[int]
) -> int:
    """Return the least shift of a picture that shifts the result along with it.

    It is 1 for plain convolutions, and more for networks that work on blocks of pixels: by
    strides, pooling, shuffles of pixels or windows. Tiles that begin at multiples of it agree
    where they overlap.

    Parameters
    ----------
    probe
        The network.
    channels, scale, size
        Its channels, its scale, and the height and width that it takes alone.
    candidates
        Shifts to try, in ascending order.

    Returns
    -------
    int
        1 if no candidate fits.

    Raises
    ------
    ProbeError
        The network fails.
    """
    height, width = size
    most = max(candidates, default=1)
    rng = np.random.default_rng(0)
    picture = rng.random((1, channels, height + most, width + most), np.float32)
    still = probe.run(np.ascontiguousarray(picture[..., :height, :width]))
    for shift in candidates:
        part = picture[..., shift : shift + height, shift : shift + width]
        moved = probe.run(np.ascontiguousarray(part))
        # The middle of the picture: near the edges, results depend on what is cut off.
        (top, bottom), (left, right) = (
            (scale * (7 * side // 16), scale * (side - 7 * side // 16)) for side in size
        )
        out = scale * shift
        there = still[..., top + out : bottom + out, left + out : right + out]
        here = moved[..., top:bottom, left:right]
        if np.abs(here - there).max() <= _HALF_STEP:
            return shift
    return 1
