"""The frames of a case, and the calls that are timed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from restore_rt.bench.report import PIXELS, Case, Pixels
from restore_rt.bench.sampling import Step
from restore_rt.errors import InputError
from restore_rt.frames import Planes
from restore_rt.model.manifest import Manifest
from restore_rt.restorer import Restorer

if TYPE_CHECKING:
    from restore_rt.gpu import DeviceFrame, Pool
    from restore_rt.gpu.lane import Lane

__all__ = ["Subject", "open_subject", "picture", "pixels_of", "scene"]

U8 = NDArray[np.uint8]
_STRIP = 32


class Subject(NamedTuple):
    """A frame in host memory, the first stream's result, and the calls that are timed.

    Frame and result are luma or RGB, whatever the case's pixels: views of them where they differ.
    ``first`` restores the first stream's frame, whatever the scope; there is a step per stream.
    """

    frame: U8
    out: U8 | DeviceFrame
    first: Step
    steps: list[Step]


def picture(height: int, width: int, channels: int = 1) -> U8:
    """Return a picture with edges, gradients and grain: (H, W), or (H, W, C) with channels."""
    made = np.empty((height, width, channels), np.uint8)
    random = np.random.default_rng(0)
    # In strips, so that temporary arrays do not show in the measured memory.
    for top in range(0, height, _STRIP):
        y, x = np.ogrid[top : min(top + _STRIP, height), 0:width]
        for channel in range(channels):
            shifted = x + 5 * channel
            waves = np.sin(shifted / 7) * np.cos(y / 11) + ((shifted // 16 + y // 16) % 2)
            grain = random.normal(0, 3, waves.shape)
            made[top : top + _STRIP, :, channel] = np.clip(110 + 55 * waves + grain, 0, 255)
    return made if channels > 1 else made[..., 0]


def pixels_of(case: Case, manifest: Manifest) -> Pixels:
    """Return what the frames of a case are made of; never ``"auto"``.

    Raises
    ------
    InputError
        The model does not take such frames, or not in a GPU's memory.
    """
    own: Pixels = "luma" if manifest.colour == "luma" else "rgb"
    allowed = PIXELS[1:] if own == "luma" else ("rgb", "bgr")
    found = own if case.pixels == "auto" else case.pixels
    if found not in allowed:
        raise InputError(
            f"pixels is {found!r}; for {manifest.name}, an {own} model, allowed are "
            f"{', '.join(allowed)}"
        )
    if case.scope == "device" and found != own:
        raise InputError(
            f"pixels is {found!r}; in a GPU's memory {manifest.name} takes {own} frames alone"
        )
    return found


def scene(case: Case, manifest: Manifest) -> U8:
    """Return the luma or the RGB picture of which a case's frames are made."""
    channels = 1 if pixels_of(case, manifest) in ("luma", "planes") else 3
    return picture(case.height, case.width, channels)


def open_subject(restorer: Restorer, case: Case) -> Subject:
    """Make the frames of a case, memory for their results, and the steps."""
    lane = restorer.lane
    if case.scope == "device" and lane is None:
        raise InputError(
            f"scope is 'device', which needs a GPU, but {restorer.manifest.name} runs on the CPU; "
            "load it with device='cuda', or choose another scope"
        )
    pixels, frame = pixels_of(case, restorer.manifest), scene(case, restorer.manifest)
    shape = (restorer.scale * case.height, restorer.scale * case.width, *frame.shape[2:])
    pairs: list[tuple[Any, Any]]
    if case.scope == "device" and lane is not None:
        from restore_rt.gpu import Pool

        # The caller's frames do not count towards the memory limit of the Restorer's own pool.
        pool = Pool(lane.device)
        pairs = [_pair_on_gpu(pool, frame, shape) for _ in range(case.streams)]
    else:
        # Filled, so that the memory is there before any is counted.
        pairs = [_pair(frame, shape, pixels) for _ in range(case.streams)]
    order = {"channel_order": "bgr"} if pixels == "bgr" else {}
    steps: list[Step] = [partial(_restore, restorer, *pair, **order) for pair in pairs]
    first = steps[0]
    if case.scope == "network":
        steps = [_network(restorer, first) if lane is None else _network_on_gpu(lane, frame.shape)]
    out = pairs[0][1]
    if pixels == "bgr":
        out = out[..., ::-1]
    return Subject(frame, out.y if pixels == "planes" else out, first, steps)


def _pair(frame: U8, shape: tuple[int, ...], pixels: Pixels) -> tuple[Any, Any]:
    """Return a frame of its own and memory for its result, in the pixels that are asked for."""
    out = np.full(shape, 1, np.uint8)
    if pixels != "planes":
        # A copy, also of the other order.
        return frame[..., ::-1].copy() if pixels == "bgr" else frame.copy(), out
    chroma = picture(-(-frame.shape[0] // 2), -(-frame.shape[1] // 2), 2)
    planes = Planes(frame.copy(), chroma[..., 0].copy(), chroma[..., 1].copy())
    half = tuple(-(-side // 2) for side in shape)
    return planes, Planes(out, np.full(half, 1, np.uint8), np.full(half, 1, np.uint8))


def _pair_on_gpu(pool: Pool, frame: U8, shape: tuple[int, ...]) -> tuple[DeviceFrame, DeviceFrame]:
    """Return a frame in GPU memory, and GPU memory for its result."""
    from restore_rt.gpu import DeviceFrame, pinned_empty, upload_async

    device = pool.device
    with device.active():
        stream = device.stream()
        staged = pinned_empty(frame.shape, frame.dtype)
        staged[...] = frame
        there, out = (pool.empty(sides, frame.dtype) for sides in (frame.shape, shape))
        upload_async(there, staged, stream)
        stream.synchronize()
    return DeviceFrame.of(there), DeviceFrame.of(out)


def _restore(restorer: Restorer, frame: Any, out: Any, **order: Any) -> None:
    stream = getattr(restorer(frame, out=out, **order), "stream", None)
    # A result in host memory, or without a stream, is complete.
    if stream is not None:
        stream.synchronize()


def _network(restorer: Restorer, restore: Step) -> Step:
    """Return a step that restores a frame and returns the seconds in which the network ran."""
    stages = restorer.stages

    def step() -> float:
        before = stages.seconds.get("network", 0.0)
        restore()
        return stages.seconds["network"] - before

    return step


def _network_on_gpu(lane: Lane, shape: tuple[int, ...]) -> Step:
    """Return a step that runs the network for all tiles, and returns the time between two events.

    An untimed run comes first: it keeps the GPU busy while the timed run is queued, so that
    queueing is not measured. The events end with the step, on the thread that made them.
    """
    size = (shape[0], shape[1])
    begin, end = lane.device.event(timed=True), lane.device.event(timed=True)

    def step() -> float:
        with lane.device.active():
            lane.queue_network(size)
            begin.record(lane.stream)
            lane.queue_network(size)
            end.record(lane.stream)
            end.synchronize()
        return end.seconds_since(begin)

    return step
