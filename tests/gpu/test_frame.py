"""Frames in device memory, and how they come from other libraries and go to them."""

from __future__ import annotations

import gc
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from restore_rt.errors import BackendError, InputError
from restore_rt.gpu import (
    Device,
    DeviceArray,
    DeviceFrame,
    DevicePlanes,
    Pool,
    Stream,
    as_device_frame,
    copy_async,
    download_async,
    open_device,
    pinned_empty,
)
from tests.gpu.emulator import Emulator, emulation, run_seeds

SEEDS = range(60)


class Foreign:
    """An array of another library, which writes it on a stream of its own, late.

    Parameters
    ----------
    emulator, kernels
        Where it is.
    value
        What it writes.
    """

    shape: tuple[int, ...] = (4, 5, 3)

    def __init__(self, emulator: Emulator, kernels: ModuleType, value: int = 7) -> None:
        self.emulator, self.kernels = emulator, kernels
        self.block = emulator.memory.take(60, "another library's memory")
        self.array = DeviceArray(self.block.start, self.shape, np.uint8, device=open_device())
        self.handle = emulator.foreign_stream()
        memory = emulator.array(self.array)
        with open_device().active():
            emulator.enqueue(self.handle, lambda: memory.fill(value))

    def __del__(self) -> None:
        self.emulator.run_all()
        self.emulator.memory.give_back(self.block.start)


class ByInterface(Foreign):
    """It speaks CUDA's array interface."""

    version = 3

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        fields = {**self.array.__cuda_array_interface__, "version": self.version}
        if self.version >= 3:
            fields["stream"] = self.handle
        else:
            del fields["stream"]
        return fields


class ByDlpack(Foreign):
    """It speaks DLPack, and orders streams as the protocol wants."""

    def __dlpack_device__(self) -> tuple[int, int]:
        return 2, 0

    def __dlpack__(self, *, stream: int | None = None) -> Any:
        if stream != -1:
            mark = open_device().event()
            queues = self.emulator.queues
            queues.record(mark.raw.mark, queues.find(self.handle))
            queues.wait(mark.raw.mark, queues.find(1 if stream is None else stream))
        return self.kernels.to_dlpack(self.array, 0)


def download(frame: DeviceArray, stream: Stream) -> Any:
    """Copy a frame on a stream, which must have been made to wait for it."""
    with frame.device.active():
        back = pinned_empty(frame.shape, frame.dtype)
        download_async(back, frame, stream)
        stream.synchronize()
        return back.copy()


def ready_frame(emulator: Emulator, device: Device, stream: Stream | None = None) -> DeviceFrame:
    frame = DeviceFrame.of(Pool(device, stream=stream).empty(Foreign.shape, np.uint8))
    emulator.array(frame)[...] = np.arange(60).reshape(frame.shape)
    return frame


@pytest.mark.parametrize("kind", [ByInterface, ByDlpack])
@pytest.mark.parametrize("late", [False, True])
def test_frames_of_others_are_waited_for(
    kernels: ModuleType, kind: type[Foreign], *, late: bool
) -> None:
    def take(emulator: Emulator) -> None:
        device = open_device()
        stream = device.stream()
        other = kind(emulator, kernels)
        frame = as_device_frame(other, stream=None if late else stream)
        assert frame.pointer == other.block.start
        assert (frame.shape, frame.dtype) == (other.shape, np.dtype(np.uint8))
        if late:
            frame.wait_on(stream)
        np.testing.assert_array_equal(download(frame, stream), 7)

    run_seeds(SEEDS, take, kernels=kernels)


@pytest.mark.parametrize("kind", [ByInterface, ByDlpack])
def test_without_waiting_they_are_wrong_with_some_seeds(
    kernels: ModuleType, kind: type[Foreign]
) -> None:
    def take(emulator: Emulator) -> None:
        np.testing.assert_array_equal(
            download(as_device_frame(kind(emulator, kernels)), open_device().stream()), 7
        )

    wrong = 0
    for seed in SEEDS:
        try:
            run_seeds([seed], take, kernels=kernels)
        except AssertionError:
            wrong += 1
    assert 5 < wrong < len(SEEDS)


