"""Comparison of a device with the CPU on a part of one real tile."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from restore_rt.errors import BackendError, InputError
from restore_rt.model.graph import dimensions, inputs_of
from restore_rt.model.precision import precision_of, widen
from restore_rt.tiled.session import OnnxRuntimeBackend
from restore_rt.tiled.sizes import round_up

if TYPE_CHECKING:
    import onnx

    from restore_rt.model.manifest import Manifest

__all__ = ["LEAST_PSNR", "MOST_DIFFERENCE", "Parity", "check_parity"]

MOST_DIFFERENCE = 1 / 255
"""Of a sample in fp32, where black is 0 and white 1."""

LEAST_PSNR = 45.0
"""Of samples in fp16, in dB."""

# Pixels on a side that are compared at least, where the tile has them.
_COMPARED = 96


@dataclass(frozen=True)
class Parity:
    """Difference of a device from the CPU, on samples clipped to black (0) and white (1).

    Attributes
    ----------
    difference
        Largest difference of a sample.
    psnr
        In dB; infinite if all samples are equal.
    samples
        Number of compared samples.
    """

    difference: float
    psnr: float
    samples: int

    def __str__(self) -> str:
        if not self.difference:
            return "no difference"
        return f"a difference of up to {self.difference * 255:.2f}/255, {self.psnr:.1f} dB"


def check_parity(
    model: onnx.ModelProto,
    manifest: Manifest,
    tiles: NDArray[Any],
    out: NDArray[Any],
    *,
    precision: str,
    threads: int,
) -> Parity:
    """Compare a device's results for real tiles with the CPU's, in fp32, for a part.

    The part is cut from the tile with the most contrast, and compared outside the halo of its cut
    edges.

    Parameters
    ----------
    model
        The network, fp32 or fp16: the one on the device, or its source.
    manifest
        The network's description.
    tiles
        (N, C, h, w), float32 or float16, as given to the network.
    out
        (N, C, s*h, s*w), the device's results.
    precision
        ``"fp32"`` or ``"fp16"``, the device's precision, which sets the allowed difference.
    threads
        CPU threads to use.

    Returns
    -------
    Parity
        The measured difference, within the allowed one.

    Raises
    ------
    InputError
        The arrays do not fit each other, or the precision is unknown.
    BackendError
        The device's results differ or contain NaN or infinity; or ONNX Runtime is missing.
    """
    if precision not in ("fp32", "fp16"):
        raise InputError(f"precision is {precision!r}; allowed are fp32, fp16")
    scale = manifest.scale
    expected = (*tiles.shape[:2], *(side * scale for side in tiles.shape[2:]))
    if tiles.ndim != 4 or out.shape != expected or not len(tiles):
        raise InputError(
            f"tiles have the shape {tiles.shape} and results {out.shape}; they must be "
            f"(N, C, h, w) and (N, C, {scale}h, {scale}w), with one tile at least"
        )
    number = int(np.argmax([tile.astype(np.float32).std() for tile in tiles]))
    tile, given = tiles[number], out[number].astype(np.float32)
    reference = model if precision_of(model) == "int8" else widen(model)
    sizes = dimensions(inputs_of(reference)[0])
    axes = [
        _part(side, manifest, fixed=isinstance(own, int))
        for side, own in zip(tile.shape[1:], sizes[2:], strict=True)
    ]
    (top, bottom), (left, right) = axes
    part = tile[:, top:bottom, left:right].astype(np.float32)
    count = sizes[0] if isinstance(sizes[0], int) else 1
    ours = _on_cpu(reference, np.ascontiguousarray(np.stack([part] * count)), scale, threads)
    inner, placed = [], []
    for (start, stop), side in zip(axes, tile.shape[1:], strict=True):
        # Where the part ends with the tile, both are padded alike.
        low = start if start == 0 else start + manifest.halo
        high = stop if stop == side else stop - manifest.halo
        inner.append(slice((low - start) * scale, (high - start) * scale))
        placed.append(slice(low * scale, high * scale))
    given, ours = given[(slice(None), *placed)], ours[(slice(None), *inner)]
    return _judged(given, ours, precision, manifest)


def _part(side: int, manifest: Manifest, *, fixed: bool) -> tuple[int, int]:
    """Return the start and end of the part along an axis: central, on multiples."""
    multiple = manifest.multiple
    wanted = round_up(_COMPARED + 2 * manifest.halo, multiple)
    if fixed or wanted >= side:
        return 0, side
    start = (side - wanted) // 2 // multiple * multiple
    return start, start + wanted


def _on_cpu(
    model: onnx.ModelProto, tiles: NDArray[np.float32], scale: int, threads: int
) -> NDArray[np.float32]:
    count, channels, height, width = tiles.shape
    out = np.empty((count, channels, height * scale, width * scale), np.float32)
    backend = OnnxRuntimeBackend(model, threads=threads)
    try:
        backend.run(tiles, out)
    finally:
        backend.close()
    first: NDArray[np.float32] = out[0]
    return first


def _normalised(samples: NDArray[np.float32], manifest: Manifest) -> NDArray[np.float32]:
    black, white = manifest.value_range
    limited = np.clip(samples, black, white)
    return ((limited - black) / (white - black)).astype(np.float32)


def _judged(
    given: NDArray[np.float32],
    expected: NDArray[np.float32],
    precision: str,
    manifest: Manifest,
) -> Parity:
    fixes = "use device='cpu', or backend='onnxruntime' if this is TensorRT, and report it"
    if precision == "fp16":
        fixes = f"use precision='fp32', in which values have more room; or {fixes}"
    if not np.isfinite(given).all():
        raise BackendError(
            f"{manifest.name} in {precision} on this device gives NaN or infinity where the CPU "
            f"gives {'numbers' if np.isfinite(expected).all() else 'them, too'}: {fixes}"
        )
    error = np.abs(_normalised(given, manifest) - _normalised(expected, manifest))
    square = float(np.mean(np.square(error, dtype=np.float64)))
    psnr = -10 * math.log10(square) if square else math.inf
    parity = Parity(float(error.max()), psnr, error.size)
    # Not below, rather than above: what the CPU gives may be NaN.
    if precision == "fp32":
        allowed, good = "a difference of 1/255", parity.difference <= MOST_DIFFERENCE
    else:
        allowed, good = f"{LEAST_PSNR:.0f} dB or more", parity.psnr >= LEAST_PSNR
    if not good:
        raise BackendError(
            f"{manifest.name} in {precision} on this device is not what the CPU gives: there is "
            f"{parity}; allowed is {allowed}. A driver, library or engine may be broken: {fixes}"
        )
    return parity
