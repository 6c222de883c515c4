"""Frames of a video as a program takes them."""

from __future__ import annotations

import asyncio
import gc
import threading
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from restore_rt.errors import InputError, MediaError, TruncatedInputError
from restore_rt.video import Pipeline, RestoredFrame, restore_video
from restore_rt.video.table import FrameAges, StageTable
from tests.video.clips import Enlarger, make_clip, moving_picture, read_clip, samples

TIMES = [0, 40, 100, 120, 200]


def _equal(frame: RestoredFrame, other: RestoredFrame) -> bool:
    assert frame.picture is not None
    assert other.picture is not None
    pairs = zip(samples(frame.picture), samples(other.picture), strict=True)
    return all(np.array_equal(ours, theirs) for ours, theirs in pairs)


def test_frames_are_those_of_the_file_that_restore_video_writes(tmp_path: Path) -> None:
    source = make_clip(
        tmp_path / "in.mkv", frames=5, pts=TIMES, time_base=Fraction(1, 1000), sound="flac"
    )
    restore_video(source, tmp_path / "out.mkv", Enlarger(), codec="ffv1")
    written = read_clip(tmp_path / "out.mkv")
    with Pipeline(source, Enlarger()) as pipeline:
        assert (pipeline.width, pipeline.height, pipeline.done) == (128, 96, 0)
        frames = list(pipeline)
        assert pipeline.done == 5
        assert list(pipeline) == []
    assert [frame.number for frame in frames] == [0, 1, 2, 3, 4]
    assert [frame.pts_seconds for frame in frames] == [time / 1000 for time in TIMES]
    assert all(frame.duration_seconds > 0 for frame in frames)
    for frame, picture in zip(frames, written.pictures, strict=True):
        planes = frame.planes
        assert planes.cb is not None
        assert planes.cr is not None
        for ours, theirs in zip((planes.y, planes.cb, planes.cr), samples(picture), strict=True):
            assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("colour", ["luma", "rgb"])
def test_the_format_of_frames(tmp_path: Path, colour: str) -> None:
    source = make_clip(tmp_path / "in.mkv", frames=2, tags=(2, 1, 1, 1))
    with Pipeline(source, Enlarger(colour=colour), pixel_format="yuv444p10") as pipeline:
        frame = next(pipeline)
    assert frame.pixels is None
    assert frame.picture is not None
    assert frame.picture.format.name == "yuv444p10le"
    assert (int(frame.picture.colorspace), int(frame.picture.color_range)) == (1, 2)
    assert frame.planes.bit_depth == 10
    with Pipeline(source, Enlarger(colour=colour), pixel_format="rgb") as pipeline:
        frame = next(pipeline)
    assert frame.picture is None
    assert frame.pixels is not None
    assert frame.pixels.shape == (96, 128, 3)
    assert frame.pixels.dtype == np.uint8
    with pytest.raises(InputError, match="pixel_format='keep'"):
        frame.planes  # noqa: B018


