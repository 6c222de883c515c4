"""Frames: arrays of pixels, and Y'CbCr planes, the form in which video arrives and leaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from restore_rt.errors import InputError, NonFiniteError

__all__ = [
    "ChannelOrder",
    "ChromaSiting",
    "Planes",
    "as_frame",
    "bleed_colour",
    "check_channel_order",
    "check_planes",
    "chroma_phase_of",
    "is_on_gpu",
    "not_finite",
    "output_of",
]

ChannelOrder = Literal["rgb", "bgr"]
ChromaSiting = Literal["left", "center", "topleft"]

# Modes of Pillow images whose samples are what an array of that shape means here.
_IMAGE_MODES = ("L", "LA", "RGB", "RGBA", "I;16", "F")

_PHASES: dict[str, tuple[float, float]] = {
    "left": (0.5, 0.25),
    "center": (0.5, 0.5),
    "topleft": (0.25, 0.25),
}


@dataclass(frozen=True)
class Planes:
    """One Y'CbCr frame; the arrays may be views into a decoder's buffer and are never changed.

    Attributes
    ----------
    y
        Luma, shape (H, W), uint8 (``bit_depth`` 8) or uint16 (``bit_depth`` 9 to 16, low bits).
    cb, cr
        Chroma, both (H, W) for 4:4:4, (H, ceil(W/2)) for 4:2:2 or (ceil(H/2), ceil(W/2)) for
        4:2:0; same dtype as ``y``. Both ``None`` for a grey frame.
    bit_depth
        Bits of a sample; its peak is ``2**bit_depth - 1``.
    siting
        Where a 4:2:0 or 4:2:2 chroma sample lies among its luma samples.
    """

    y: NDArray[Any]
    cb: NDArray[Any] | None = None
    cr: NDArray[Any] | None = None
    bit_depth: int = 8
    siting: ChromaSiting = "left"

    def __post_init__(self) -> None:
        """Check that the planes belong together."""
        check_planes(self)

    @property
    def peak(self) -> int:
        """The largest sample value."""
        return (1 << self.bit_depth) - 1

    @property
    def chroma_phase(self) -> tuple[float, float]:
        """Vertical and horizontal phase of chroma: 0.5 centred or not subsampled, 0.25 co-sited.

        A chroma sample ``j`` of a plane that is enlarged by ``s`` comes from position
        ``(j + phase) / s - phase`` of the source plane.
        """
        return chroma_phase_of(self)

    @property
    def arrays(self) -> list[NDArray[Any]]:
        """The planes that there are."""
        return [plane for plane in (self.y, self.cb, self.cr) if plane is not None]

    def empty_like(self, scale: int) -> Planes:
        """Return uninitialised planes for this frame enlarged ``scale`` times."""
        luma, chroma = self.enlarged(scale)
        y = np.empty(luma, self.y.dtype)
        if chroma is None:
            return Planes(y, bit_depth=self.bit_depth, siting=self.siting)
        cb, cr = np.empty(chroma, y.dtype), np.empty(chroma, y.dtype)
        return Planes(y, cb, cr, bit_depth=self.bit_depth, siting=self.siting)

    def check_output(self, out: object, scale: int) -> None:
        """Raise ``InputError`` unless ``out`` can hold this frame enlarged ``scale`` times."""
        if not isinstance(out, Planes):
            raise InputError(f"out is {type(out).__name__}; for Planes it must be Planes")
        if out.bit_depth != self.bit_depth:
            raise InputError(f"out has bit_depth {out.bit_depth}; it must be {self.bit_depth}")
        luma, chroma = self.enlarged(scale)
        for name, plane, shape in (
            ("y", out.y, luma),
            ("cb", out.cb, chroma),
            ("cr", out.cr, chroma),
        ):
            if (None if plane is None else plane.shape) != shape:
                got = None if plane is None else plane.shape
                raise InputError(f"out.{name} is {got}; for this frame it must be {shape}")
            if plane is None:
                continue
            if not plane.flags.writeable:
                raise InputError(f"out.{name} is read-only; give a writeable array")
            for own in (self.y, self.cb, self.cr):
                if own is not None and np.may_share_memory(plane, own):
                    raise InputError(
                        f"out.{name} shares memory with the frame; give planes of their own"
                    )

    def enlarged(self, scale: int) -> tuple[tuple[int, int], tuple[int, int] | None]:
        """Return the shapes of luma and chroma after enlargement."""
        height, width = (side * scale for side in self.y.shape)
        if self.cb is None:
            return (height, width), None
        return (height, width), (
            height if self.cb.shape[0] == self.y.shape[0] else -(-height // 2),
            width if self.cb.shape[1] == self.y.shape[1] else -(-width // 2),
        )


class _AnyPlanes(Protocol):
    """Planes in whatever memory."""

    @property
    def y(self) -> Any: ...
    @property
    def cb(self) -> Any: ...
    @property
    def cr(self) -> Any: ...
    @property
    def bit_depth(self) -> int: ...
    @property
    def siting(self) -> ChromaSiting: ...


def check_planes(planes: _AnyPlanes) -> None:
    """Raise ``InputError`` unless planes, in whatever memory, belong together; see ``Planes``."""
    if not 8 <= planes.bit_depth <= 16:
        raise InputError(f"bit_depth is {planes.bit_depth}; allowed are 8 to 16")
    if planes.siting not in _PHASES:
        raise InputError(f"siting is {planes.siting!r}; allowed are {', '.join(_PHASES)}")
    dtype = np.uint8 if planes.bit_depth == 8 else np.uint16
    if planes.y.ndim != 2 or 0 in planes.y.shape:
        raise InputError(f"y has shape {planes.y.shape}; it must be (H, W), neither of them 0")
    if (planes.cb is None) != (planes.cr is None):
        raise InputError("one of cb and cr is None; give both or neither")
    for name, plane in (("y", planes.y), ("cb", planes.cb), ("cr", planes.cr)):
        if plane is not None and plane.dtype != dtype:
            raise InputError(
                f"{name} is {plane.dtype}; at bit_depth {planes.bit_depth} it must be "
                f"{np.dtype(dtype)}"
            )
    if planes.cb is not None and planes.cr is not None:
        height, width = planes.y.shape
        half = (-(-height // 2), -(-width // 2))
        allowed = {(height, width): "4:4:4", (height, half[1]): "4:2:2", half: "4:2:0"}
        if planes.cb.shape != planes.cr.shape or planes.cb.shape not in allowed:
            raise InputError(
                f"cb {planes.cb.shape} and cr {planes.cr.shape} do not fit y {planes.y.shape}; "
                f"allowed are {', '.join(f'{s} ({n})' for s, n in allowed.items())}"
            )


def chroma_phase_of(planes: _AnyPlanes) -> tuple[float, float]:
    """Return the vertical and horizontal phase of chroma; see ``Planes.chroma_phase``."""
    if planes.cb is None:
        return 0.5, 0.5
    vertical, horizontal = _PHASES[planes.siting]
    return (
        vertical if planes.cb.shape[0] != planes.y.shape[0] else 0.5,
        horizontal if planes.cb.shape[1] != planes.y.shape[1] else 0.5,
    )


def as_frame(frame: object) -> NDArray[Any]:
    """Return ``frame`` as an array that a Restorer takes; shares memory where it can.

    Raises
    ------
    InputError
        It is not an array on the CPU, or its shape or dtype is not allowed.
    """
    if not isinstance(frame, np.ndarray):
        frame = _as_array(frame)
    if frame.dtype not in (np.uint8, np.uint16, np.float32):
        raise InputError(f"frame is {frame.dtype}; allowed are uint8, uint16 and float32")
    if frame.ndim not in (2, 3) or 0 in frame.shape or (frame.ndim == 3 and frame.shape[2] > 4):
        raise InputError(
            f"frame has shape {frame.shape}; allowed are (H, W) and (H, W, C) with C from 1 to 4, "
            "none of them 0"
        )
    return frame


def _as_array(frame: object) -> NDArray[Any]:
    """Let NumPy read what another library made."""
    shared = hasattr(frame, "__dlpack__")
    if not (shared or hasattr(frame, "__array_interface__") or hasattr(frame, "__array__")):
        raise InputError(
            f"frame is {type(frame).__name__}; give a NumPy array, Planes, or an object with "
            "__dlpack__, __array_interface__ or __array__, such as a Pillow image"
        )
    mode = getattr(frame, "mode", "RGB")
    if isinstance(mode, str) and mode not in _IMAGE_MODES:
        raise InputError(
            f"frame is an image of mode {mode!r}; allowed are {', '.join(_IMAGE_MODES)}: convert "
            "it, for instance with image.convert('RGB')"
        )
    try:
        return np.from_dlpack(frame) if shared else np.asarray(frame)  # type: ignore[arg-type]
    except (BufferError, OSError, RuntimeError, TypeError, ValueError) as error:
        raise InputError(
            f"frame is not an array in CPU memory that NumPy can read ({error}); copy it there"
        ) from error


def check_channel_order(order: str) -> None:
    """Raise ``InputError`` unless the order of a frame's colours is one that is known."""
    if order not in ("rgb", "bgr"):
        raise InputError(f"channel_order is {order!r}; allowed are 'rgb' and 'bgr'")


