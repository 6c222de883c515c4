"""A run that goes on with what a killed one left gives the same file as if nothing had happened."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from restore_rt.errors import MediaError, TruncatedInputError
from restore_rt.files import journal_folder
from restore_rt.video import TruncatedVideoError, journal, restore_video
from restore_rt.video.encoding import FrameEncoder, encoder_apart
from restore_rt.video.reader import VideoReader
from tests.video.clips import Enlarger, make_clip, read_clip, samples
from tests.video.killed import SEGMENT

ROOT = Path(__file__).parents[2]
FRAMES = 20 * SEGMENT + 4
# A whole run does some 600 things, at which it can be killed.
MOMENTS = 45
# RESTORE_RT_SOAK is 1 for the tests at length, and less for a part of that.
KILLS = max(10, round(200 * float(os.environ.get("RESTORE_RT_SOAK") or 0)))
# Frames of different length, and a pause of more than a segment.
TIMES = [1000 + 40 * index + index % 5 * 7 + (index > 33) * 900 for index in range(FRAMES)]


@dataclass(frozen=True)
class Case:
    target: str
    options: dict[str, Any]
    source: str = "in.mkv"
    clip: dict[str, Any] = field(default_factory=dict)

    def make(self, folder: Path) -> Path:
        options = {"frames": FRAMES, "size": (64, 64), **self.clip}
        return make_clip(folder / self.source, **options)


def _turned(file: av.container.OutputContainer, stream: Any) -> None:
    stream.set_display_rotation(90)
    stream.codec_context.sample_aspect_ratio = Fraction(4, 3)


VARIABLE: dict[str, Any] = {"pts": TIMES, "time_base": Fraction(1, 1000)}
CASES = {
    "h264": Case(
        "out.mp4",
        {"codec": "h264", "preset": "veryfast"},
        "in.mp4",
        {**VARIABLE, "sound": "aac", "subtitles": "mov_text", "options": {"bf": "3"}},
    ),
    "fields": Case(
        "out.mkv",
        {"codec": "h264", "preset": "ultrafast", "deinterlace": "field", "audio": "flac"},
        "in.mkv",
        {"frames": FRAMES // 2, "options": {"x264-params": "tff=1"}, "sound": "aac"},
    ),
    "h265": Case(
        "out.mov",
        {"codec": "h265", "preset": "ultrafast", "pixel_format": "keep"},
        "in.mov",
        {
            "prepare": _turned,
            "codec": "libx265",
            "pixel_format": "yuv420p10le",
            "tags": (1, 9, 16, 9),
            "options": {"x265-params": "log-level=none:open-gop=1:keyint=20"},
        },
    ),
    "av1": Case("out.webm", {"codec": "av1", "preset": "12"}, "in.mkv", {"sound": "libopus"}),
    "ffv1": Case("out.mkv", {"codec": "ffv1"}, "in.avi", {"options": {"bf": "2"}}),
}


@pytest.fixture(autouse=True)
def _short_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "SEGMENT", SEGMENT)


def _contents(path: Path) -> dict[str, Any]:
    """Return all that a file has: its streams, packets and frames."""
    with av.open(str(path)) as file:
        packets = [
            (each.stream.index, each.pts, each.dts, each.duration, each.is_keyframe, bytes(each))
            for each in file.demux()
            if each.size
        ]
    clip = read_clip(path)
    return {
        "packets": sorted(packets, key=lambda packet: packet[0]),  # in order in each stream
        "pts": clip.pts,
        "pictures": [b"".join(plane.tobytes() for plane in samples(p)) for p in clip.pictures],
        "streams": (clip.kinds, clip.video, clip.metadata, clip.stream_metadata),
    }


def _interrupted(
    source: Path, target: Path, *, after: int = 3 * SEGMENT + 2, **options: Any
) -> Path:
    """Leave what Ctrl-C leaves when so many frames were written; return the journal's folder."""
    written = 0

    def stop() -> None:
        nonlocal written
        written += 1
        if written == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        restore_video(source, target, Enlarger(), resume=True, on_frame=stop, **options)
    assert not target.exists()
    return journal_folder(target)


