"""OpenCV's methods, for every kind of samples."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from restore_rt.errors import InputError
from restore_rt.inpaint.classical import fill_classically


def waves(dtype: type, channels: int | None) -> NDArray[Any]:
    """Return smooth waves over a third of the range."""
    y, x = np.mgrid[:80, :100]
    plane = np.sin(x / 9) * 0.15 + 0.5 + y / 800
    planes = plane if channels is None else np.stack([plane, plane * 0.8, plane * 0.5], axis=-1)
    return (
        planes.astype(dtype)
        if dtype is np.float32
        else (planes * np.iinfo(dtype).max).astype(dtype)
    )


@pytest.mark.parametrize("method", ["telea", "ns", "fsr"])
@pytest.mark.parametrize("channels", [None, 3])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_holes_are_filled(
    request: pytest.FixtureRequest, method: Any, channels: int | None, dtype: type
) -> None:
    if method == "fsr":
        request.getfixturevalue("xphoto")
    frame = waves(dtype, channels)
    holes = np.zeros((80, 100), np.uint8)
    holes[30:40, 40:52] = 255
    damaged = frame.copy()
    damaged[holes > 0] = 0
    filled = fill_classically(damaged, holes, method=method)
    assert filled.dtype == dtype
    white = 1 if dtype is np.float32 else np.iinfo(dtype).max
    off = np.abs(filled[holes > 0].astype(np.float64) - frame[holes > 0]) / white
    assert off.mean() < 0.03


def test_other_methods_are_refused() -> None:
    with pytest.raises(InputError, match="method is 'shiftmap'; allowed are telea, ns, fsr"):
        fill_classically(np.zeros((4, 4), np.uint8), np.zeros((4, 4), np.uint8), method="shiftmap")  # type: ignore[arg-type]
