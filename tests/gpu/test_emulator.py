"""The emulator itself: that it gives wrong data, or complains, where a GPU would do harm."""

from __future__ import annotations

import gc
import threading
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from restore_rt._ext import TileGrid
from restore_rt.errors import BackendError
from restore_rt.gpu import (
    Device,
    DeviceArray,
    Pool,
    download_async,
    open_device,
    pinned_empty,
    upload_async,
    zero_async,
)
from tests.gpu.emulation.queues import Mark
from tests.gpu.emulator import Emulator, emulation, run_seeds

SEEDS = range(60)


def relay(device: Device, *, wait: bool = True, reuse_early: bool = False) -> np.ndarray[Any, Any]:
    """Send numbers up on one stream and down on another."""
    with device.active():
        up, down = device.stream(), device.stream()
        array = Pool(device, stream=down).empty((3, 5), np.float32)
        sent, back = pinned_empty((3, 5), np.float32), pinned_empty((3, 5), np.float32)
        sent[...] = 7
        upload_async(array, sent, up)
        if wait:
            event = device.event()
            event.record(up)
            down.wait(event)
        download_async(back, array, down)
        if reuse_early:
            sent[...] = 9
        down.synchronize()
        result = back.copy()
        up.synchronize()
    return result


def test_an_ordered_relay_is_right_with_every_seed() -> None:
    run_seeds(SEEDS, lambda _: np.testing.assert_array_equal(relay(open_device()), 7))


def test_a_missing_wait_gives_wrong_data_with_some_seeds() -> None:
    right = []
    for seed in SEEDS:
        with emulation(seed):
            right.append(bool((relay(open_device(), wait=False) == 7).all()))
    assert 5 < right.count(False) < len(SEEDS)


def test_a_buffer_that_is_reused_too_early_gives_wrong_data_with_some_seeds() -> None:
    right = []
    for seed in SEEDS:
        with emulation(seed):
            right.append(bool((relay(open_device(), reuse_early=True) == 7).all()))
    assert 5 < right.count(False) < len(SEEDS)


def test_a_seed_decides_the_order() -> None:
    def order(seed: int) -> list[int]:
        ran: list[int] = []
        with emulation(seed) as emulator, open_device().active():
            streams = [emulator.foreign_stream() for _ in range(3)]
            for number in range(12):
                emulator.enqueue(streams[number % 3], partial(ran.append, number))
            emulator.run_all()
        return ran

    orders = {tuple(order(seed)) for seed in SEEDS}
    assert len(orders) > len(SEEDS) // 2
    assert order(3) == order(3)
    for ran in orders:
        for stream in range(3):
            assert [n for n in ran if n % 3 == stream] == list(range(stream, 12, 3))


def test_memory_is_poisoned_and_a_poisoned_number_is_not_finite(emulated: Emulator) -> None:
    array = Pool(open_device()).empty((4, 4), np.float32)
    assert np.isnan(emulated.array(array)).all()
    assert np.isnan(emulated.array(array.view((32,), dtype=np.float16))).all()


def test_a_copy_of_ordinary_memory_is_done_at_once(emulated: Emulator) -> None:
    device = open_device()
    array, values, back = Pool(device).empty((3,), np.uint8), *np.eye(2, 3, dtype=np.uint8)
    with device.active():
        device.library.memcpy_htod(array.pointer, values)
        device.library.memcpy_dtoh(back, array.pointer)
        np.testing.assert_array_equal(back, values)
        with pytest.raises(device.library.LogicError, match="a copy"):
            device.library.memcpy_htod(1 << 40, values)
    emulated.faults.clear()


def faults_of(provoke: Any, **options: Any) -> str:
    """Return what the emulator says at the end."""
    with pytest.raises(AssertionError, match=r"^seed 1: ") as caught, emulation(1, **options) as em:
        provoke(em, open_device())
    gc.collect()
    return str(caught.value)


