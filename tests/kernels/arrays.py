"""Random frames and tiles, and the cases that both kernels of tiles are tried with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from restore_rt._ext import TileGrid
from restore_rt.errors import InputError

Array = NDArray[Any]
Layout = Callable[[Array], Array]


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


CASES: dict[str, st.SearchStrategy[Any]] = {
    "grid": grids(),
    "channels": st.sampled_from([None, 1, 3, 4]),
    "real": st.sampled_from([np.float32, np.float16]),
    "seed": st.integers(0, 99),
}


def frame_shape(height: int, width: int, channels: int | None) -> tuple[int, ...]:
    return (height, width) if channels is None else (height, width, channels)


def random_frame(shape: tuple[int, ...], dtype: type, seed: int) -> Array:
    """Return samples of all values; floats beyond 0..1, too."""
    rng = np.random.default_rng(seed)
    if dtype is np.float32:
        return rng.normal(0.5, 1.0, shape).astype(np.float32)
    return rng.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def random_tiles(grid: TileGrid, channels: int, real: type, seed: int) -> Array:
    """Return outputs of a network, some of them beyond 0..1."""
    rng = np.random.default_rng(seed)
    shape = (grid.count, channels, grid.tile[0] * grid.scale, grid.tile[1] * grid.scale)
    return rng.uniform(-0.1, 1.1, shape).astype(real)
