"""Compares a result, before it is timed, with what the network alone makes of the same frame."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from restore_rt.bench.report import Verified
from restore_rt.errors import RestoreError
from restore_rt.model.manifest import Manifest

if TYPE_CHECKING:
    import onnx

__all__ = ["VerificationError", "shown", "verify", "windows"]

# A window's side, and what is beside it at least, in input pixels.
_SIDE, _MARGIN = 64, 32
_WHITE = 255
# In steps of 255 where all is fp32, in dB of PSNR elsewhere.
_WORST_FP32 = 1
_LEAST_PSNR = 40.0

Window = tuple[int, int, int, int]
U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]


class VerificationError(RestoreError):
    """A result is not what the reference makes of the frame; nothing was timed."""


def windows(height: int, width: int) -> list[Window]:
    """Return the parts of a frame that are compared: top, left, bottom, right in input pixels.

    They lie in two corners, and in the middle, where tiles meet in most grids.
    """
    found: dict[Window, None] = {}
    for place in (0.0, 0.5, 1.0):
        sides = []
        for length in (height, width):
            side = min(_SIDE, length)
            begin = round(place * (length - side))
            sides.append((begin, begin + side))
        (top, bottom), (left, right) = sides
        found[top, left, bottom, right] = None
    return list(found)


def shown(out: U8, frame: U8, manifest: Manifest) -> list[U8]:
    """Return the windows of a result, (H, W, C) each."""
    found = windows(frame.shape[0], frame.shape[1])
    return [_cut(out, window, manifest.scale) for window in found]


def verify(
    model: onnx.ModelProto, manifest: Manifest, frame: U8, made: Sequence[U8], *, precision: str
) -> Verified:
    """Compare a restored frame with the network's own result, in windows.

    The network sees each window with as much of the frame around it as it looks at, so that it
    makes of it what it would make of it in the whole frame: without tiles, without kernels of this
    package but, where ONNX Runtime is not installed, in ONNX's own reference.

    Parameters
    ----------
    model
        The file that was loaded.
    manifest
        Its description.
    frame
        (H, W) or (H, W, 3).
    made
        What ``shown`` gives of the result.
    precision
        The least that any layer was computed in.

    Raises
    ------
    VerificationError
        It is too far off.
    """
    run, name = _reference(model)
    steps, squares, samples, pixels = 0, 0.0, 0, 0
    for window, part in zip(windows(frame.shape[0], frame.shape[1]), made, strict=True):
        difference = np.abs(_expected(run, manifest, frame, window).astype(int) - part)
        steps = max(steps, int(difference.max()))
        squares += float((difference.astype(float) ** 2).sum())
        samples += difference.size
        pixels += difference.shape[0] * difference.shape[1]
    psnr = None if squares == 0 else 10 * math.log10(_WHITE**2 * samples / squares)
    verified = Verified(name, steps, psnr, pixels)
    exact = precision == manifest.precision == "fp32"
    if exact and steps > _WORST_FP32:
        raise VerificationError(
            f"the result is up to {steps} of 255 off what {name} makes of the same frame; allowed "
            f"is {_WORST_FP32}"
        )
    if psnr is not None and psnr < _LEAST_PSNR:
        raise VerificationError(
            f"the result comes within {psnr:.1f} dB of what {name} makes of the same frame; "
            f"{_LEAST_PSNR:.0f} are asked for"
        )
    return verified


def _reference(model: onnx.ModelProto) -> tuple[Callable[[F32], F32], str]:
    name = model.graph.input[0].name
    try:
        import onnxruntime
    except ImportError:
        import onnx
        from onnx.reference import ReferenceEvaluator

        evaluator = ReferenceEvaluator(model)
        return (
            lambda x: np.asarray(evaluator.run(None, {name: x})[0], np.float32),  # type: ignore[index]
            f"ONNX's reference {onnx.__version__}",
        )
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return (
        lambda x: np.asarray(session.run(None, {name: x})[0], np.float32),
        f"ONNX Runtime {onnxruntime.__version__}, fp32, without tiles",
    )


def _expected(run: Callable[[F32], F32], manifest: Manifest, frame: U8, window: Window) -> U8:
    top, left, bottom, right = window
    filled = _filled(frame.reshape(*frame.shape[:2], -1), manifest.multiple)
    rows = _around(top, bottom, filled.shape[0], manifest)
    columns = _around(left, right, filled.shape[1], manifest)
    black, white = manifest.value_range
    part = filled[rows, columns]
    x = part.astype(np.float32) / np.float32(_WHITE) * np.float32(white - black) + np.float32(black)
    y = run(np.ascontiguousarray(x.transpose(2, 0, 1)[None]))[0].transpose(1, 2, 0)
    levels = (y - np.float32(black)) * np.float32(_WHITE / (white - black))
    made = np.rint(np.clip(levels, 0, _WHITE)).astype(np.uint8)
    inside = (top - rows.start, left - columns.start)
    seen = (*inside, inside[0] + bottom - top, inside[1] + right - left)
    return _cut(made, seen, manifest.scale)


def _filled(frame: U8, multiple: int) -> U8:
    """Return a frame whose sides are multiples, as the runtime fills it up: by reflection."""
    for axis in (0, 1):
        length = frame.shape[axis]
        beyond = -length % multiple
        widths = [(0, 0)] * 3
        widths[axis] = (0, beyond)
        frame = np.pad(frame, widths, "reflect" if beyond < length else "edge")
    return frame


def _around(begin: int, end: int, length: int, manifest: Manifest) -> slice:
    """Return a part, and beside it more than a network looks, should its file not tell how far."""
    multiple, reach = manifest.multiple, 2 * manifest.halo + _MARGIN
    first = max(begin - reach, 0) // multiple * multiple
    return slice(first, min(-(-(end + reach) // multiple) * multiple, length))


def _cut(picture: U8, window: Window, scale: int) -> U8:
    top, left, bottom, right = (scale * at for at in window)
    cut = picture[top:bottom, left:right]
    return cut.reshape(bottom - top, right - left, -1)
