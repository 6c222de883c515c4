"""Arrays of any channels through models of luma or RGB."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from restore_rt import _ext
from restore_rt.errors import InputError
from restore_rt.frames import ChannelOrder, bleed_colour, output_of
from restore_rt.timing import StageTimes

if TYPE_CHECKING:
    from restore_rt.frame_runner import FrameRunner

__all__ = ["add_luma_detail", "luma_of", "mean_grey", "restore_array", "restore_luma_apart"]


def restore_array(
    runner: FrameRunner,
    frame: NDArray[Any],
    out: Any,
    *,
    scale: int,
    luma: bool,
    stages: StageTimes,
    order: ChannelOrder,
) -> NDArray[Any]:
    """Restore an array of one to four channels.

    Parameters
    ----------
    runner
        Of a network that makes frames ``scale`` times as large, of luma if ``luma``, else of RGB.
    frame, out, order
        As in a ``Restorer``'s call; checked by ``as_frame`` and ``check_channel_order``.
    scale, luma
        What the network makes.
    stages
        Receives the time of each stage.

    Returns
    -------
    ndarray
        ``out``, or a new array if that is None.

    Raises
    ------
    InputError
        ``out`` does not fit the frame.
    """
    result = output_of(frame, out, scale)
    colour, target = frame, result
    if frame.ndim == 3 and frame.shape[2] in (2, 4):
        colour, target = bleed_colour(frame), result[..., :-1]
        _restore_colour(runner, frame[..., -1], result[..., -1], luma=luma, stages=stages)
    if order == "bgr" and frame.ndim == 3:
        # Views in the other order: strides may be negative everywhere.
        colour, target = colour[..., ::-1], target[..., ::-1]
    _restore_colour(runner, colour, target, luma=luma, stages=stages)
    return result


def _restore_colour(
    runner: FrameRunner, frame: NDArray[Any], out: NDArray[Any], *, luma: bool, stages: StageTimes
) -> None:
    grey = frame.ndim == 2 or frame.shape[2] == 1
    if grey == luma:
        runner.restore_into(out, frame, stages=stages)
    elif luma:
        runner.restore_colour_into(out, frame, stages=stages)
    else:
        coloured = np.empty((*out.shape[:2], 3), out.dtype)
        shape = (*frame.shape[:2], 3)
        repeated = np.broadcast_to(frame.reshape(*frame.shape[:2], 1), shape)
        runner.restore_into(coloured, repeated, stages=stages)
        out[...] = mean_grey(coloured).reshape(out.shape)


def luma_of(frame: NDArray[Any], *, threads: int = 1) -> NDArray[np.float32]:
    """Return the limited-range BT.601 luma, 16/255 to 235/255, of an (H, W, 3) RGB frame."""
    luma = np.empty(frame.shape[:2], np.float32)
    _ext.luma_into(luma, frame, threads=threads)
    return luma


def add_luma_detail(
    out: NDArray[Any],
    frame: NDArray[Any],
    luma: NDArray[np.float32],
    *,
    scale: int,
    threads: int,
) -> None:
    """Write the enlarged ``frame`` with its luma replaced.

    Luma enters R', G' and B' with the same weight, 1, so that giving an enlarged RGB picture the
    luma ``luma`` means adding the same difference to all three channels: chroma stays bicubic.

    Parameters
    ----------
    out
        (s*H, s*W, 3), the dtype of ``frame``, any strides; written.
    frame
        (H, W, 3) RGB, uint8, uint16 or float32, any strides.
    luma
        (s*H, s*W), limited range, as ``luma_of`` gives it.
    scale
        s.
    threads
        CPU threads for the enlargement.
    """
    luma = np.ascontiguousarray(luma, np.float32)
    _ext.colour_into(out, frame, luma, scale=scale, threads=threads)


def restore_luma_apart(
    runner: FrameRunner,
    out: NDArray[Any],
    frame: NDArray[Any],
    *,
    stages: StageTimes,
) -> None:
    """Do ``FrameRunner.restore_colour_into`` for a runner that takes a frame of luma alone."""
    threads, scale = runner.threads, out.shape[0] // frame.shape[0]
    restored = np.empty(out.shape[:2], np.float32)
    with stages.measure("chroma"):
        luma = luma_of(frame, threads=threads)
    runner.restore_into(restored, luma, stages=stages)
    with stages.measure("chroma"):
        finite = _ext.colour_into(out, frame, restored, scale=scale, threads=threads)
    if not finite:
        raise InputError("the frame's samples add up to infinity; give floats of 0 to 1")


def mean_grey(frame: NDArray[Any]) -> NDArray[Any]:
    """Return the mean of an (H, W, 3) frame's channels, (H, W), in its own dtype."""
    first, second, third = np.moveaxis(frame.astype(np.float32), 2, 0)
    # In this form three equal channels give their own value, bit for bit.
    mean = first + ((second - first) + (third - first)) / 3
    grey: NDArray[Any] = mean if frame.dtype == np.float32 else np.rint(mean).astype(frame.dtype)
    return grey