def test_writing_beside_an_array_is_a_fault() -> None:
    def provoke(emulator: Emulator, device: Device) -> None:
        array = Pool(device).empty((256,), np.uint8)
        beyond = DeviceArray(array.pointer, (257,), np.uint8, device=device)
        emulator.array(beyond)[256] = 1

    assert "beside 256 bytes of memory of the GPU" in faults_of(provoke)


def test_writing_what_was_freed_is_a_fault() -> None:
    def provoke(emulator: Emulator, device: Device) -> None:
        pool = Pool(device)
        array = pool.empty((256,), np.uint8)
        late = emulator.array(array)
        del array
        pool.trim()
        late[0] = 1

    assert "written after being freed" in faults_of(provoke)


def test_memory_that_is_never_freed_is_a_fault() -> None:
    kept = []

    def provoke(emulator: Emulator, device: Device) -> None:
        kept.append(Pool(device).empty((256,), np.uint8))

    assert "256 bytes of memory of the GPU were never freed" in faults_of(provoke)


def test_copies_want_page_locked_memory(emulated: Emulator) -> None:
    device = open_device()
    array = Pool(device).empty((4,), np.uint8)
    with pytest.raises(BackendError, match="copy from page-locked memory"):
        upload_async(array, np.zeros(4, np.uint8), device.stream())
    assert len(emulated.faults) == 1
    emulated.faults.clear()


def test_page_locked_memory_that_goes_too_early_is_a_fault(emulated: Emulator) -> None:
    device = open_device()
    stream = device.stream()
    array = Pool(device, stream=stream).empty((4,), np.uint8)
    with device.active():
        raw = device.library.pagelocked_empty((4,), np.dtype(np.uint8))
        # Before it is destroyed nothing runs by itself.
        emulated.queues._eager = 0.0
        device.library.memcpy_htod_async(array.pointer, raw, stream.raw)
        del raw
    assert "still going to touch it" in emulated.faults.pop()
    emulated.pinned.live.clear()
    emulated.queues.queues[stream.handle].works.clear()


def test_a_thread_without_a_context_is_refused(emulated: Emulator) -> None:
    device = open_device()
    with pytest.raises(emulated.library.LogicError, match="none is current on this thread"):
        device.library.mem_alloc(16)
    with device.active():
        device.library.mem_alloc(16).free()


def test_what_pycuda_cannot_destroy_is_a_fault(emulated: Emulator) -> None:
    device = open_device()
    with device.active():
        held = [device.library.mem_alloc(16)]
    thread = threading.Thread(target=held.clear)
    thread.start()
    thread.join()
    assert "destroyed on another thread without its context" in emulated.faults.pop()
    emulated.memory.live.clear()


def test_a_stream_that_was_destroyed_takes_no_work(emulated: Emulator) -> None:
    device = open_device()
    handle = device.stream().handle
    device.sweep()
    with device.active(), pytest.raises(emulated.library.LogicError, match="is no stream"):
        emulated.enqueue(handle, lambda: None)
    emulated.faults.clear()


def test_integers_of_numpy_are_refused_as_pycuda_refuses_them(emulated: Emulator) -> None:
    device = open_device()
    with device.active(), pytest.raises(TypeError, match="Boost"):
        device.library.mem_alloc(np.int64(16))


def test_kernels_wait_for_their_turn(emulated: Emulator, kernels: ModuleType) -> None:
    device = open_device()
    with device.active():
        stream = device.stream()
        pool = Pool(device, stream=stream)
        grid = TileGrid(5, 6, (5, 6), overlap=0, halo=0)
        frame, tiles = pool.empty((5, 6, 3), np.uint8), pool.empty((1, 3, 5, 6), np.float32)
        sent, back = pinned_empty(frame.shape, np.uint8), pinned_empty(tiles.shape, np.float32)
        sent[...] = np.arange(90).reshape(sent.shape)
        emulated.queues._eager = 0.0
        upload_async(frame, sent, stream)
        kernels.split_into(tiles, frame, grid, stream=stream.handle)
        assert np.isnan(emulated.array(tiles)).all()
        download_async(back, tiles, stream)
        stream.synchronize()
    expected = np.float32(np.arange(90).reshape(5, 6, 3).transpose(2, 0, 1)[None]) / np.float32(255)
    np.testing.assert_allclose(back, expected, rtol=1e-6)


