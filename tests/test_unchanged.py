"""Streams that copy what did not change from the result before."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import restore_rt
from restore_rt import Planes, Restorer
from restore_rt.errors import InputError, NonFiniteError
from restore_rt.frames import ChannelOrder
from restore_rt.native.runner import NativeRunner
from restore_rt.unchanged import Reuse
from tests.networks import MakeModel, blur, nearest
from tests.pixels import random_frame
from tests.test_chroma import planes_of

KERNELS = [*blur(2), *nearest(1, 2)]


def held(
    rng: np.random.Generator, first: Sequence[NDArray[Any]], count: int, high: int
) -> list[list[NDArray[Any]]]:
    """Return planes of which one in two changes, here and there in one of them; one all over."""
    frames = []
    arrays = list(first)
    for index in range(count):
        arrays = [array.copy() for array in arrays]
        if index % 2:
            array = arrays[int(rng.integers(len(arrays)))]
            y, x = (int(rng.integers(0, max(side - 5, 1))) for side in array.shape[:2])
            part = array[y : y + 5, x : x + 5]
            part[...] = rng.integers(0, high, part.shape)
        if index == count // 2:
            for array in arrays:
                array[...] = rng.integers(0, high, array.shape)
        frames.append(arrays)
    return frames


def replaced(planes: Planes, arrays: Sequence[NDArray[Any]]) -> Planes:
    y, cb, cr = arrays
    return replace(planes, y=y, cb=cb, cr=cr)


def stream(
    restorer: Restorer, frames: Sequence[Any], reuse: Reuse, order: ChannelOrder = "rgb"
) -> list[Any]:
    items = ((index, None, frame) for index, frame in enumerate(frames))
    results = list(restorer.stream_into(items, channel_order=order, reuse=reuse))
    assert [index for index, _ in results] == list(range(len(frames)))
    return [result for _, result in results]


def check(restorer: Restorer, frames: Sequence[Any], order: ChannelOrder = "rgb") -> Reuse:
    """Check that a stream gives what calls give."""
    reuse = Reuse()
    for frame, result in zip(frames, stream(restorer, frames, reuse, order), strict=True):
        expected = restorer(frame, channel_order=order)
        if isinstance(frame, Planes):
            for one, other in zip(expected.arrays, result.arrays, strict=True):
                np.testing.assert_array_equal(one, other)
        else:
            np.testing.assert_array_equal(expected, result)
    return reuse


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("depth", [8, 10])
@pytest.mark.parametrize("chroma", ["420", "422", "444"])
@pytest.mark.parametrize("network", ["bicubic", "network"])
def test_planes(
    rng: np.random.Generator, threads: int, depth: int, chroma: str, network: str
) -> None:
    first = planes_of(91, 127, chroma=chroma, depth=depth)
    frames = [replaced(first, arrays) for arrays in held(rng, first.arrays, 12, 1 << depth)]
    with restore_rt.load(
        "video-x2-fast", backend="native", threads=threads, chroma=network
    ) as restorer:
        reuse = check(restorer, frames)
    assert 2 / 12 <= reuse.computed < 0.5


@pytest.mark.parametrize("name", ["video-x2-fast", "photo-x2"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_arrays(rng: np.random.Generator, name: str, dtype: type) -> None:
    with restore_rt.load(name, backend="native", threads=2) as restorer:
        channels = restorer.manifest.channels
        shape = (64, 150) if channels == 1 else (64, 150, channels)
        first = random_frame(rng, shape, dtype)
        frames = [array for (array,) in held(rng, [first], 8, 256)]
        assert check(restorer, frames).computed < 1
        # Frames with alpha, and grey ones through a network of RGB, are restored whole.
        others: list[tuple[int, ...]] = [(32, 40, 4), (32, 40, 2)]
        if channels == 3:
            others.append((32, 40))
        for other in others:
            assert check(restorer, [random_frame(rng, other, dtype)] * 3).computed == 1


@pytest.mark.parametrize("name", ["video-x2-fast", "photo-x2"])
@pytest.mark.parametrize("order", ["rgb", "bgr"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_frames_in_colour(
    rng: np.random.Generator, name: str, order: ChannelOrder, dtype: type
) -> None:
    first = random_frame(rng, (64, 150, 3), dtype)
    high = 1 if dtype == np.float32 else 256
    frames = [array for (array,) in held(rng, [first], 12, high)]
    with restore_rt.load(name, backend="native", threads=2) as restorer:
        assert check(restorer, frames, order).computed < 0.7


def test_still_frames_are_copied_whole(make_model: MakeModel) -> None:
    planes = planes_of(40, 60)
    with restore_rt.load(make_model(nearest(1, 2), scale=2), backend="native") as restorer:
        reuse = Reuse()
        results = stream(restorer, [planes] * 10, reuse)
        assert reuse.computed == pytest.approx(0.1)
        assert restorer.stages.counts["reuse"] == 18
    for result in results:
        np.testing.assert_array_equal(result.y, results[0].y)
    assert not any(np.shares_memory(one.y, results[0].y) for one in results[1:])


def test_frames_of_another_kind_are_restored_whole(make_model: MakeModel) -> None:
    first, deep = planes_of(40, 60), planes_of(40, 60, depth=10)
    frames = [
        first,
        Planes(first.y),
        planes_of(40, 60, siting="center"),
        planes_of(40, 60, chroma="444"),
        deep,
        replace(deep, bit_depth=12),
        planes_of(40, 62),
        first.y,
        first.y.astype(np.uint16),
        first.y[..., None].astype(np.uint16),
    ]
    with restore_rt.load(make_model(KERNELS, scale=2), backend="native", threads=2) as restorer:
        assert check(restorer, frames).computed == 1


def test_tiles_are_restored_whole(make_model: MakeModel, tiles: None) -> None:
    with restore_rt.load(make_model(blur(2))) as restorer:
        assert not isinstance(restorer._runner, NativeRunner)
        assert check(restorer, [planes_of(40, 60)] * 3).computed == 1


def test_places_without_a_frame_are_kept(make_model: MakeModel) -> None:
    planes = planes_of(40, 60)
    frames = [None, planes, None, planes, planes]
    with restore_rt.load(make_model(KERNELS, scale=2), backend="native", threads=2) as restorer:
        results = stream(restorer, frames, reuse := Reuse())
    assert [result is None for result in results] == [frame is None for frame in frames]
    assert reuse.computed == pytest.approx(1 / 3)


def test_no_thread_waits_for_the_result_before(
    make_model: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one drawing is restored the next one is, too, though held frames lie between."""
    rng = np.random.default_rng(0)
    drawings = [Planes(random_frame(rng, (40, 60), np.uint8)) for _ in range(2)]
    together = threading.Barrier(2)
    restore = NativeRunner.restore_planes_into

    def meet(runner: NativeRunner, out: Planes, planes: Planes, **options: Any) -> None:
        if runner._changes is None:
            together.wait(30)
        restore(runner, out, planes, **options)

    monkeypatch.setattr(NativeRunner, "restore_planes_into", meet)
    frames = [planes for planes in drawings for _ in range(3)]
    with restore_rt.load(make_model(KERNELS, scale=2), backend="native", threads=2) as restorer:
        results = stream(restorer, frames, Reuse())
    for index, result in enumerate(results):
        np.testing.assert_array_equal(result.y, results[index // 3 * 3].y)


def test_errors_surface_at_their_place(make_model: MakeModel) -> None:
    good = planes_of(40, 60)
    frames: list[Any] = [good, good, good.y.astype(np.int32), good, good]
    with restore_rt.load(make_model(KERNELS, scale=2), backend="native", threads=2) as restorer:
        results = restorer.stream_into(((0, None, frame) for frame in frames), reuse=Reuse())
        for _ in range(2):
            assert next(results)[1] is not None
        with pytest.raises(InputError, match="int32"):
            next(results)
        assert list(results) == []
    assert not [thread for thread in threading.enumerate() if "restore_rt-" in thread.name]


def test_frames_that_are_not_finite_raise(make_model: MakeModel) -> None:
    """The second one, which is like the first, has no result to copy from."""
    bad = np.zeros((40, 60), np.float32)
    bad[20, 30] = 3e38
    kernels = [np.full((4, 1, 3, 3), 1e20)]
    with restore_rt.load(make_model(kernels, scale=2), backend="native", threads=2) as restorer:
        results = restorer.stream_into(((0, None, bad) for _ in range(3)), reuse=Reuse())
        with pytest.raises(NonFiniteError):
            next(results)


def test_no_more_than_the_frames_in_work_are_kept(make_model: MakeModel) -> None:
    alive: list[weakref.ref[Any]] = []

    def items() -> Any:
        for _ in range(40):
            frame = np.zeros((16, 16), np.uint8)
            alive.append(weakref.ref(frame))
            yield None, None, frame

    most = 0
    with restore_rt.load(make_model(KERNELS, scale=2), backend="native", threads=2) as restorer:
        for _ in restorer.stream_into(items(), reuse=Reuse()):
            gc.collect()
            most = max(most, sum(frame() is not None for frame in alive))
    assert most <= 12


def test_videos_say_what_was_computed(
    tmp_path: Path, make_model: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("av")
    from restore_rt.video import restore_video
    from tests.video.clips import make_clip, moving_picture, read_clip, samples

    source = make_clip(
        tmp_path / "in.mkv",
        frames=12,
        codec="ffv1",
        draw=lambda index: moving_picture(64, 48, "yuv420p", index // 3),
    )
    model = make_model(nearest(1, 2), scale=2)
    stream_into: Any = Restorer.stream_into

    def without(self: Restorer, items: Any, *, stages: Any, reuse: Any) -> Any:
        return stream_into(self, items, stages=stages)

    made = []
    for name, patched in (("held", False), ("whole", True)):
        if patched:
            monkeypatch.setattr(Restorer, "stream_into", without)
        with restore_rt.load(model, backend="native", threads=2) as restorer:
            report = restore_video(source, tmp_path / f"{name}.mkv", restorer, codec="ffv1")
        assert report.computed == pytest.approx(1 if patched else 1 / 3)
        assert report.as_dict()["computed"] == round(report.computed, 4)
        made.append([samples(picture) for picture in read_clip(tmp_path / f"{name}.mkv").pictures])
    for one, other in zip(*made, strict=True):
        for plane, expected in zip(one, other, strict=True):
            np.testing.assert_array_equal(plane, expected)


@pytest.mark.parametrize("target", ["out/%02d.png", "out.apng"])
def test_pictures_say_what_was_computed(
    tmp_path: Path, rng: np.random.Generator, target: str
) -> None:
    pytest.importorskip("av")
    from restore_rt.images import format_of, read_picture, write_picture
    from restore_rt.images.picture import Picture
    from restore_rt.video import restore_video

    folder = tmp_path / "in"
    folder.mkdir()
    drawings = [random_frame(rng, (40, 60, 3), np.uint8) for _ in range(2)]
    for number in range(6):
        path = folder / f"{number:02d}.png"
        write_picture(path, Picture(drawings[number // 3]), format_of(path))
    with restore_rt.load("video-x2-fast", backend="native", threads=2) as restorer:
        report = restore_video(folder / "%02d.png", tmp_path / target, restorer, fps=25)
        assert report.computed == pytest.approx(1 / 3)
        if "%" in target:
            for number in range(6):
                picture = read_picture(tmp_path / (target % number))
                np.testing.assert_array_equal(picture.pixels, restorer(drawings[number // 3]))
