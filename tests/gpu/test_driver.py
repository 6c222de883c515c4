"""Devices, streams and events, and errors on the way to them."""

from __future__ import annotations

import gc
import importlib.util
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from restore_rt.errors import BackendError, InputError, OutOfMemoryError
from restore_rt.gpu import missing_pieces, open_device, pieces, require_gpu
from restore_rt.gpu.driver import active_device
from restore_rt.gpu.properties import Gpu
from tests.gpu.emulator import Emulator, emulation


def test_importing_loads_no_library() -> None:
    code = (
        "import sys, restore_rt, restore_rt.gpu\n"
        "loaded = {name.split('.')[0] for name in sys.modules}\n"
        "print(sorted(loaded & {'pycuda', 'torch', 'onnxruntime', 'onnx', 'tensorrt'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_device_says_what_it_is_and_is_opened_once(emulated: Emulator) -> None:
    device = open_device()
    assert (device.index, device.name, device.capability) == (0, "Emulated GPU 0", (8, 9))
    assert device.total_memory == emulated.capacity
    with ThreadPoolExecutor(4) as pool:
        assert all(other is device for other in pool.map(open_device, [0] * 8))


def test_a_device_that_is_not_there_is_refused(emulated: Emulator) -> None:
    for index in (1, -1):
        with pytest.raises(InputError, match=f"index is {index}; allowed are 0 to 0"):
            open_device(index)


def test_a_context_is_pushed_once_on_each_thread(emulated: Emulator) -> None:
    device = open_device()
    with device.active():
        with device.active():
            assert len(emulated.contexts) == 1
            assert active_device() is device
        assert len(emulated.contexts) == 1
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(lambda: len(emulated.contexts)).result() == 0
    assert not emulated.contexts
    with pytest.raises(BackendError, match=r"with device\.active\(\)"):
        active_device()


def test_two_devices_take_turns_on_a_thread() -> None:
    with emulation(devices=2) as emulator:
        first, second = open_device(0), open_device(1)
        with first.active():
            with second.active():
                with first.active():
                    assert emulator.contexts[-1].device == 0
                    first.stream().synchronize()
                assert emulator.contexts[-1].device == 1
                second.stream().synchronize()
            assert emulator.contexts[-1].device == 0


def test_a_context_is_left_when_work_raises(emulated: Emulator) -> None:
    with pytest.raises(ZeroDivisionError), open_device().active(), open_device().active():
        raise ZeroDivisionError
    assert not emulated.contexts


def test_events_tell_when_work_has_run(emulated: Emulator) -> None:
    emulated.queues._eager = 0.0
    device = open_device()
    stream, event = device.stream(), device.event()
    ran: list[int] = []
    assert event.done()
    with device.active():
        emulated.enqueue(stream.handle, lambda: ran.append(1))
    event.record(stream)
    event.synchronize()
    assert ran == [1]
    assert event.done()


def test_timed_events_tell_what_lies_between_them(emulated: Emulator) -> None:
    device = open_device()
    begin, end = device.event(timed=True), device.event(timed=True)
    with device.active():
        stream = device.stream()
        begin.record(stream)
        emulated.enqueue(stream.handle, lambda: time.sleep(0.02))
        end.record(stream)
    end.synchronize()
    assert 0.02 <= end.seconds_since(begin) < 0.5


def test_objects_may_end_on_any_thread(emulated: Emulator) -> None:
    device = open_device()
    held = [device.stream(), device.event(), device.allocate(64)]
    thread = threading.Thread(target=held.clear)
    thread.start()
    thread.join()
    assert emulated.memory.used == 64
    with device.active():
        pass
    assert emulated.memory.used == 0
    assert not emulated.faults


def test_a_device_may_be_opened_on_a_thread_that_ends() -> None:
    with emulation() as emulator:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(open_device).result()
        stream = open_device().stream()
        del stream
        with open_device().active():
            pass
        assert not emulator.faults


def test_memory_is_swept_behind_the_work_on_it() -> None:
    for seed in range(20):
        with emulation(seed) as emulator:
            device = open_device()
            stream, block = device.stream(), device.allocate(64)
            with device.active():
                device.library.memset_d8_async(block.pointer, 1, 64, stream.raw)
            del block
            device.sweep()
            assert emulator.memory.used == 0


def test_what_is_kept_goes_when_the_work_has_run(emulated: Emulator) -> None:
    class Thing:
        pass

    emulated.queues._eager = 0.0
    device = open_device()
    stream = device.stream()
    alive = [True]

    class Watched(Thing):
        def __del__(self) -> None:
            alive[0] = False

    with device.active():
        emulated.enqueue(stream.handle, lambda: None)
        device.keep(stream, Watched())
    gc.collect()
    assert alive[0]
    stream.synchronize()
    device.sweep()
    assert not alive[0]


def test_errors_become_ours(emulated: Emulator) -> None:
    device = open_device()
    with pytest.raises(OutOfMemoryError, match="Emulated GPU 0 has too little memory to take"):
        device.allocate(2 << 30)

    def fail() -> None:
        raise emulated.library.LaunchError("cuStreamSynchronize failed: an illegal address")

    emulated.queues._eager = 0.0
    stream = device.stream()
    with device.active():
        emulated.enqueue(stream.handle, fail)
    with pytest.raises(BackendError, match=r"fails to run what was queued: .*illegal address"):
        stream.synchronize()


def test_nothing_is_missing_where_all_is_there(emulated: Emulator) -> None:
    assert missing_pieces() == []
    require_gpu()


def test_all_that_is_missing_is_named_at_once(
    emulated: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none() -> Any:
        raise OSError

    monkeypatch.setattr(pieces, "load_driver", none)
    monkeypatch.setitem(sys.modules, "restore_rt._cuda", None)
    monkeypatch.delitem(sys.modules, "pycuda.driver")
    monkeypatch.delitem(sys.modules, "pycuda")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    missing = missing_pieces()
    assert [text.split(":")[0] for text in missing] == [
        "NVIDIA's driver is missing (libcuda)",
        "pycuda is not installed",
        missing[2].split(":")[0],
    ]
    assert "CUDA kernels" in missing[2]
    with pytest.raises(BackendError, match=r"libcuda.*; pycuda.*; .*kernels"):
        require_gpu()


def test_a_driver_without_a_gpu_is_told_apart(
    emulated: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "find_gpu", lambda index=0: None)
    assert [text.split(":")[0] for text in missing_pieces()] == ["NVIDIA's driver sees no GPU 0"]


@pytest.mark.parametrize(
    ("capability", "built", "runs"),
    [
        ((8, 9), (75, 80, 90), True),
        ((8, 0), (75, 86), False),
        ((7, 0), (75, 80), False),
        ((12, 1), (75, 120), True),
        ((10, 0), (75, 90), True),
        ((10, 0), (75, 80, 120), False),
    ],
)
def test_kernels_are_built_for_a_gpu_or_not(
    capability: tuple[int, int], built: tuple[int, ...], *, runs: bool
) -> None:
    assert pieces._runs(Gpu("any", capability), built) is runs


def test_a_numpy_integer_is_a_pointer_nowhere(emulated: Emulator) -> None:
    assert type(open_device().allocate(16).pointer) is int
    assert type(open_device().stream().handle) is int