@pytest.mark.parametrize("name", CASES)
def test_ten_kills(tmp_path: Path, name: str) -> None:
    case = CASES[name]
    source = case.make(tmp_path)
    whole, target = tmp_path / "whole" / case.target, tmp_path / "killed" / case.target
    whole.parent.mkdir()
    target.parent.mkdir()
    options = {**case.options, "resume": True}
    restore_video(source, whole, Enlarger(), **options)
    chance = random.Random(name)
    moments = [chance.randrange(1, MOMENTS) for _ in range(KILLS)]
    words = [sys.executable, "-m", "tests.video.killed", source, target, json.dumps(options)]
    done = subprocess.run(
        list(map(str, [*words, *moments, 0])),
        cwd=ROOT, env={**os.environ, "SVT_LOG": "1"}, capture_output=True, text=True,
        timeout=120 + 10 * KILLS, check=True,
    )  # fmt: skip
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[:10] == ["-9"] * 10
    taken_over = [int(line.split()[0]) for line in lines if line.endswith(" 0")]
    assert lines[-1].endswith(" 0")
    assert max(taken_over) >= SEGMENT
    made = list(target.parent.iterdir())
    assert target in made
    # More than there are runs that ended: one can be killed when its target is there already.
    assert len(made) >= len(taken_over)
    wanted = _contents(whole)
    for path in made:
        assert _contents(path) == wanted


@pytest.mark.parametrize("name", CASES)
def test_times_and_streams_are_those_of_a_plain_run(tmp_path: Path, name: str) -> None:
    case = CASES[name]
    source = case.make(tmp_path)
    plain, resumed = tmp_path / f"plain-{case.target}", tmp_path / case.target
    restore_video(source, plain, Enlarger(), **case.options)
    restore_video(source, resumed, Enlarger(), resume=True, **case.options)
    wanted, found = _contents(plain), _contents(resumed)
    assert found["pts"] == wanted["pts"]
    assert found["streams"] == wanted["streams"]
    if name == "h265":
        video = found["streams"][1]
        assert (video["rotation"], video["sar"], video["tags"]) == (
            90,
            Fraction(4, 3),
            (1, 9, 16, 9),
        )
    for number in range(len(wanted["streams"][0])):
        times, others = (
            [packet[1:4] if number == 0 else packet for packet in each["packets"]
             if packet[0] == number] for each in (wanted, found)
        )  # fmt: skip
        if number == 0:  # other frames may be those that wait for later ones
            times, others = ([(dts, length) for _, dts, length in each] for each in (times, others))
        assert others == times
    if name == "ffv1":
        assert found["pictures"] == wanted["pictures"]


def test_only_what_is_missing_is_restored(tmp_path: Path) -> None:
    source, target = make_clip(tmp_path / "in.mp4", frames=40), tmp_path / "out.mp4"
    restore_video(source, tmp_path / "whole.mp4", Enlarger(), resume=True)
    folder = _interrupted(source, target)
    assert sorted(path.name for path in tmp_path.glob(".*")) == [folder.name]
    restorer = Enlarger()
    begun: list[int | None] = []
    report = restore_video(source, target, restorer, resume=True, on_start=begun.append)
    assert (report.frames, report.taken_over, report.restored) == (40, 18, 22)
    assert report.notes == ["18 frames were restored before; they are only decoded again"]
    assert report.fps == pytest.approx(22 / report.seconds)
    assert len(restorer.seen) == 22
    assert begun == [22]
    assert _contents(target) == _contents(tmp_path / "whole.mp4")
    assert not folder.exists()


def test_what_is_kept_is_told(tmp_path: Path) -> None:
    source, target = make_clip(tmp_path / "in.mp4", frames=40), tmp_path / "out.mp4"
    notes: list[str] = []
    folder = _interrupted(source, target, on_note=notes.append)
    where = "the same command with --resume goes on from there"
    assert notes == [f"18 restored frames are kept in {folder}: {where}"]
    folder = _interrupted(source, tmp_path / "early.mp4", after=SEGMENT - 1)
    assert not folder.exists()


def test_a_plain_run_leaves_what_it_finds(tmp_path: Path) -> None:
    source, target = make_clip(tmp_path / "in.mp4", frames=40), tmp_path / "out.mp4"
    folder = _interrupted(source, target)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    report = restore_video(source, target, Enlarger())
    assert report.notes == [
        f"{folder} is left of an interrupted run: use it by --resume, or remove it"
    ]
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    report = restore_video(source, target, Enlarger(), resume=True, overwrite=True)
    assert report.taken_over == 18
    assert not folder.exists()


def _cut(folder: Path) -> None:
    path = folder / "segment-000001"
    path.write_bytes(path.read_bytes()[:-1])


