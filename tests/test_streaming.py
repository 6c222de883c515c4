from __future__ import annotations

import queue
import threading
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import restore_rt
from restore_rt import Planes
from restore_rt.errors import InputError
from restore_rt.timing import StageTimes
from tests.networks import MakeModel, blur, nearest
from tests.pixels import enlarged, random_frame

pytestmark = pytest.mark.usefixtures("either_way")


def test_stream_keeps_order_and_reads_ahead_no_more_than_a_few(
    make_model: MakeModel, rng: np.random.Generator
) -> None:
    frames = [random_frame(rng, (8, 9), np.uint8) for _ in range(30)]
    read = 0

    def source() -> Any:
        nonlocal read
        for frame in frames:
            read += 1
            yield frame

    with restore_rt.load(make_model(nearest(1, 2), scale=2)) as restorer:
        results = restorer.stream(source())
        for taken, (frame, result) in enumerate(zip(frames, results, strict=True), start=1):
            np.testing.assert_array_equal(result, enlarged(frame, 2))
            assert read <= taken + 8


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_stream_gives_what_calls_give(
    make_model: MakeModel, rng: np.random.Generator, threads: int
) -> None:
    frames = [Planes(random_frame(rng, (40, 50 + i), np.uint8)) for i in range(12)]
    outs = [frame.empty_like(1) for frame in frames]
    with restore_rt.load(make_model(blur(3)), threads=threads) as restorer:
        times = StageTimes()
        items: list[tuple[int, Planes | None, Planes | None]] = []
        for index, (out, frame) in enumerate(zip(outs, frames, strict=True)):
            items += [(index, out, frame), (-1, None, None)]
        order = []
        for index, result in restorer.stream_into(items, stages=times):
            order.append(index)
            if index < 0:
                assert result is None
                continue
            assert result is outs[index]
            np.testing.assert_array_equal(result.y, restorer(frames[index]).y)
        assert order == [index for index, _, _ in items]
        assert times.counts["network"] == len(frames)
        assert restorer.stages.counts["network"] == len(frames)


def test_leaving_a_stream_whose_source_blocks(make_model: MakeModel) -> None:
    frames: queue.Queue[NDArray[Any]] = queue.Queue()
    frames.put(np.zeros((4, 4), np.uint8))

    def camera() -> Any:
        while True:
            yield frames.get()

    with restore_rt.load(make_model(nearest(1, 1))) as restorer:
        results: Any = restorer.stream(camera())
        assert next(results).shape == (4, 4)
        results.close()
    frames.put(np.zeros((4, 4), np.uint8))


def test_errors_in_a_stream_surface_at_their_place(make_model: MakeModel) -> None:
    good = np.zeros((4, 4), np.uint8)

    def source() -> Any:
        yield good
        yield good
        raise OSError("the camera went away")

    with restore_rt.load(make_model(nearest(1, 1))) as restorer:
        results = restorer.stream(source())
        assert next(results).shape == (4, 4)
        assert next(results).shape == (4, 4)
        with pytest.raises(OSError, match="camera"):
            next(results)
        results = restorer.stream([good, good.astype(np.int32)])
        assert next(results).shape == (4, 4)
        with pytest.raises(InputError, match="int32"):
            next(results)


def test_leaving_a_stream_early_stops_its_threads(make_model: MakeModel) -> None:
    def endless() -> Any:
        while True:
            yield np.zeros((4, 4), np.uint8)

    with restore_rt.load(make_model(nearest(1, 1))) as restorer:
        results: Any = restorer.stream(endless())
        next(results)
        results.close()
    assert not [thread for thread in threading.enumerate() if "restore_rt-" in thread.name]


def test_a_frame_that_is_none_is_an_error_at_its_place(make_model: MakeModel) -> None:
    frame = np.zeros((4, 4), np.uint8)
    frames: Any = [frame, None]
    with restore_rt.load(make_model(nearest(1, 1))) as restorer:
        results = restorer.stream(frames)
        np.testing.assert_array_equal(next(results), frame)
        with pytest.raises(InputError, match="frame is NoneType"):
            next(results)
