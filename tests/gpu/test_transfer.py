"""Copies and clearing, of arrays with any layout that has rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from restore_rt.errors import InputError
from restore_rt.gpu import (
    DeviceArray,
    Pool,
    copy_async,
    download_async,
    open_device,
    pinned_empty,
    upload_async,
    zero_async,
)
from restore_rt.gpu.transfer import rows_of
from tests.gpu.emulator import Emulator, run_seeds

Array = np.ndarray[Any, np.dtype[Any]]


def numbers(shape: tuple[int, ...], dtype: Any) -> Array:
    return np.random.default_rng(0).integers(0, 200, shape).astype(dtype)


def there_and_back(array: DeviceArray, sent: Array) -> Array:
    device = array.device
    with device.active():
        stream = device.stream()
        here, there = (pinned_empty(sent.shape, sent.dtype) for _ in range(2))
        here[...] = sent
        upload_async(array, here, stream)
        download_async(there, array, stream)
        stream.synchronize()
    return there.copy()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float16, np.float32])
@pytest.mark.parametrize("shape", [(1,), (7, 5), (7, 5, 3), (2, 3, 7, 5)])
@pytest.mark.parametrize("pitch", [False, True])
def test_what_goes_up_comes_back(
    emulated: Emulator, shape: tuple[int, ...], dtype: Any, *, pitch: bool
) -> None:
    array = Pool(open_device()).empty(shape, dtype, pitch=pitch)
    sent = numbers(shape, dtype)
    np.testing.assert_array_equal(there_and_back(array, sent), sent)
    np.testing.assert_array_equal(emulated.array(array), sent)


def test_copies_keep_to_their_columns(emulated: Emulator) -> None:
    array = Pool(open_device()).empty((6, 9), np.uint8)
    emulated.array(array)[...] = 5
    part = array[1:5, 2:7]
    np.testing.assert_array_equal(
        there_and_back(part, numbers((4, 5), np.uint8)), numbers((4, 5), np.uint8)
    )
    expected = np.full((6, 9), 5, np.uint8)
    expected[1:5, 2:7] = numbers((4, 5), np.uint8)
    np.testing.assert_array_equal(emulated.array(array), expected)
    with open_device().active():
        zero_async(part, stream := open_device().stream())
        stream.synchronize()
    expected[1:5, 2:7] = 0
    np.testing.assert_array_equal(emulated.array(array), expected)


def test_arrays_are_cleared_and_copied_in_turn() -> None:
    def work(emulator: Emulator) -> None:
        device = open_device()
        with device.active():
            stream = device.stream()
            pool = Pool(device, stream=stream)
            first, second = pool.empty((5, 3), np.float32), pool.empty((15,), np.float32)
            back = pinned_empty((15,), np.float32)
            zero_async(first, stream)
            copy_async(second, first, stream)
            download_async(back, second, stream)
            stream.synchronize()
            assert (back == 0).all()

    run_seeds(range(20), work)


@pytest.mark.parametrize(
    ("shape", "strides", "rows"),
    [
        ((4, 5), (5, 1), (1, 20, 20)),
        ((4, 5), (8, 1), (4, 5, 8)),
        ((4, 1, 5), (8, 77, 1), (4, 5, 8)),
        ((2, 4, 5), (32, 8, 1), (8, 5, 8)),
        ((2, 4, 5), (40, 8, 1), None),
        ((4, 5), (1, 4), None),
        ((4, 5), (-5, 1), None),
        ((4, 5), (0, 1), None),
        ((4, 2), (8, 2), None),
        # Samples apart from each other are rows of one byte.
        ((4, 2), (4, 2), (8, 1, 2)),
        ((1, 1), (99, 99), (1, 1, 1)),
    ],
)
def test_layouts_are_rows_or_not(
    emulated: Emulator,
    shape: tuple[int, ...],
    strides: tuple[int, ...],
    rows: tuple[int, int, int] | None,
) -> None:
    array = DeviceArray(4096, shape, np.uint8, strides=strides, device=open_device())
    assert rows_of(array) == rows


def test_what_does_not_fit_is_refused(emulated: Emulator) -> None:
    device = open_device()
    with device.active():
        stream = device.stream()
        array = Pool(device).empty((4, 6), np.uint8)
        here = pinned_empty((4, 6), np.uint8)
        for wrong in (pinned_empty((6, 4), np.uint8), pinned_empty((4, 6), np.int8)):
            with pytest.raises(InputError, match="both must be the same"):
                upload_async(array, wrong, stream)
        with pytest.raises(InputError, match="allowed is C-contiguous"):
            upload_async(array[:, :3], here[:, :3], stream)
        with pytest.raises(InputError, match="allowed are rows"):
            upload_async(array[::-1], here, stream)
        with pytest.raises(InputError, match="is empty"):
            zero_async(array[:0], stream)
        here.flags.writeable = False
        upload_async(array, here, stream)
        with pytest.raises(InputError, match="read-only"):
            download_async(here, array, stream)
        with pytest.raises(InputError, match="the same number"):
            copy_async(array, array[1:], stream)
        with pytest.raises(InputError, match="allowed is C-contiguous"):
            copy_async(array[:, 1:], array[:, 1:], stream)
        stream.synchronize()
