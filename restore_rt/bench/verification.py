"""Compares a result with what the network alone computes for the same frame."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from restore_rt import reference as oracle
from restore_rt.bench.report import Verified
from restore_rt.errors import RestoreError
from restore_rt.loading import read_loaded
from restore_rt.model.manifest import Manifest
from restore_rt.options import LoadOptions

__all__ = ["NO_FILE", "Reference", "VerificationError", "reference_for", "verify", "windows"]

# Side of a window, and the least context around it, in input pixels.
_SIDE, _MARGIN = 64, 32
_WHITE = 255
# Allowed difference in steps of 255 if all layers compute in fp32, and else the least PSNR in dB.
_WORST_FP32 = 1
_LEAST_PSNR = 40.0

Window = tuple[int, int, int, int]
U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]


class VerificationError(RestoreError):
    """The result differs from the reference; nothing was timed."""


@dataclass(frozen=True)
class Reference:
    """What the network computes in windows of a frame, (H, W, C).

    ``name`` says what computed it; if there is no reference, why.
    """

    name: str
    parts: tuple[tuple[Window, U8], ...] = ()


NO_FILE = Reference("there is no .onnx file to compare with")


def windows(height: int, width: int) -> list[Window]:
    """Return the parts of a frame to compare: top, left, bottom, right in input pixels.

    They lie in two corners and in the middle, where most grids of tiles have a seam.
    """
    rows, columns = min(_SIDE, height), min(_SIDE, width)
    corners = (
        (round(place * (height - rows)), round(place * (width - columns))) for place in (0, 0.5, 1)
    )
    return list(dict.fromkeys((y, x, y + rows, x + columns) for y, x in corners))


def reference_for(path: Path | None, manifest: Manifest, frame: U8) -> Reference:
    """Run a model's file on the windows of a frame, (H, W) or (H, W, 3).

    Of RGB frames a luma model makes the luma, and ``restore_rt.reference`` the rest.

    The network sees each window with all the context that it uses, so that the result is that of
    the whole frame. ONNX Runtime computes it, or ONNX's own reference where that is not installed:
    without tiles and without any kernel of this package.
    """
    if path is None or path.suffix != ".onnx":
        return NO_FILE
    loaded = read_loaded(path, LoadOptions())
    model, interface = loaded.original, loaded.interface
    if loaded.whole:
        return Reference("the network looks at the whole frame, and the reference needs parts")
    if interface.height is not None or interface.width is not None:
        return Reference("the file takes a single size, and the reference needs a smaller one")
    network: Any
    try:
        import onnxruntime
    except ImportError:
        import onnx
        from onnx.reference import ReferenceEvaluator

        network, name = ReferenceEvaluator(model), f"ONNX's reference {onnx.__version__}"
    else:
        options = {"providers": ["CPUExecutionProvider"]}
        network = onnxruntime.InferenceSession(model.SerializeToString(), **options)
        name = f"ONNX Runtime {onnxruntime.__version__}, fp32, without tiles"

    def run(x: F32) -> F32:
        return np.asarray(network.run(None, {model.graph.input[0].name: x})[0], np.float32)

    found = windows(frame.shape[0], frame.shape[1])
    return Reference(name, tuple((at, _expected(run, manifest, frame, at)) for at in found))


def verify(out: U8, reference: Reference, manifest: Manifest, precision: str) -> Verified | None:
    """Compare a whole result with the reference; return None if there is no reference.

    ``precision`` is the lowest of any layer.

    Raises
    ------
    VerificationError
        The difference is too large.
    """
    if not reference.parts:
        return None
    pairs = [(_cut(out, window, manifest.scale), part) for window, part in reference.parts]
    off = np.concatenate([np.abs(made.astype(int) - part).ravel() for made, part in pairs])
    worst = int(off.max())
    psnr = 10 * math.log10(_WHITE**2 / (off**2).mean()) if worst else None
    if precision == manifest.precision == "fp32" and worst > _WORST_FP32:
        raise VerificationError(
            f"the result is up to {worst} of 255 off from {reference.name}; allowed is "
            f"{_WORST_FP32}; this is a bug in the backend or the driver, please report it"
        )
    if psnr is not None and psnr < _LEAST_PSNR:
        raise VerificationError(
            f"the result comes within {psnr:.1f} dB of {reference.name}; at least "
            f"{_LEAST_PSNR:.0f} dB are needed; try --precision fp32"
        )
    return Verified(reference.name, worst, psnr, sum(made[..., 0].size for made, _ in pairs))


def _expected(run: Callable[[F32], F32], manifest: Manifest, frame: U8, window: Window) -> U8:
    """Return what the network makes of a window, with all the context that it uses."""
    top, left, bottom, right = window
    rows, above = _around(top, bottom, frame.shape[0], manifest)
    columns, before = _around(left, right, frame.shape[1], manifest)
    black, white = (np.float32(level) for level in manifest.value_range)
    part = frame.reshape(*frame.shape[:2], -1)[np.ix_(rows, columns)]
    by_luma = manifest.channels == 1 and frame.ndim == 3
    given = oracle.luma(part)[..., None] if by_luma else part / np.float32(_WHITE)
    x = given * (white - black) + black
    y = run(np.ascontiguousarray(x.transpose(2, 0, 1)[None]))[0]
    levels = (y.transpose(1, 2, 0) - black) / (white - black)
    if by_luma:
        # Padding is for the network alone.
        there = part[: frame.shape[0] - (top - above), : frame.shape[1] - (left - before)]
        height, width = (side * manifest.scale for side in there.shape[:2])
        made = oracle.colour(there, levels[:height, :width, 0], scale=manifest.scale)
    else:
        made = np.rint(np.clip(levels * np.float32(_WHITE), 0, _WHITE)).astype(np.uint8)
    inside = (above, before, above + bottom - top, before + right - left)
    return _cut(made, inside, manifest.scale)


def _around(begin: int, end: int, length: int, manifest: Manifest) -> tuple[NDArray[np.int64], int]:
    """Return the pixels of an axis from which a range is computed, and the range's place in them.

    The axis is padded to multiples by reflection, as the runtime pads it. The context is ample even
    if the file does not state its halo.
    """
    multiple, reach = manifest.multiple, 2 * manifest.halo + _MARGIN
    beyond = -length % multiple
    padded = np.pad(np.arange(length), (0, beyond), "reflect" if beyond < length else "edge")
    first = max(begin - reach, 0) // multiple * multiple
    return padded[first : -(-(end + reach) // multiple) * multiple], begin - first


def _cut(picture: U8, window: Window, scale: int) -> U8:
    top, left, bottom, right = (scale * at for at in window)
    return picture[top:bottom, left:right].reshape(bottom - top, right - left, -1)
