"""Views of arrays in device memory, compared with NumPy's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from restore_rt.errors import InputError
from restore_rt.gpu import DeviceArray, Pool, open_device
from tests.gpu.emulator import Emulator

KEYS: list[Any] = [
    0,
    -1,
    slice(1, 3),
    slice(None, None, -1),
    slice(5, 2),
    (slice(None), 2),
    (Ellipsis, 1),
    (1, 2, 1),
    (slice(None, None, 2), slice(1, None), slice(None, None, -2)),
]


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_a_view_is_where_numpys_is(emulated: Emulator, key: Any) -> None:
    array = Pool(open_device()).empty((4, 5, 3), np.uint16)
    memory = emulated.array(array)
    memory[...] = np.arange(60).reshape(4, 5, 3)
    view = array[key]
    expected = memory[key] if isinstance(memory[key], np.ndarray) else memory[(*key, ...)]
    assert (view.shape, view.strides) == (expected.shape, expected.strides)
    if view.size:
        np.testing.assert_array_equal(emulated.array(view), expected)
    assert view.is_contiguous or not expected.flags.c_contiguous


def test_part_is_a_slice(emulated: Emulator) -> None:
    array = Pool(open_device()).empty((4, 5), np.uint16, pitch=True)
    for first, last in ((0, 4), (1, 3), (2, 2)):
        part, view = array.part(first, last), array[first:last]
        assert (part.shape, part.strides) == (view.shape, view.strides)
        assert part.pointer == (view.pointer if part.size else array.pointer + first * 256)
    for first, last in ((-1, 2), (3, 2), (0, 5)):
        with pytest.raises(InputError, match="has no part"):
            array.part(first, last)


@pytest.mark.parametrize("key", [(0, 0, 0), 4, -5, [0, 1], None, "y", (slice(None), 9)], ids=str)
def test_other_indices_are_refused(emulated: Emulator, key: Any) -> None:
    array = Pool(open_device()).empty((4, 5), np.uint8)
    with pytest.raises(InputError):
        array[key]


def test_a_view_of_other_type_stays_within(emulated: Emulator) -> None:
    array = Pool(open_device()).empty((4, 6), np.uint8)
    memory = emulated.array(array)
    memory[...] = np.arange(24).reshape(4, 6)
    view = array.view((3,), dtype=np.uint32, offset=12)
    np.testing.assert_array_equal(emulated.array(view), memory.ravel()[12:].view(np.uint32))
    for shape, offset in (((4,), 12), ((1,), -4), ((7,), 0)):
        with pytest.raises(InputError, match="reaches beyond"):
            array.view(shape, dtype=np.uint32, offset=offset)
    with pytest.raises(InputError, match="reaches beyond"):
        array[1:].view((6,), offset=-1)


def test_strides_are_one_for_each_axis(emulated: Emulator) -> None:
    with pytest.raises(InputError, match="one for each axis"):
        DeviceArray(4096, (2, 3), np.uint8, strides=(3,), device=open_device())