@pytest.mark.parametrize("kind", [ByInterface, ByDlpack])
def test_the_others_memory_is_kept_as_long_as_the_frame(
    emulated: Emulator, kernels: ModuleType, kind: type[Foreign]
) -> None:
    frame = as_device_frame(kind(emulated, kernels))
    gc.collect()
    assert emulated.memory.used == 60
    del frame
    gc.collect()
    assert emulated.memory.used == 0


def test_before_version_3_the_default_stream_is_waited_for(
    emulated: Emulator, kernels: ModuleType
) -> None:
    class Old(ByInterface):
        version = 2

    other = Old(emulated, kernels)
    memory = emulated.array(other.array)
    emulated.queues._eager = 0.0
    with open_device().active():
        emulated.enqueue(1, lambda: memory.fill(9))
    emulated.queues.finish(emulated.queues.find(other.handle))
    stream = open_device().stream()
    np.testing.assert_array_equal(download(as_device_frame(other, stream=stream), stream), 9)


def test_a_frame_of_ours_is_waited_for_and_stays_itself() -> None:
    def take(emulator: Emulator) -> None:
        device = open_device()
        with device.active():
            first, second = device.stream(), device.stream()
            source = ready_frame(emulator, device, first)
            array = Pool(device, stream=first).empty(source.shape, np.uint8)
            frame = DeviceFrame.of(array, stream=first)
            copy_async(frame, source, first)
            assert as_device_frame(frame, stream=second) is frame
            back = download(frame, second)
            np.testing.assert_array_equal(back.ravel(), np.arange(60))

    run_seeds(SEEDS, take)


@pytest.mark.parametrize("taker", [None, 1, "own"])
def test_takers_by_dlpack_wait_for_the_frame(kernels: ModuleType, taker: Any) -> None:
    def give(emulator: Emulator) -> None:
        device = open_device()
        with device.active():
            stream = device.stream()
            pool = Pool(device, limit=256, stream=stream)
            frame = DeviceFrame.of(pool.empty((4, 5, 3), np.uint8), stream=stream)
            memory = emulator.array(frame)
            emulator.enqueue(stream.handle, lambda: memory.fill(3))
            theirs = emulator.foreign_stream() if taker == "own" else taker
            taken = kernels.from_dlpack(frame.__dlpack__(stream=theirs))
            assert taken.__cuda_array_interface__["data"][0] == frame.pointer
            seen: list[bool] = []
            handle = 1 if theirs is None else theirs
            emulator.enqueue(handle, lambda: seen.append(bool((memory == 3).all())))
            # They are quick to let go; whoever gets the memory next must not be quicker.
            del taken, frame
            after = emulator.array(pool.empty((4, 5, 3), np.uint8))
            emulator.enqueue(stream.handle, lambda: after.fill(8))
            device.synchronize()
            assert seen == [True]

    run_seeds(SEEDS, give, kernels=kernels)


def test_the_array_interface_names_the_stream(emulated: Emulator) -> None:
    device = open_device()
    stream = device.stream()
    array = Pool(device, stream=stream).empty((4, 5), np.float32)
    assert DeviceFrame.of(array).__cuda_array_interface__["stream"] is None
    frame = DeviceFrame.of(array, stream=stream)
    assert frame.__cuda_array_interface__["stream"] == stream.handle


