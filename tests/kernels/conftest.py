"""What the kernel tests share: array layouts, instruction sets."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from restore_rt import _ext

Array = NDArray[Any]

# The sanitized one: tests of another would pass whatever is wrong.
_WANTED = os.environ.get("RESTORE_RT_EXTENSION")
if _WANTED is not None and not Path(_ext.__file__).samefile(_WANTED):
    raise pytest.UsageError(f"{_ext.__file__} is imported, not {_WANTED}")


def reversed_view(array: Array) -> Array:
    flip = (slice(None, None, -1),) * min(array.ndim, 2)
    return np.ascontiguousarray(array[flip])[flip]


def sliced(array: Array) -> Array:
    """Return a view with gaps along rows and columns."""
    height, width, *channels = array.shape
    large = np.full((2 * height + 1, 3 * width + 2, *channels), 77, array.dtype)
    view = large[1::2, 2::3]
    view[...] = array
    return view


def transposed(array: Array) -> Array:
    """Return a view whose rows are the fastest axis."""
    return np.asfortranarray(array)


def planar(array: Array) -> Array:
    """Return a view of (C, H, W) memory."""
    if array.ndim == 2:
        return array.copy()
    return np.ascontiguousarray(array.transpose(2, 0, 1)).transpose(1, 2, 0)


LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "contiguous": np.array,
    "reversed": reversed_view,
    "sliced": sliced,
    "transposed": transposed,
    "planar": planar,
}


@pytest.fixture(scope="session", params=LAYOUTS)
def layout(request: pytest.FixtureRequest) -> Callable[[Array], Array]:
    """Copy an array into memory of another order."""
    return LAYOUTS[request.param]


@pytest.fixture(scope="module", params=[name for name in _ext.isas() if "-only" not in name])
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    """Run with each instruction set that this CPU has."""
    before = _ext.isa()
    _ext.set_isa(request.param)
    yield request.param
    _ext.set_isa(before)
