"""The pool of device memory: what it gives, when it gives it again, and what it holds."""

from __future__ import annotations

import gc
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import pytest

from restore_rt.errors import BackendError, InputError, OutOfMemoryError
from restore_rt.gpu import (
    Device,
    DeviceArray,
    Pool,
    Stream,
    download_async,
    is_pinned,
    open_device,
    pinned_empty,
    upload_async,
)
from restore_rt.gpu.memory import ALIGNMENT, _rounded
from tests.gpu.emulator import Emulator, run_seeds

MIB = 1 << 20


def test_arrays_are_aligned_and_described(emulated: Emulator) -> None:
    array = Pool(open_device()).empty((3, 5, 7), np.float16)
    assert array.pointer % ALIGNMENT == 0
    assert array.__cuda_array_interface__ == {
        "shape": (3, 5, 7),
        "typestr": "<f2",
        "data": (array.pointer, False),
        "strides": None,
        "stream": None,
        "version": 3,
    }
    assert (array.ndim, array.size, array.nbytes) == (3, 105, 210)
    assert array.strides == (70, 14, 2)


@pytest.mark.parametrize(
    ("shape", "dtype", "strides"),
    [
        ((5, 7, 3), np.uint8, (256, 3, 1)),
        ((4, 128), np.uint16, (256, 2)),
        ((4, 129), np.uint16, (512, 2)),
        ((1, 1), np.float32, (256, 4)),
    ],
)
def test_rows_can_begin_at_aligned_places(
    emulated: Emulator, shape: tuple[int, ...], dtype: Any, strides: tuple[int, ...]
) -> None:
    array = Pool(open_device()).empty(shape, dtype, pitch=True)
    assert array.strides == strides
    emulated.array(array)[...] = 1
    assert array.is_contiguous == (shape[0] == 1 or strides[0] == shape[1] * array.dtype.itemsize)


@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (-1, 2)])
def test_absurd_shapes_are_refused(emulated: Emulator, shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="none below 1"):
        Pool(open_device()).empty(shape, np.uint8)
    with pytest.raises(InputError, match="none below 1"):
        pinned_empty(shape, np.uint8, device=open_device())