def test_a_callback_and_its_table(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", frames=6)
    seen: list[int] = []
    with Pipeline(source, Enlarger()) as pipeline:
        table = pipeline.run(lambda frame: seen.append(frame.number))
    assert seen == list(range(6))
    assert [row.stage for row in table.rows] == ["decode", "network", "deliver"]
    assert set(table.waits) == {"decode", "restore", "deliver"}
    assert table.bottleneck in ("decode", "network", "deliver")
    assert table.age is not None
    assert 0 < table.age.median <= table.age.p95 <= table.age.longest <= table.seconds
    assert table.frames == 6


def test_an_error_of_the_callback_ends_all_threads(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", frames=50)

    def fail(frame: RestoredFrame) -> None:
        raise KeyError(frame.number)

    with pytest.raises(KeyError), Pipeline(source, Enlarger()) as pipeline:
        pipeline.run(fail)
    assert not [each for each in threading.enumerate() if each.name.startswith("restore_rt")]


def test_async_iteration(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", frames=6)

    async def numbers() -> list[int]:
        with Pipeline(source, Enlarger()) as pipeline:
            return [frame.number async for frame in pipeline]

    assert asyncio.run(numbers()) == list(range(6))


def test_a_wait_that_is_cancelled_loses_no_frame(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", frames=3)
    go_on = threading.Event()

    def wait(index: int) -> None:
        go_on.wait(30)

    restorer = Enlarger(hook=wait)

    async def numbers() -> list[int]:
        with Pipeline(source, restorer) as pipeline:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(pipeline), 0.01)
            go_on.set()
            return [frame.number async for frame in pipeline]

    assert asyncio.run(numbers()) == [0, 1, 2]


def test_cancel_from_another_thread(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", frames=50)
    pipelines: list[Pipeline] = []

    def cancel(index: int) -> None:
        if index == 8:
            pipelines[0].cancel()

    restorer = Enlarger(hook=cancel)
    with Pipeline(source, restorer) as pipeline:
        pipelines.append(pipeline)
        numbers = [frame.number for frame in pipeline]
        assert numbers == list(range(len(numbers)))
        assert len(numbers) < 10
        assert len(restorer.seen) < 15
        assert pipeline.cancelled
        assert next(iter(pipeline), None) is None


def test_few_frames_are_read_ahead(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", frames=80)
    with Pipeline(source, Enlarger()) as pipeline:
        for frame in pipeline:
            assert pipeline.stages.counts["network"] - frame.number <= 8


def test_a_damaged_source_gives_what_there_is_and_then_says_so(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mkv", frames=20)
    source.write_bytes(source.read_bytes()[:-400])
    frames: list[RestoredFrame] = []
    with (
        Pipeline(source, Enlarger()) as pipeline,
        pytest.raises(TruncatedInputError, match="damaged"),
    ):
        pipeline.run(frames.append)
    assert 5 < len(frames) < 20


CODECS: list[tuple[str, str, dict[str, Any]]] = [
    ("mp4", "libx264", {"bf": "3", "g": "12"}),
    ("mkv", "libx264", {"bf": "3", "g": "12", "x264-params": "open-gop=1"}),
    ("mkv", "libx265", {"g": "12", "preset": "ultrafast"}),
    ("ts", "libx264", {"bf": "2", "g": "12"}),
    ("mpg", "mpeg2video", {"bf": "2", "g": "12"}),
    ("avi", "mpeg4", {"bf": "2", "g": "12"}),
    ("webm", "libvpx-vp9", {"g": "12", "cpu-used": "8", "deadline": "realtime"}),
]


@pytest.mark.parametrize(("suffix", "codec", "options"), CODECS)
def test_seek_finds_the_frame_that_is_shown(
    tmp_path: Path, suffix: str, codec: str, options: dict[str, Any]
) -> None:
    source = make_clip(tmp_path / f"in.{suffix}", frames=60, codec=codec, options=options)
    with Pipeline(source, Enlarger(1)) as pipeline:
        whole = list(pipeline)
        assert len(whole) == 60
        for number in (0, 1, 11, 30, 59, 7):
            begin, duration = whole[number].pts_seconds, whole[number].duration_seconds
            for seconds in (begin, begin + duration / 2):
                pipeline.seek(seconds)
                frame = next(pipeline)
                assert (frame.number, frame.pts_seconds) == (0, begin)
                assert _equal(frame, whole[number])
        pipeline.seek(whole[55].pts_seconds)
        rest = list(pipeline)
        assert [frame.pts_seconds for frame in rest] == [frame.pts_seconds for frame in whole[55:]]
        assert all(map(_equal, rest, whole[55:]))
        assert pipeline.done == 5
        assert pipeline.total is None or abs(pipeline.total - 5) <= 1
        with pytest.raises(InputError, match=r"seconds is 9, but .* ends at 2\.\d\d s"):
            pipeline.seek(9)


def test_seek_in_the_middle_of_the_iteration_and_of_two_fields(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", frames=40, options={"g": "12"})
    times = []
    with Pipeline(source, Enlarger(1), deinterlace="field") as pipeline:
        for frame in pipeline:
            times.append(frame.pts_seconds)
            if len(times) == 3:
                pipeline.seek(1.5)
    assert times[:4] == [0, 0.02, 0.04, 1.5]
    assert times[-1] == pytest.approx(1.58)


def test_seek_where_nothing_can_be_searched(tmp_path: Path) -> None:
    """Those are decoded from their beginning."""
    clip = make_clip(tmp_path / "in.mp4", frames=12)
    raw = make_clip(tmp_path / "in.h264", frames=12)
    gif = tmp_path / "in.gif"
    numbered = tmp_path / "%02d.png"
    for target in (gif, numbered):
        restore_video(clip, target, Enlarger(1))
    for source in (raw, gif, numbered):
        with Pipeline(source, Enlarger()) as pipeline:
            whole = list(pipeline)
            pipeline.seek(whole[7].pts_seconds)
            rest = list(pipeline)
        assert len(rest) == 5
        assert all(map(_equal, rest, whole[7:]))
    with Pipeline(clip, Enlarger()) as pipeline:
        for seconds in (-1.0, float("nan")):
            with pytest.raises(InputError, match="at least 0"):
                pipeline.seek(seconds)


def test_options_are_checked(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "in.mp4", frames=1)
    wrong: list[dict[str, Any]] = [
        {"pixel_format": "bgr"}, {"deinterlace": "maybe"}, {"threads": 0}, {"fps": 25},
    ]  # fmt: skip
    for options in wrong:
        with pytest.raises(InputError, match=next(iter(options))):
            Pipeline(clip, Enlarger(), **options)


def test_the_table_of_waits() -> None:
    ages = FrameAges()
    assert ages.summary is None
    for age in range(1, 101):
        ages.add(age / 1000)
    stages = {"decode": 0.5, "network": 3.0, "encode": 1.0}
    table = StageTable(stages, 10, 2.0, 2, {"decode": 1.0, "encode": 0.5}, ages.summary)
    assert table.waits == {"decode": 0.5, "restore": 0.25, "encode": 0.25}
    assert table.bottleneck == "network"
    assert table.as_dict()["age"] == {"median_ms": 50, "p95_ms": 95, "longest_ms": 100}
    assert StageTable(stages, 10, 2.0).waits == {}


def test_a_moving_picture_is_not_the_same_everywhere() -> None:
    """Comparisons of frames above would be worth nothing otherwise."""
    first, second = (samples(moving_picture(64, 48, "yuv420p", index)) for index in (0, 1))
    assert not np.array_equal(first[0], second[0])


def test_a_pipeline_that_nobody_holds_ends_its_threads(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", frames=50)
    for _ in Pipeline(source, Enlarger()):
        break
    gc.collect()
    assert not [each for each in threading.enumerate() if each.name.startswith("restore_rt")]


def test_a_pipeline_goes_on_after_cancel_and_not_after_close(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", frames=10)
    pipeline = Pipeline(source, Enlarger())
    pipeline.cancel()
    assert list(pipeline) == []
    pipeline.seek(0)
    assert len(list(pipeline)) == 10
    pipeline.close()
    for use in (iter, aiter, lambda closed: closed.seek(0), lambda closed: closed.run(print)):
        with pytest.raises(InputError, match=r"the pipeline of .*in\.mp4 is closed; open another"):
            use(pipeline)


def test_what_is_none_of_the_arguments_is_refused(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", frames=2)
    with pytest.raises(InputError, match=r"restorer is 'video-x2'; give what restore_rt.load"):
        Pipeline(source, "video-x2")  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"pixel_format is None; allowed are .* rgb"):
        Pipeline(source, Enlarger(), pixel_format=None)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="seconds is 'x'"), Pipeline(source, Enlarger()) as opened:
        opened.seek("x")  # type: ignore[arg-type]
    with pytest.raises(MediaError, match="looks like an address; give a file, or use"):
        Pipeline("http://somewhere/in.mp4", Enlarger())