def is_on_gpu(frame: object) -> bool:
    """Tell whether a frame lies in a GPU's memory."""
    if hasattr(frame, "__cuda_array_interface__") or hasattr(frame, "chroma_phase"):
        return True
    describe = getattr(frame, "__dlpack_device__", None)
    # Of dlpack.h: kDLCUDA, and memory that both can reach.
    return describe is not None and int(describe()[0]) in (2, 13)


def not_finite(model: str, frame: NDArray[Any]) -> InputError | NonFiniteError:
    """Return the error for a frame of which a model made NaN or infinity."""
    if frame.dtype == np.float32 and not np.isfinite(frame).all():
        return InputError("the frame holds NaN or infinity; give finite samples")
    return NonFiniteError(f"{model} returned NaN or infinity for this frame; nothing was delivered")


def output_of(frame: NDArray[Any], out: Any, scale: int) -> NDArray[Any]:
    """Return ``out``, or a new array for None, once it is known to hold a frame enlarged.

    Raises
    ------
    InputError
        It has another shape or dtype, cannot be written to, or is the frame's own memory.
    """
    height, width = frame.shape[:2]
    shape = (height * scale, width * scale, *frame.shape[2:])
    if out is None:
        return np.empty(shape, frame.dtype)
    if not isinstance(out, np.ndarray) or out.shape != shape or out.dtype != frame.dtype:
        got = f"{out.dtype} {out.shape}" if isinstance(out, np.ndarray) else repr(type(out))
        raise InputError(f"out is {got}; for this frame it must be {frame.dtype} {shape}")
    if not out.flags.writeable:
        raise InputError("out is read-only; give a writeable array")
    if np.may_share_memory(frame, out):
        raise InputError("out shares memory with the frame; give an array of its own")
    return out