def test_blocks_are_little_larger_than_arrays() -> None:
    for size in (1, 255, 256, 257, 4095, 4097, 12_345_678, 3 * MIB + 1):
        assert size <= _rounded(size) <= max(size * 9 // 8 + 1, size + ALIGNMENT)
        assert _rounded(size) % ALIGNMENT == 0
        assert _rounded(_rounded(size)) == _rounded(size)


def test_memory_is_used_again_once_its_work_has_run(emulated: Emulator) -> None:
    emulated.queues._eager = 0.0
    device = open_device()
    stream = device.stream()
    pool = Pool(device, stream=stream)
    with device.active():
        first = pool.empty((1000,), np.uint8)
        where = first.pointer
        emulated.enqueue(stream.handle, lambda: None)
        first.release()
        # Its work has not run, and that it has is not waited for while there is other memory.
        second = pool.empty((1000,), np.uint8)
        assert second.pointer != where
        stream.synchronize()
        third = pool.empty((1000,), np.uint8)
        assert third.pointer == where
    assert emulated.allocations == 2
    assert pool.bytes_in_use == pool.bytes_held == 2 * 1024


def test_an_array_that_was_released_is_not_used_by_mistake(emulated: Emulator) -> None:
    array = Pool(open_device()).empty((4, 4), np.uint8)
    view = array[1:]
    array.release()
    for gone in (array, view):
        with pytest.raises(BackendError, match="was released"):
            _ = gone.__cuda_array_interface__
    array.release()


def test_a_view_keeps_the_memory(emulated: Emulator) -> None:
    pool = Pool(open_device())
    array = pool.empty((4, 4), np.uint8)
    view = array[1:, 2]
    del array
    gc.collect()
    assert pool.bytes_in_use == 256
    del view
    assert pool.bytes_in_use == 0
    assert pool.bytes_held == 256
    pool.trim()
    assert pool.bytes_held == 0
    assert emulated.memory.used == 0


def churn(emulator: Emulator, *, say: bool = True, streams: int = 3) -> None:
    """Send frames through memory that is given back at once, by streams in turn."""
    device = open_device()
    draw = random.Random(emulator.seed)
    with device.active():
        lanes = [device.stream() for _ in range(streams)]
        pool = Pool(device, stream=None if say else lanes[0])
        sent, back = [], []
        for number in range(12):
            stream = lanes[draw.randrange(streams)]
            array = pool.empty((64,), np.uint8)
            here, there = pinned_empty((64,), np.uint8), pinned_empty((64,), np.uint8)
            here[...] = number
            if say:
                upload_async(array, here, stream)
                download_async(there, array, stream)
            else:
                upload_unsaid(device, array, here, there, stream)
            sent.append(here)
            back.append(there)
            if draw.random() < 0.5:
                array.release()
            del array
        for stream in lanes:
            stream.synchronize()
        for number, there in enumerate(back):
            np.testing.assert_array_equal(there, number)
        assert pool.bytes_in_use == 0


def upload_unsaid(
    device: Device, array: DeviceArray, here: Any, there: Any, stream: Stream
) -> None:
    """Copy there and back without the pool being told."""
    device.library.memcpy_htod_async(array.pointer, here, stream.raw)
    device.library.memcpy_dtoh_async(there, array.pointer, stream.raw)


def test_nobody_gets_memory_that_another_stream_still_uses() -> None:
    run_seeds(range(150), churn)


def test_a_stream_that_is_not_told_of_gives_wrong_data_with_some_seeds() -> None:
    wrong = 0
    for seed in range(60):
        try:
            run_seeds([seed], partial(churn, say=False))
        except AssertionError:
            wrong += 1
    assert 0 < wrong < 60


def test_the_own_stream_need_not_be_told_of() -> None:
    run_seeds(range(60), partial(churn, say=False, streams=1))


def test_memory_whose_users_nobody_knows_waits_for_the_whole_gpu() -> None:
    def use(emulator: Emulator) -> None:
        device = open_device()
        with device.active():
            stream = emulator.foreign_stream()
            pool = Pool(device, stream=device.stream())
            seen = []
            for number in range(20):
                array = pool.empty((16,), np.uint8)
                memory = emulator.array(array)

                def write(memory: Any = memory, number: int = number) -> None:
                    memory[...] = number

                def read(memory: Any = memory, number: int = number) -> None:
                    seen.append(int(memory[0]) == number)

                array.lend()
                emulator.enqueue(stream, write)
                emulator.enqueue(stream, read)
                del array
            device.synchronize()
            assert seen == [True] * 20
            assert emulator.allocations <= 5

    run_seeds(range(60), use)


def test_work_on_the_default_stream_is_waited_for() -> None:
    def use(emulator: Emulator) -> None:
        device = open_device()
        with device.active():
            pool = Pool(device, limit=256, stream=device.stream())
            for number in range(5):
                array = pool.empty((16,), np.uint8)
                memory = emulator.array(array)
                seen: list[int] = []

                def write(memory: Any = memory, number: int = number) -> None:
                    memory[...] = number

                emulator.enqueue(1, write)
                emulator.enqueue(1, lambda memory=memory, seen=seen: seen.append(int(memory[0])))  # type: ignore[misc]
                array.used_on(None)
                array.release()
                again = pool.empty((16,), np.uint8)
                assert seen == [number]
                again.release()

    run_seeds(range(20), use)


def test_the_limit_counts_what_is_held(emulated: Emulator) -> None:
    device = open_device()
    pool = Pool(device, limit=4096, stream=device.stream())
    first = pool.empty((2048,), np.uint8)
    second = pool.empty((1024,), np.uint8)
    with pytest.raises(OutOfMemoryError, match="limit of 4096, of which 3072 are in use"):
        pool.empty((2048,), np.uint8)
    # What is idle makes room, of whatever size it is.
    del first
    third = pool.empty((3072,), np.uint8)
    assert pool.bytes_held == 4096
    del second, third
    # What is on its way back is waited for.
    for _ in range(10):
        pool.empty((4096,), np.uint8)
    assert pool.bytes_held == 4096


def test_when_the_gpu_is_full_what_is_idle_makes_room() -> None:
    def fill(emulator: Emulator) -> None:
        device = open_device()
        stream = device.stream()
        pool = Pool(device, stream=stream)
        with device.active():
            small = [pool.empty((MIB,), np.uint8) for _ in range(3)]
            emulator.enqueue(stream.handle, lambda: None)
            small.pop()
            del small
            large = pool.empty((3 * MIB,), np.uint8)
            with pytest.raises(OutOfMemoryError, match="too little memory"):
                pool.empty((2 * MIB,), np.uint8)
            assert pool.bytes_in_use == pool.bytes_held == large.nbytes

    run_seeds(range(20), fill, capacity=4 * MIB)


def test_threads_share_a_pool() -> None:
    def share(emulator: Emulator) -> None:
        device = open_device()
        pool = Pool(device, limit=64 * 256)
        gate = threading.Barrier(4)

        def work(number: int) -> None:
            gate.wait()
            stream = device.stream()
            here, there = (pinned_empty((64,), np.uint8, device=device) for _ in range(2))
            for turn in range(10):
                array = pool.empty((64,), np.uint8)
                here[...] = 10 * number + turn
                upload_async(array, here, stream)
                download_async(there, array, stream)
                array.release()
                stream.synchronize()
                np.testing.assert_array_equal(there, 10 * number + turn)

        with ThreadPoolExecutor(4) as threads:
            list(threads.map(work, range(4)))
        assert pool.bytes_in_use == 0

    run_seeds(range(10), share)


def test_a_pool_that_goes_gives_everything_back(emulated: Emulator) -> None:
    device = open_device()
    pool = Pool(device)
    array = pool.empty((64,), np.uint8)
    pool.empty((640,), np.uint8)
    del pool
    gc.collect()
    assert array.pointer
    del array
    gc.collect()
    device.sweep()
    assert emulated.memory.used == 0


def test_page_locked_memory_is_known_and_ends_on_any_thread(emulated: Emulator) -> None:
    device = open_device()
    with device.active():
        array = pinned_empty((4, 6), np.float16)
    assert array.flags.writeable
    assert array.flags.c_contiguous
    assert is_pinned(array)
    assert is_pinned(array[1:])
    assert is_pinned(np.ndarray((8,), np.uint8, array.data.cast("B"), 8))
    assert not is_pinned(array[:, 1:])
    assert not is_pinned(array.copy())
    held = [array]
    del array
    thread = threading.Thread(target=held.clear)
    thread.start()
    thread.join()
    device.sweep()
    assert emulated.pinned.used == 0


def test_page_locked_memory_needs_a_device(emulated: Emulator) -> None:
    with pytest.raises(BackendError, match="no GPU is active"):
        pinned_empty((4,), np.uint8)