def test_dlpack_is_spoken_as_the_protocol_wants(emulated: Emulator) -> None:
    frame = ready_frame(emulated, open_device())
    assert frame.__dlpack_device__() == (2, 0)
    assert frame.__dlpack__(stream=-1, max_version=(1, 0), dl_device=(2, 0), copy=False)
    with pytest.raises(BufferError, match="no copy"):
        frame.__dlpack__(copy=True)
    with pytest.raises(BufferError, match=r"not on \(1, 0\)"):
        frame.__dlpack__(dl_device=(1, 0))
    for stream in (0, -2):
        with pytest.raises(InputError, match=f"stream is {stream}"):
            frame.__dlpack__(stream=stream)


def test_numpy_reads_the_same_memory_on_the_host_build(emulated: Emulator) -> None:
    frame = ready_frame(emulated, open_device())

    class Offer:
        def __dlpack__(self, **_: Any) -> Any:
            return frame.__dlpack__(stream=-1)

        def __dlpack_device__(self) -> tuple[int, int]:
            return 1, 0

    taken = np.from_dlpack(Offer())
    np.testing.assert_array_equal(taken.ravel(), np.arange(60))
    assert taken.ctypes.data == frame.pointer


LAYOUTS: dict[str, Callable[[DeviceArray], DeviceArray]] = {
    "whole": lambda array: array,
    "columns": lambda array: array[:, 1:4],
    "turned": lambda array: array[::-1, ::-1],
    "channels apart": lambda array: array.view((5, 3, 4), strides=(3, 1, 15)),
    "one channel": lambda array: array[:, :, 1],
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_copy_on_the_host_is_right_with_any_layout(emulated: Emulator, layout: str) -> None:
    array = LAYOUTS[layout](ready_frame(emulated, open_device()))
    frame = DeviceFrame.of(array)
    copied = frame.to_host()
    np.testing.assert_array_equal(copied, emulated.array(frame))
    assert copied.base is None


def test_a_copy_on_the_host_waits_for_the_frame(kernels: ModuleType) -> None:
    def look(emulator: Emulator) -> None:
        for kind in (ByInterface, ByDlpack):
            np.testing.assert_array_equal(as_device_frame(kind(emulator, kernels)).to_host(), 7)

    run_seeds(SEEDS, look, kernels=kernels)


@pytest.mark.parametrize("shape", [(4,), (2, 3, 4, 5), (0, 4), (4, 5, 0)])
def test_shapes_that_are_no_frame_are_refused(emulated: Emulator, shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="must be \\(H, W\\) or \\(H, W, C\\)"):
        DeviceFrame(4096, shape, np.uint8, device=open_device())


def test_types_that_are_no_frame_are_refused(emulated: Emulator) -> None:
    for dtype in (np.float16, np.int8, np.float64):
        with pytest.raises(InputError, match="allowed are uint8, uint16 and float32"):
            DeviceFrame(4096, (4, 5), dtype, device=open_device())


def test_what_does_not_lie_on_the_gpu_is_refused(emulated: Emulator, kernels: ModuleType) -> None:
    class OnHost(ByInterface):
        @property
        def __cuda_array_interface__(self) -> dict[str, Any]:
            return dict(np.zeros((4, 5), np.uint8).__array_interface__)

    with pytest.raises(InputError, match="is no memory of a GPU"):
        as_device_frame(OnHost(emulated, kernels))
    with pytest.raises(InputError, match=r"DLPack's device \(1, 0\)"):
        as_device_frame(np.zeros((4, 5), np.uint8))
    with pytest.raises(InputError, match="frame is list"):
        as_device_frame([1, 2])


def test_streams_that_are_none_are_refused(emulated: Emulator, kernels: ModuleType) -> None:
    device = open_device()
    stream = device.stream()
    other = ByInterface(emulated, kernels)
    frame = as_device_frame(other)
    emulated.destroy_foreign_stream(other.handle)
    with pytest.raises(BackendError, match=r"cuEventRecord gives CUDA error 400"):
        frame.wait_on(stream)
    emulated.faults.clear()
    other.handle = 0
    with pytest.raises(InputError, match="stream 0"):
        as_device_frame(other, stream=stream)


def test_another_gpus_frame_is_refused(kernels: ModuleType) -> None:
    with emulation(devices=2, kernels=kernels) as emulator:
        other = as_device_frame(ByDlpack(emulator, kernels))
        with pytest.raises(InputError, match="must lie on <Device 1"):
            as_device_frame(other, device=open_device(1))
        with pytest.raises(InputError, match="is to be used on <Device 1"):
            as_device_frame(other, stream=open_device(1).stream())
        del other


def test_planes_of_nv12_and_p010_are_views(emulated: Emulator) -> None:
    pool = Pool(open_device())
    for make, dtype, depth, shift in (
        (DevicePlanes.nv12, np.uint8, 8, 0),
        (DevicePlanes.p010, np.uint16, 10, 6),
    ):
        y = pool.empty((5, 7), dtype, pitch=True)
        whole = pool.empty((3, 8), dtype, pitch=True)
        emulated.array(whole)[...] = np.arange(24).reshape(3, 8)
        row, step = whole.strides
        for uv in (whole, whole.view((3, 4, 2), strides=(row, 2 * step, step))):
            planes = make(y, uv)
            assert (planes.bit_depth, planes.shift, planes.peak) == (depth, shift, (1 << depth) - 1)
            assert planes.uv is not None
            assert planes.uv.shape == (3, 4, 2)
            assert planes.cb is not None
            assert planes.cr is not None
            np.testing.assert_array_equal(
                emulated.array(planes.cb), np.arange(24).reshape(3, 8)[:, ::2]
            )
            np.testing.assert_array_equal(
                emulated.array(planes.cr), np.arange(24).reshape(3, 8)[:, 1::2]
            )
            assert planes.chroma == (planes.uv,)
            assert planes.chroma_phase == (0.5, 0.25)


def test_planar_planes_have_their_sizes_checked(emulated: Emulator) -> None:
    pool = Pool(open_device())
    y, chroma = pool.empty((5, 7), np.uint16), pool.empty((3, 4), np.uint16)
    planes = DevicePlanes.planar(y, chroma, chroma, bit_depth=10, siting="topleft")
    assert planes.chroma == (chroma, chroma)
    assert planes.chroma_phase == (0.25, 0.25)
    assert DevicePlanes.planar(y, bit_depth=10).chroma == ()
    wide = pool.empty((5, 4), np.uint16)
    assert DevicePlanes.planar(y, wide, wide, bit_depth=12).chroma_phase == (0.5, 0.25)
    refused: list[tuple[Callable[[], Any], str]] = [
        (lambda: DevicePlanes.planar(y), "at bit_depth 8 it must be uint8"),
        (lambda: DevicePlanes.planar(y, chroma, bit_depth=10), "give both or neither"),
        (lambda: DevicePlanes.planar(y, y, chroma, bit_depth=10), "do not fit y"),
        (lambda: DevicePlanes.planar(y, bit_depth=17), "allowed are 8 to 16"),
        (lambda: DevicePlanes.planar(y, bit_depth=10, siting="top"), "allowed are left"),  # type: ignore[arg-type]
        (lambda: DevicePlanes.planar(y[0], bit_depth=10), r"it must be \(H, W\)"),
        (lambda: DevicePlanes.p010(y, pool.empty((3, 7), np.uint16)), "uv has shape"),
    ]
    for attempt, message in refused:
        with pytest.raises(InputError, match=message):
            attempt()


def test_planes_of_others_are_waited_for(kernels: ModuleType) -> None:
    class Plane(ByDlpack):
        shape = (6, 10)

    def take(emulator: Emulator) -> None:
        stream = open_device().stream()
        planes = DevicePlanes.planar(*(Plane(emulator, kernels) for _ in range(3)))
        planes.wait_on(stream)
        np.testing.assert_array_equal(download(planes.y, stream), 7)

    run_seeds(SEEDS, take, kernels=kernels)
