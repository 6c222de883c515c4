"""Y'CbCr planes in a GPU's memory, as video decoders produce them."""

from __future__ import annotations

from restore_rt.errors import InputError
from restore_rt.frames import ChromaSiting, check_planes, chroma_phase_of
from restore_rt.gpu.array import DeviceArray
from restore_rt.gpu.driver import Stream
from restore_rt.gpu.frame import as_device_frame

__all__ = ["DevicePlanes"]


class DevicePlanes:
    """One Y'CbCr frame in a GPU's memory; made by ``nv12``, ``p010`` or ``planar``.

    These accept the same planes as ``as_device_frame``, or ``DeviceArray``, without a copy.

    Attributes
    ----------
    y
        Luma, (H, W), uint8 (``bit_depth`` 8) or uint16.
    cb, cr
        Chroma of the same dtype, as views with strides where both lie in one plane; both None for
        a grey frame. Sizes as in ``restore_rt.frames.Planes``.
    uv
        Interleaved chroma (h, w, 2); None if Cb and Cr are separate planes.
    bit_depth
        Bits of a sample; its peak is ``2**bit_depth - 1``.
    siting
        Position of a subsampled chroma sample among its luma samples.
    shift
        Number of unused low bits of a sample in memory: 6 in P010, else 0.
    stream
        Stream whose queued work writes the planes; None if they are complete.
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
        """Return 8-bit planes with interleaved chroma, (h, w, 2) or (h, 2*w), Cb first."""
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
        """Return three planes, or a single grey one, with samples in the low bits."""
        blue, red = (None if plane is None else _taken(plane) for plane in (cb, cr))
        return cls(_taken(y), blue, red, bit_depth=bit_depth, siting=siting, stream=stream)

    @property
    def chroma(self) -> tuple[DeviceArray, ...]:
        """Chroma planes in memory: one interleaved, two, or none."""
        if self.uv is not None:
            return (self.uv,)
        return () if self.cb is None or self.cr is None else (self.cb, self.cr)

    @property
    def arrays(self) -> tuple[DeviceArray, ...]:
        """Luma and chroma planes in memory."""
        return (self.y, *self.chroma)

    @property
    def peak(self) -> int:
        """The largest sample value."""
        return (1 << self.bit_depth) - 1

    @property
    def chroma_phase(self) -> tuple[float, float]:
        """Vertical and horizontal phase of chroma, as of ``restore_rt.frames.Planes``."""
        return chroma_phase_of(self)

    def wait_on(self, stream: Stream) -> None:
        """Make work that is queued on a stream from now on wait for the contents.

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
        check_planes(self)
        if not 0 <= self.shift <= 16 - self.bit_depth or (self.shift and self.bit_depth == 8):
            raise InputError(
                f"shift is {self.shift}; with a bit_depth of {self.bit_depth} allowed are 0 to "
                f"{0 if self.bit_depth == 8 else 16 - self.bit_depth}"
            )
        for array in self.chroma:
            if array.device is not self.y.device:
                raise InputError(
                    f"chroma lies on {array.device!r} and y on {self.y.device!r}; both must be on "
                    "the same"
                )


def _taken(plane: object) -> DeviceArray:
    if isinstance(plane, DeviceArray):
        return plane
    return as_device_frame(plane)


def _pair(uv: DeviceArray) -> DeviceArray:
    """Return interleaved chroma as (h, w, 2)."""
    if uv.ndim == 2 and uv.shape[1] % 2 == 0:
        (height, width), (row, step) = uv.shape, uv.strides
        return uv.view((height, width // 2, 2), strides=(row, 2 * step, step))
    if uv.ndim == 3 and uv.shape[2] == 2:
        return uv
    raise InputError(f"uv has shape {uv.shape}; it must be (h, w, 2) or (h, 2*w)")
