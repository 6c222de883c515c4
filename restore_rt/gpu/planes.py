"""Y'CbCr planes in a GPU's memory, as video decoders leave them there."""

from __future__ import annotations

from typing import Any

import numpy as np

from restore_rt.errors import InputError
from restore_rt.frames import ChromaSiting
from restore_rt.gpu.array import DeviceArray
from restore_rt.gpu.driver import Stream

__all__ = ["DevicePlanes"]

_PHASES = {"left": (0.5, 0.25), "center": (0.5, 0.5), "topleft": (0.25, 0.25)}


class DevicePlanes:
    """One Y'CbCr frame in a GPU's memory; ``nv12``, ``p010`` and ``planar`` make it.

    They take planes as ``DeviceArray`` or as ``as_device_frame`` does, without a copy.

    Attributes
    ----------
    y
        Luma, (H, W), uint8 (``bit_depth`` 8) or uint16.
    cb, cr
        Chroma of the same dtype, as views with strides where both lie in one plane; both None for
        a grey frame. Sizes as in ``restore_rt.frames.Planes``.
    uv
        Both of them as (h, w, 2), where they lie in one plane; else None.
    bit_depth
        Bits of a sample; its peak is ``2**bit_depth - 1``.
    siting
        Where a subsampled chroma sample lies among its luma samples.
    shift
        Low bits of a sample in memory that are no part of it: 6 in P010, else 0.
    stream
        What was queued on it by now writes the planes; None if they are there.
    """

    def __init__(
        self,
        y: DeviceArray,
        cb: DeviceArray | None,
        cr: DeviceArray | None,
        *,
        uv: DeviceArray | None = None,
        bit_depth: int = 8,
        siting: ChromaSiting = "left",
        shift: int = 0,
        stream: Stream | None = None,
    ) -> None:
        self.y, self.cb, self.cr, self.uv = y, cb, cr, uv
        self.bit_depth, self.siting, self.shift = bit_depth, siting, shift
        self.stream = stream
        self._check()

    @classmethod
    def nv12(
        cls,
        y: object,
        uv: object,
        *,
        siting: ChromaSiting = "left",
        stream: Stream | None = None,
    ) -> DevicePlanes:
        """Return 8-bit planes of which chroma lies in one, (h, w, 2) or (h, 2*w), Cb first."""
        pair = _pair(_taken(uv))
        cb, cr = pair[:, :, 0], pair[:, :, 1]
        return cls(_taken(y), cb, cr, uv=pair, siting=siting, stream=stream)

    @classmethod
    def p010(
        cls,
        y: object,
        uv: object,
        *,
        siting: ChromaSiting = "left",
        stream: Stream | None = None,
    ) -> DevicePlanes:
        """Return 10-bit planes, in the upper bits of uint16, with chroma as in ``nv12``."""
        pair = _pair(_taken(uv))
        cb, cr = pair[:, :, 0], pair[:, :, 1]
        return cls(_taken(y), cb, cr, uv=pair, bit_depth=10, shift=6, siting=siting, stream=stream)

    @classmethod
    def planar(
        cls,
        y: object,
        cb: object = None,
        cr: object = None,
        *,
        bit_depth: int = 8,
        siting: ChromaSiting = "left",
        stream: Stream | None = None,
    ) -> DevicePlanes:
        """Return three planes, or one that is grey, with samples in the low bits."""
        blue, red = (None if plane is None else _taken(plane) for plane in (cb, cr))
        return cls(_taken(y), blue, red, bit_depth=bit_depth, siting=siting, stream=stream)

    @property
    def chroma(self) -> tuple[DeviceArray, ...]:
        """Chroma as it lies in memory: one plane of both, or two, or none."""
        if self.uv is not None:
            return (self.uv,)
        return () if self.cb is None or self.cr is None else (self.cb, self.cr)

    @property
    def arrays(self) -> tuple[DeviceArray, ...]:
        """Luma and chroma as they lie in memory."""
        return (self.y, *self.chroma)

    @property
    def peak(self) -> int:
        """The largest sample value."""
        return (1 << self.bit_depth) - 1

    @property
    def chroma_phase(self) -> tuple[float, float]:
        """Vertical and horizontal phase of chroma, as of ``restore_rt.frames.Planes``."""
        if self.cb is None:
            return 0.5, 0.5
        vertical, horizontal = _PHASES[self.siting]
        return (
            vertical if self.cb.shape[0] != self.y.shape[0] else 0.5,
            horizontal if self.cb.shape[1] != self.y.shape[1] else 0.5,
        )

    def wait_on(self, stream: Stream) -> None:
        """Let what is queued on a stream from here on wait for the contents.

        Raises
        ------
        InputError
            The stream is of another GPU.
        """
        for array in self.arrays:
            array.wait_on(stream)
        if self.stream is not None and self.stream is not stream:
            event = stream.device.event()
            event.record(self.stream)
            stream.wait(event)

    def _check(self) -> None:
        if not 8 <= self.bit_depth <= 16:
            raise InputError(f"bit_depth is {self.bit_depth}; allowed are 8 to 16")
        if self.siting not in _PHASES:
            raise InputError(f"siting is {self.siting!r}; allowed are {', '.join(_PHASES)}")
        if not 0 <= self.shift <= 16 - self.bit_depth or (self.shift and self.bit_depth == 8):
            raise InputError(
                f"shift is {self.shift}; with a bit_depth of {self.bit_depth} allowed are 0 to "
                f"{0 if self.bit_depth == 8 else 16 - self.bit_depth}"
            )
        dtype: np.dtype[Any] = np.dtype(np.uint8 if self.bit_depth == 8 else np.uint16)
        if self.y.ndim != 2 or 0 in self.y.shape:
            raise InputError(f"y has shape {self.y.shape}; it must be (H, W), neither of them 0")
        if (self.cb is None) != (self.cr is None):
            raise InputError("one of cb and cr is None; give both or neither")
        for name, plane in (("y", self.y), ("cb", self.cb), ("cr", self.cr)):
            if plane is None:
                continue
            if plane.dtype != dtype:
                raise InputError(
                    f"{name} is {plane.dtype}; at bit_depth {self.bit_depth} it must be {dtype}"
                )
            if plane.device is not self.y.device:
                raise InputError(
                    f"{name} lies on {plane.device!r} and y on {self.y.device!r}; both must be on "
                    "the same"
                )
        if self.cb is None or self.cr is None:
            return
        height, width = self.y.shape
        half = (-(-height // 2), -(-width // 2))
        allowed = {(height, width): "4:4:4", (height, half[1]): "4:2:2", half: "4:2:0"}
        if self.cb.shape != self.cr.shape or self.cb.shape not in allowed:
            raise InputError(
                f"cb {self.cb.shape} and cr {self.cr.shape} do not fit y {self.y.shape}; "
                f"allowed are {', '.join(f'{s} ({n})' for s, n in allowed.items())}"
            )


def _taken(plane: object) -> DeviceArray:
    if isinstance(plane, DeviceArray):
        return plane
    # Late: that module also offers what is in this one.
    from restore_rt.gpu.frame import as_device_frame

    return as_device_frame(plane)


def _pair(uv: DeviceArray) -> DeviceArray:
    """Return interleaved chroma as (h, w, 2)."""
    if uv.ndim == 2 and uv.shape[1] % 2 == 0:
        (height, width), (row, step) = uv.shape, uv.strides
        return uv.view((height, width // 2, 2), strides=(row, 2 * step, step))
    if uv.ndim == 3 and uv.shape[2] == 2:
        return uv
    raise InputError(f"uv has shape {uv.shape}; it must be (h, w, 2) or (h, 2*w)")
