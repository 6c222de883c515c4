"""Frames that are on a GPU, emulated, and stay there: what comes out is what the CPU makes."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

from restore_rt import Planes, Restorer
from restore_rt.errors import InputError
from restore_rt.gpu import DeviceFrame, DevicePlanes, Pool, open_device
from restore_rt.gpu.array import DeviceArray
from tests.gpu.emulator import Emulator, emulation
from tests.gpu.frames import Array, load, picture, planes_of, same
from tests.gpu.stand_in import Stage


def device_array(pool: Pool, array: Array, emulator: Emulator) -> DeviceArray:
    made = pool.empty(array.shape, array.dtype)
    emulator.array(made)[...] = array
    return made


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_frames_on_the_gpu_stay_there(stage: Stage, on_cpu: Restorer, dtype: type) -> None:
    pool = Pool(open_device())
    with load() as restorer:
        for seed in range(3):
            frame = picture(70, 90, dtype=dtype, seed=seed)
            there = DeviceFrame.of(device_array(pool, frame, stage.emulator))
            result = restorer(there)
            assert isinstance(result, DeviceFrame)
            same(result.to_host(), on_cpu(frame))
        out = DeviceFrame.of(pool.empty((140, 180), dtype))
        assert restorer(there, out=out) is out
        same(out.to_host(), on_cpu(frame))


class OfAnotherLibrary:
    """Memory on the GPU as CuPy would pass it on."""

    def __init__(self, array: DeviceArray, stream: int | None) -> None:
        self.array = array
        self.__cuda_array_interface__ = {**array.__cuda_array_interface__, "stream": stream}


@pytest.mark.parametrize("seed", range(10))
def test_a_frame_that_another_stream_still_writes_is_waited_for(
    seed: int, kernels: Any, on_cpu: Restorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = picture(40, 60, seed=seed)
    with emulation(seed, kernels=kernels) as emulator:
        Stage(emulator, monkeypatch)
        pool = Pool(open_device())
        blank = device_array(pool, np.zeros_like(frame), emulator)
        writer = emulator.foreign_stream()
        with open_device().active():
            emulator.enqueue(writer, partial(np.copyto, emulator.array(blank), frame))
        with load() as restorer:
            result = restorer(OfAnotherLibrary(blank, writer))
            same(result.to_host(), on_cpu(frame))
            del result
        del blank, pool


@pytest.mark.parametrize("seed", range(10))
def test_planes_that_another_stream_still_writes_are_waited_for(
    seed: int, kernels: Any, on_cpu: Restorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    planes = planes_of(40, 60, seed=seed)
    assert planes.cb is not None
    assert planes.cr is not None
    pair = np.stack([planes.cb, planes.cr], axis=-1)
    with emulation(seed, kernels=kernels) as emulator:
        Stage(emulator, monkeypatch)
        pool, writer = Pool(open_device()), emulator.foreign_stream()
        blanks = []
        for part in (planes.y, pair):
            blanks.append(device_array(pool, np.zeros_like(part), emulator))
            with open_device().active():
                emulator.enqueue(writer, partial(np.copyto, emulator.array(blanks[-1]), part))
        with load() as restorer:
            y, uv = (OfAnotherLibrary(blank, writer) for blank in blanks)
            result = restorer(DevicePlanes.nv12(y, uv))
            expected = on_cpu(planes)
            for name in ("y", "cb", "cr"):
                got = emulator.array(getattr(result, name))
                np.testing.assert_array_equal(got, getattr(expected, name))
            del result
        del y, uv, blanks, pool


def on_gpu(planes: Planes, pool: Pool, emulator: Emulator, kind: str) -> DevicePlanes:
    assert planes.cb is not None
    assert planes.cr is not None
    if kind == "planar":
        parts = (device_array(pool, part, emulator) for part in (planes.y, planes.cb, planes.cr))
        return DevicePlanes.planar(*parts, bit_depth=planes.bit_depth)
    shift = 6 if kind == "p010" else 0
    pair = np.stack([planes.cb, planes.cr], axis=-1) << shift
    y = device_array(pool, planes.y << shift, emulator)
    make = DevicePlanes.p010 if shift else DevicePlanes.nv12
    return make(y, device_array(pool, pair, emulator))


@pytest.mark.parametrize(("kind", "bit_depth"), [("nv12", 8), ("p010", 10), ("planar", 10)])
@pytest.mark.parametrize("size", [(60, 90), (61, 33)])
def test_planes_on_the_gpu_stay_there(
    stage: Stage, on_cpu: Restorer, kind: str, bit_depth: int, size: tuple[int, int]
) -> None:
    pool = Pool(open_device())
    with load() as restorer:
        for seed in range(3):
            planes = planes_of(*size, bit_depth, seed)
            result = restorer(on_gpu(planes, pool, stage.emulator, kind))
            assert isinstance(result, DevicePlanes)
            expected = on_cpu(planes)
            shift = 6 if kind == "p010" else 0
            for name in ("y", "cb", "cr"):
                got = stage.emulator.array(getattr(result, name)) >> shift
                np.testing.assert_array_equal(got, getattr(expected, name))


def test_wrong_frames_on_the_gpu_are_named(stage: Stage, on_cpu: Restorer) -> None:
    pool = Pool(open_device())
    grey = DeviceFrame.of(pool.empty((40, 60), np.uint8))
    rgb = DeviceFrame.of(pool.empty((40, 60, 3), np.uint8))
    with load() as restorer:
        with pytest.raises(InputError, match="takes 1 channel as it is"):
            restorer(rgb)
        with pytest.raises(InputError, match=r"for this frame it must be uint8 \(80, 120\)"):
            restorer(grey, out=grey)
        with pytest.raises(InputError, match="load it with device='cuda'"):
            on_cpu(grey)
        wide = pool.empty((80, 240), np.uint8)
        inside = DeviceFrame.of(wide.view((40, 60)))
        with pytest.raises(InputError, match="shares memory"):
            restorer(inside, out=DeviceFrame.of(wide.view((80, 120))))


@pytest.mark.parametrize("kind", ["p012", "grey"])
def test_planes_of_other_kinds_stay_there(stage: Stage, on_cpu: Restorer, kind: str) -> None:
    pool = Pool(open_device())
    bits, shift = (12, 4) if kind == "p012" else (8, 0)
    planes = planes_of(40, 60, bits)
    assert planes.cb is not None
    assert planes.cr is not None
    y = device_array(pool, planes.y << shift, stage.emulator)
    there = DevicePlanes(y, None, None, bit_depth=bits, shift=shift)
    if kind == "p012":
        pair = np.stack([planes.cb, planes.cr], axis=-1) << shift
        uv = device_array(pool, pair, stage.emulator)
        cb, cr = uv[:, :, 0], uv[:, :, 1]
        there = DevicePlanes(y, cb, cr, uv=uv, bit_depth=bits, shift=shift)
    with load() as restorer:
        result = restorer(there)
        assert (result.bit_depth, result.shift) == (bits, shift)
        expected = on_cpu(planes)
        for name in ("y", "cb", "cr") if kind == "p012" else ("y",):
            got = stage.emulator.array(getattr(result, name)) >> shift
            np.testing.assert_array_equal(got, getattr(expected, name))


def test_a_frame_of_another_library_that_is_written_comes_back_itself(
    stage: Stage, on_cpu: Restorer
) -> None:
    pool = Pool(open_device())
    frame = picture(40, 60)
    there = device_array(pool, frame, stage.emulator)
    out = OfAnotherLibrary(pool.empty((80, 120), np.uint8), None)
    with load() as restorer:
        assert restorer(OfAnotherLibrary(there, None), out=out) is out
    same(stage.emulator.array(out.array), on_cpu(frame))
