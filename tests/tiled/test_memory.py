from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import restore_rt
from restore_rt.errors import BackendError, OutOfMemoryError
from restore_rt.tiled.session import OnnxRuntimeBackend
from tests.networks import MakeModel, nearest
from tests.pixels import enlarged, random_frame

pytestmark = pytest.mark.usefixtures("tiles")


@pytest.mark.parametrize("error", [MemoryError(), OutOfMemoryError("full")])
def test_out_of_memory_halves_the_tile_and_warns_once(
    make_model: MakeModel,
    rng: np.random.Generator,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    frame = random_frame(rng, (100, 200), np.uint8)
    run = OnnxRuntimeBackend.run
    areas = []

    def limited(self: OnnxRuntimeBackend, tiles: NDArray[Any], out: NDArray[Any]) -> None:
        areas.append(tiles.size)
        if tiles.size > 5000:
            raise error
        run(self, tiles, out)

    monkeypatch.setattr(OnnxRuntimeBackend, "run", limited)
    with restore_rt.load(make_model(nearest(1, 2), scale=2), tile=256) as restorer:
        with pytest.warns(RuntimeWarning, match="out of memory") as caught:
            result = restorer(frame)
        assert len(caught) == 1
        np.testing.assert_array_equal(result, enlarged(frame, 2))
        assert areas[0] == 20000
        assert restorer.tile is not None
        assert max(restorer.tile) <= 100
        np.testing.assert_array_equal(restorer(frame), enlarged(frame, 2))


def test_out_of_memory_first_releases_what_other_sizes_left(
    make_model: MakeModel, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    frame = random_frame(rng, (100, 200), np.uint8)
    run, release = OnnxRuntimeBackend.run, OnnxRuntimeBackend.release
    full = True

    def scarce(self: OnnxRuntimeBackend, tiles: NDArray[Any], out: NDArray[Any]) -> None:
        if full:
            raise MemoryError
        run(self, tiles, out)

    def freed(self: OnnxRuntimeBackend) -> None:
        nonlocal full
        full = False
        release(self)

    monkeypatch.setattr(OnnxRuntimeBackend, "run", scarce)
    monkeypatch.setattr(OnnxRuntimeBackend, "release", freed)
    with restore_rt.load(make_model(nearest(1, 2), scale=2), tile=256) as restorer:
        np.testing.assert_array_equal(restorer(frame), enlarged(frame, 2))
        assert restorer.tile == (256, 256)


def test_out_of_memory_at_the_smallest_tile_is_an_error(
    make_model: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(self: OnnxRuntimeBackend, tiles: NDArray[Any], out: NDArray[Any]) -> None:
        raise MemoryError

    monkeypatch.setattr(OnnxRuntimeBackend, "run", never)
    with (
        restore_rt.load(make_model(nearest(1, 2), scale=2)) as restorer,
        pytest.warns(RuntimeWarning, match="out of memory"),
        pytest.raises(BackendError, match="smallest tile"),
    ):
        restorer(np.zeros((100, 200), np.uint8))
