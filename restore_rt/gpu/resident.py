"""Restoration of frames that are in the GPU's memory and stay there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from restore_rt.errors import InputError
from restore_rt.gpu.array import DeviceArray
from restore_rt.gpu.frame import DeviceFrame, as_device_frame
from restore_rt.gpu.planes import DevicePlanes
from restore_rt.gpu.runner import GpuRunner
from restore_rt.model.manifest import Manifest
from restore_rt.timing import StageTimes

__all__ = ["restore_resident"]


def restore_resident(
    network: GpuRunner, manifest: Manifest, frame: Any, out: Any, stages: StageTimes
) -> Any:
    """Restore a frame within the GPU's memory; the result is complete on return.

    Parameters
    ----------
    network
        A network on the frame's device.
    manifest
        The network's description.
    frame
        ``DevicePlanes``, or any frame for ``as_device_frame``.
    out
        Memory for the result, of the same kinds; None for a new frame.
    stages
        Receives the time of the stage ``device``.

    Returns
    -------
    DeviceFrame or DevicePlanes
        The result; ``out`` if given.

    Raises
    ------
    InputError
        The frame or ``out`` does not fit the network, or each other.
    BackendError, NonFiniteError
        The network failed.
    """
    if isinstance(frame, DevicePlanes):
        return _restore_planes(network, manifest, frame, out, stages)
    with network.used() as (device, stream):
        source = as_device_frame(frame, device=device, stream=stream)
        channels = source.shape[2] if source.ndim == 3 else 1
        if channels != manifest.channels:
            raise InputError(
                f"the frame has shape {source.shape}; on the GPU {manifest.name} takes "
                f"{_count(manifest.channels, 'channel')} as it is: convert the frame there, or "
                "copy it to the CPU"
            )
        height, width, *rest = source.shape
        shape = (height * manifest.scale, width * manifest.scale, *rest)
        if out is None:
            target = DeviceFrame.of(network.empty(shape, source.dtype))
        else:
            target = as_device_frame(out, device=device, stream=stream)
            _check_output("out", target, shape, source)
        network.restore_resident(target, source, stages=stages)
        return target if out is None else out


def _restore_planes(
    network: GpuRunner, manifest: Manifest, planes: DevicePlanes, out: Any, stages: StageTimes
) -> DevicePlanes:
    if manifest.colour != "luma":
        raise InputError(
            f"{manifest.name} is an rgb model and cannot take Y'CbCr planes; convert the frame to "
            "RGB"
        )
    shapes = _enlarged(planes, manifest.scale)
    with network.used() as (_, stream):
        if out is None:
            y, *chroma = (network.empty(shape, planes.y.dtype) for shape in shapes)
            out = _like(planes, y, chroma)
        if not isinstance(out, DevicePlanes) or _layout(out) != _layout(planes):
            raise InputError(
                f"out is {_layout(out) if isinstance(out, DevicePlanes) else type(out).__name__}; "
                f"for this frame it must be DevicePlanes with {_layout(planes)}"
            )
        for name, target, shape in zip(
            ("out.y", "out's chroma", "out's chroma"), _parts(out), shapes, strict=False
        ):
            for own in _parts(planes):
                _check_output(name, target, shape, own)
        for either in (planes, out):
            either.wait_on(stream)
        pairs = zip(list(_parts(out))[1:], list(_parts(planes))[1:], strict=True)
        network.restore_resident(
            out.y,
            planes.y,
            chroma=list(pairs),
            peak=planes.peak,
            shift=planes.shift,
            phase=planes.chroma_phase,
            stages=stages,
        )
        out.stream = None
        return out


def _parts(planes: DevicePlanes) -> Iterator[DeviceArray]:
    """Iterate over the planes in memory; interleaved chroma is one plane."""
    yield planes.y
    if planes.uv is not None:
        yield planes.uv
    elif planes.cb is not None and planes.cr is not None:
        yield planes.cb
        yield planes.cr


def _layout(planes: DevicePlanes) -> str:
    chroma = (
        "one plane" if planes.uv is not None else _count(len(list(_parts(planes))) - 1, "plane")
    )
    return f"{planes.bit_depth} bits, a shift of {planes.shift} and chroma in {chroma}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + "s" * (number != 1)


def _enlarged(planes: DevicePlanes, scale: int) -> list[tuple[int, ...]]:
    """Return the shapes of the result's planes."""
    height, width = (side * scale for side in planes.y.shape)
    shapes: list[tuple[int, ...]] = [(height, width)]
    for part in list(_parts(planes))[1:]:
        sides = (
            height if part.shape[0] == planes.y.shape[0] else -(-height // 2),
            width if part.shape[1] == planes.y.shape[1] else -(-width // 2),
        )
        shapes.append((*sides, *part.shape[2:]))
    return shapes


def _like(planes: DevicePlanes, y: DeviceArray, chroma: list[DeviceArray]) -> DevicePlanes:
    """Return new planes that differ from the given ones in size only."""
    uv = None if planes.uv is None else chroma[0]
    cb, cr = (chroma or (None, None)) if uv is None else (uv[:, :, 0], uv[:, :, 1])
    return DevicePlanes(
        y,
        cb,
        cr,
        uv=uv,
        bit_depth=planes.bit_depth,
        siting=planes.siting,
        shift=planes.shift,
    )


def _check_output(
    name: str, target: DeviceArray, shape: tuple[int, ...], source: DeviceArray
) -> None:
    if target.shape != shape or target.dtype != source.dtype:
        raise InputError(
            f"{name} is {target.dtype} {target.shape}; for this frame it must be {source.dtype} "
            f"{shape}"
        )
    (low, high), (first, last) = target.extent, source.extent
    begin, end = target.pointer + low, target.pointer + high
    if begin < source.pointer + last and source.pointer + first < end:
        raise InputError(f"{name} shares memory with the frame; give memory of its own")