def bleed_colour(frame: NDArray[Any]) -> NDArray[Any]:
    """Return the colour channels of a frame whose last channel is alpha.

    Where a pixel is wholly transparent its colour is arbitrary; it is replaced by a mean of the
    opaque colours around it (pull-push over a pyramid), lest it shows as a fringe in the output.
    """
    colour = frame[..., :-1]
    known = frame[..., -1] > 0
    if known.all() or not known.any():
        return colour
    spread = _pull_push(colour.astype(np.float32), known)
    if colour.dtype != np.float32:
        spread = np.rint(spread)
    return np.where(known[..., None], colour, spread.astype(colour.dtype))


def _pull_push(colour: NDArray[np.float32], known: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Fill unknown pixels of (H, W, C) with the mean of the known ones in the smallest block."""
    if known.all():
        return colour
    height, width = known.shape
    even = (height + height % 2, width + width % 2)
    weights = np.zeros(even, np.float32)
    weights[:height, :width] = known
    sums = np.zeros((*even, colour.shape[2]), np.float32)
    sums[:height, :width] = np.where(known[..., None], colour, 0)
    blocks = (even[0] // 2, 2, even[1] // 2, 2)
    total = weights.reshape(blocks).sum(axis=(1, 3))
    means = sums.reshape(*blocks, -1).sum(axis=(1, 3)) / np.maximum(total, 1)[..., None]
    coarse = _pull_push(means, total > 0)
    fine = coarse.repeat(2, axis=0).repeat(2, axis=1)[:height, :width]
    return np.where(known[..., None], colour, fine)
