"""What the kernels that fill holes compute, in NumPy, in their order of operations."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Floats = NDArray[np.float32]


def _samples(values: Floats, dtype: np.dtype[Any]) -> Array:
    if dtype == np.float32:
        return values
    return np.rint(np.clip(values, 0, np.iinfo(dtype).max)).astype(dtype)


def _fours(plane: Array) -> tuple[Array, Array, Array, Array]:
    """Return the pixels of each block of 2x2, the last row and column repeated if it is cut."""
    height, width = plane.shape
    even = np.pad(plane, ((0, height % 2), (0, width % 2)), mode="edge")
    return even[::2, ::2], even[::2, 1::2], even[1::2, ::2], even[1::2, 1::2]


def _pull(plane: Floats, known: NDArray[np.bool_]) -> tuple[Floats, NDArray[np.bool_]]:
    a, b, c, d = _fours(plane)
    count = sum(part.astype(np.int32) for part in _fours(known))
    mean = ((a + b) + (c + d)) / np.maximum(count, 1).astype(np.float32)
    return mean.astype(np.float32), np.asarray(count) > 0


def enlarged(coarse: Floats, height: int, width: int) -> Floats:
    """Return a plane of half the size, enlarged bilinearly."""

    def along(values: Floats, length: int) -> Floats:
        at = np.arange(length)
        other = np.clip(np.where(at % 2, at // 2 + 1, at // 2 - 1), 0, len(values) - 1)
        near, far = np.float32(0.75) * values[at // 2], np.float32(0.25) * values[other]
        return np.asarray(near + far)

    return along(np.ascontiguousarray(along(coarse.T, width).T), height)


def _relax(plane: Floats, y: int, x: int) -> None:
    height, width = plane.shape
    if 0 < y < height - 1 and 0 < x < width - 1:
        across = plane[y, x - 1] + plane[y, x + 1]
        plane[y, x] = (across + (plane[y - 1, x] + plane[y + 1, x])) * np.float32(0.25)
        return
    places = [(y, x - 1), (y, x + 1), (y - 1, x), (y + 1, x)]
    values = [plane[at] for at in places if 0 <= at[0] < height and 0 <= at[1] < width]
    if values:
        total = np.float32(0)
        for value in values:
            total = total + value
        plane[y, x] = total / np.float32(len(values))


def _filled(plane: Floats, known: NDArray[np.bool_], sweeps: int) -> Floats:
    if known.all():
        return plane
    coarse = _filled(*_pull(plane, known), sweeps)
    result = np.where(known, plane, enlarged(coarse, *plane.shape))
    holes = [(int(y), int(x)) for y, x in np.argwhere(~known)]
    for _ in range(sweeps):
        for place in (*holes, *reversed(holes)):
            _relax(result, *place)
    return result


def fill(frame: Array, mask: Array, *, sweeps: int) -> Array:
    known = mask == 0
    result = frame.copy()
    planes = result[..., None] if frame.ndim == 2 else result
    for channel in range(planes.shape[2]):
        plane = planes[..., channel]
        start = np.where(known, plane, 0).astype(np.float32)
        filled = _samples(_filled(start, known, sweeps), frame.dtype)
        plane[~known] = filled[~known]
    return result


def depth(mask: Array) -> Array:
    """Return distances by dilating what is known, a pixel at a time."""
    height, width = mask.shape
    result = np.full(mask.shape, 255, np.uint8)
    known = mask == 0
    for distance in range(256):
        result[known & (result == 255)] = distance
        padded = np.pad(known, 1)
        known = np.logical_or.reduce(
            [padded[y : y + height, x : x + width] for y in range(3) for x in range(3)]
        )
    return result


def halve(frame: Array, mask: Array) -> tuple[Array, Array]:
    known = mask == 0
    planes = frame[..., None] if frame.ndim == 2 else frame
    halves = []
    for channel in range(planes.shape[2]):
        plane = np.where(known, planes[..., channel], 0).astype(np.float32)
        # One after another, as the kernel sums them.
        a, b, c, d = _fours(plane)
        count = sum(part.astype(np.int32) for part in _fours(known))
        mean = (((a + b) + c) + d) / np.maximum(count, 1).astype(np.float32)
        halves.append(_samples(mean.astype(np.float32), frame.dtype))
    small = np.stack(halves, axis=-1).reshape(*halves[0].shape, *frame.shape[2:])
    return small, np.where(np.asarray(count) > 0, 0, 255).astype(np.uint8)


def blend(frame: Array, half: Array, distances: Array, radius: int) -> Array:
    result = frame.copy()
    planes, halves = (x[..., None] if x.ndim == 2 else x for x in (result, half))
    beyond = distances.astype(np.int32) - radius
    weight = np.minimum(beyond.astype(np.float32) / np.float32(radius), np.float32(1))
    for channel in range(planes.shape[2]):
        before = planes[..., channel].astype(np.float32)
        large = enlarged(halves[..., channel].astype(np.float32), *frame.shape[:2])
        blended = _samples(before + weight * (large - before), frame.dtype)
        planes[..., channel] = np.where(beyond > 0, blended, planes[..., channel])
    return result
