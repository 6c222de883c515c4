"""What the kernel tests share: random grids, array layouts, instruction sets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st
from numpy.typing import NDArray

from restore_rt import _ext
from restore_rt._ext import TileGrid
from restore_rt.errors import InputError

Array = NDArray[Any]


@st.composite
def grids(draw: st.DrawFn) -> TileGrid:
    """Draw a valid grid over a frame of 1 to 300 pixels a side, at most 7 tiles along an axis."""
    multiple = draw(st.sampled_from([1, 1, 2, 3, 8]))
    units = (draw(st.integers(1, 64 // multiple)), draw(st.integers(1, 64 // multiple)))
    tile = (units[0] * multiple, units[1] * multiple)
    overlap = draw(st.integers(0, min(units) - 1)) * multiple
    halo = draw(st.integers(0, overlap // 2))
    feather = draw(st.none() | st.integers(0, overlap - 2 * halo))
    height, width = (draw(st.integers(1, min(300, t + 6 * (t - overlap)))) for t in tile)
    scale = draw(st.integers(1, 4))

    def grid(feather: int | None) -> TileGrid:
        return TileGrid(
            height,
            width,
            tile,
            overlap=overlap,
            halo=halo,
            feather=feather,
            scale=scale,
            multiple=multiple,
        )

    try:
        return grid(feather)
    except InputError as error:
        assert "three tiles" in str(error)  # noqa: PT017
        return grid(min(overlap - 2 * halo, (min(tile) - overlap) // 2))


st.register_type_strategy(TileGrid, grids())


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