def test_a_graph_is_recorded_and_runs_when_it_is_launched(kernels: ModuleType) -> None:
    def count(emulator: Emulator) -> None:
        device = open_device()
        with device.active():
            stream = device.stream()
            array = Pool(device, stream=stream).empty((8,), np.uint8)
            back = pinned_empty((8,), np.uint8)

            def add_one() -> None:
                emulator.array(array)[...] += 1

            zero_async(array, stream)
            graph = kernels.Graph.capture(
                stream.handle, lambda: emulator.enqueue(stream.handle, add_one)
            )
            stream.synchronize()
            assert (emulator.array(array) == 0).all()
            graph.launch(stream.handle)
            graph.launch(stream.handle)
            download_async(back, array, stream)
            stream.synchronize()
            assert (back == 2).all()

    run_seeds(range(20), count, kernels=kernels)


def test_a_capture_forbids_what_cuda_forbids(emulated: Emulator, kernels: ModuleType) -> None:
    device = open_device()
    stream = device.stream()
    attempts: list[Any] = [stream.synchronize, lambda: device.allocate(16), device.synchronize]
    with device.active():
        for attempt in attempts:
            with pytest.raises(BackendError, match="captur"):
                kernels.Graph.capture(stream.handle, attempt)
            # As before.
            stream.synchronize()
    emulated.faults.clear()


def test_a_graph_that_goes_before_it_has_run_is_a_fault(
    emulated: Emulator, kernels: ModuleType
) -> None:
    device = open_device()
    with device.active():
        stream = device.stream()
        emulated.queues._eager = 0.0
        graph = kernels.Graph.capture(
            stream.handle, lambda: emulated.enqueue(stream.handle, lambda: None)
        )
        graph.launch(stream.handle)
        del graph
        with pytest.raises(BackendError, match="destroyed before it had run"):
            stream.synchronize()
    emulated.faults.clear()


def test_what_can_never_come_is_a_fault(emulated: Emulator) -> None:
    first, second = (emulated.queues.add(emulated.new_handle(), 0) for _ in range(2))
    mark = Mark(queued=1, queue=second)
    emulated.queues.wait(mark, first)
    with open_device().active(), pytest.raises(Exception, match="can never come"):
        emulated.run_all()
    first.works.clear()


def test_a_timed_event_that_nobody_reads_is_a_fault() -> None:
    def provoke(emulator: Emulator, device: Device) -> None:
        device.event(timed=True)

    assert "takes the time, which is slower, and nobody read it" in faults_of(provoke)


def test_the_time_of_what_has_not_come_is_refused(emulated: Emulator) -> None:
    device = open_device()
    begin, end, other = device.event(timed=True), device.event(timed=True), device.event()
    with device.active():
        stream = device.stream()
        for event in (begin, other):
            event.record(stream)
        stream.synchronize()
    for pair, said in (((begin, end), "invalid resource"), ((begin, other), "invalid resource")):
        with pytest.raises(BackendError, match=said):
            pair[1].seconds_since(pair[0])
    # It waits for a stream that never gets there.
    emulated.faults.clear()
    blocked = emulated.queues.add(emulated.new_handle(), 0)
    with device.active():
        waiting = device.stream()
    emulated.queues.wait(Mark(queued=1, queue=blocked), waiting.raw.queue)
    end.record(waiting)
    with pytest.raises(BackendError, match="not ready"):
        end.seconds_since(begin)
    emulated.faults.clear()
    waiting.raw.queue.works.clear()
    end.record(stream)
    end.synchronize()
    assert end.seconds_since(begin) > 0