def _change(folder: Path) -> None:
    path = folder / "segment-000001"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _lose(folder: Path) -> None:
    (folder / "segment-000001").unlink()


def _half_a_line(folder: Path) -> None:
    """The power failed while a line was written, and the next segment's file was there."""
    path = folder / "journal.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    (folder / "segment-000003").write_bytes(b"half")


@pytest.mark.parametrize("harm", [_cut, _change, _lose, _half_a_line])
def test_segments_that_are_not_whole_are_restored_again(
    tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    source, target = make_clip(tmp_path / "in.mp4", frames=40), tmp_path / "out.mp4"
    restore_video(source, tmp_path / "whole.mp4", Enlarger(), resume=True)
    folder = _interrupted(source, target)
    harm(folder)
    report = restore_video(source, target, Enlarger(), resume=True)
    assert report.taken_over == 2 * SEGMENT
    assert _contents(target) == _contents(tmp_path / "whole.mp4")
    assert not folder.exists()


def test_sound_may_be_chosen_anew(tmp_path: Path) -> None:
    source, target = make_clip(tmp_path / "in.mp4", frames=40, sound="aac"), tmp_path / "out.mp4"
    _interrupted(source, target)
    report = restore_video(source, target, Enlarger(), resume=True, audio="none")
    assert report.taken_over == 18
    assert read_clip(target).kinds == ["video"]


def test_a_damaged_clip(tmp_path: Path) -> None:
    """What can be decoded is written, as without --resume; there is nothing to go on with."""
    clip = make_clip(tmp_path / "clip.mkv", frames=60)
    source, target = tmp_path / "in.mkv", tmp_path / "out.mkv"
    source.write_bytes(clip.read_bytes()[: clip.stat().st_size * 2 // 3])
    with pytest.raises(TruncatedVideoError) as plain:
        restore_video(source, tmp_path / "plain.mkv", Enlarger())
    folder = _interrupted(source, target)
    with pytest.raises(TruncatedVideoError) as caught:
        restore_video(source, target, Enlarger(), resume=True)
    assert caught.value.report.frames == plain.value.report.frames
    assert caught.value.report.taken_over == 18
    assert read_clip(target).pts == read_clip(tmp_path / "plain.mkv").pts
    assert not folder.exists()


def test_a_source_that_gives_less_than_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that fails now must not cost what was restored when it did not."""
    source, target = make_clip(tmp_path / "in.mp4", frames=40), tmp_path / "out.mp4"
    folder = _interrupted(source, target)
    steps = VideoReader.steps

    def fail(reader: VideoReader) -> Any:
        for number, step in enumerate(steps(reader)):
            if number == 10:
                raise TruncatedInputError("reading stopped")
            yield step

    with monkeypatch.context() as patched:
        patched.setattr(VideoReader, "steps", fail)
        with pytest.raises(MediaError, match=r"other frames than to the run that left .*18 were"):
            restore_video(source, target, Enlarger(), resume=True)
    assert restore_video(source, target, Enlarger(), resume=True).taken_over == 18
    assert not folder.exists()


def test_one_encoder_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An encoder's memory is that of dozens of frames."""
    living = most = 0

    def opening(*arguments: Any) -> FrameEncoder:
        nonlocal living, most
        encoder = encoder_apart(*arguments)
        living += 1
        most = max(most, living)
        close = encoder.close

        def closing() -> None:
            nonlocal living
            living -= 1
            close()

        monkeypatch.setattr(encoder, "close", closing)
        return encoder

    monkeypatch.setattr("restore_rt.video.writer.encoder_apart", opening)
    source = make_clip(tmp_path / "in.mp4", frames=40)
    restore_video(source, tmp_path / "out.mp4", Enlarger(), resume=True)
    assert (living, most) == (0, 1)


def test_frames_are_the_sources(tmp_path: Path) -> None:
    """Not only are both runs alike: frames are in their places across the segments."""
    source = make_clip(tmp_path / "in.mkv", frames=40, codec="ffv1")
    _interrupted(source, tmp_path / "out.mkv", codec="ffv1")
    restore_video(source, tmp_path / "out.mkv", Enlarger(), codec="ffv1", resume=True)
    before, after = read_clip(source), read_clip(tmp_path / "out.mkv")
    assert after.pts == before.pts
    for old, new in zip(before.pictures, after.pictures, strict=True):
        luma = samples(old)[0].repeat(2, axis=0).repeat(2, axis=1)
        np.testing.assert_array_equal(samples(new)[0], luma)
