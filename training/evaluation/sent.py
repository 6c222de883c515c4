"""Clips as they are sent: planar frames at full and at half size, and what restores them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from restore_rt.training.colour import luma
from restore_rt.training.degradations.motion import whole
from restore_rt.training.degradations.resizing import resized
from restore_rt.training.degradations.video import luma_of, rgb_of
from restore_rt.training.evaluation.candidates import Candidate

if TYPE_CHECKING:
    import av

__all__ = ["SentClip", "luma_restorer", "sizes_of"]

U8 = NDArray[np.uint8]


@dataclass(frozen=True)
class SentClip:
    """Frames to encode, 8 bits and 4:2:0, at full and at half size; `truth` is the full luma."""

    full: list[av.VideoFrame]
    half: list[av.VideoFrame]
    truth: list[U8]


def sizes_of(frames: Sequence[U8]) -> SentClip:
    """Prepare RGB frames (H, W, 3), cut to multiples of 4; half size is made by bicubic."""
    originals = [whole(frame, 4) for frame in frames]
    height, width = (side // 2 for side in originals[0].shape[:2])
    full = [_planar(frame) for frame in originals]
    half = [_planar(resized(frame, height, width, "bicubic")) for frame in originals]
    return SentClip(full, half, [luma_of(frame) for frame in full])


def _planar(frame: U8) -> av.VideoFrame:
    import av

    rgb = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame))
    return rgb.reformat(format="yuv420p", dst_colorspace="ITU601")


def luma_restorer(candidate: Candidate) -> Callable[[av.VideoFrame], U8]:
    """Return a function that makes restored luma (H, W), 16 to 235, of a decoded frame.

    A candidate for RGB is given the frame as RGB, and luma is taken of its result.
    """
    if candidate.takes == "luma":
        return lambda frame: candidate.restore(luma_of(frame))
    return lambda frame: np.rint(luma(candidate.restore(rgb_of(frame)))).astype(np.uint8)
