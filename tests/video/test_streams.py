"""What becomes of streams that are neither picture nor sound nor text."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from restore_rt.video import restore_video
from restore_rt.video.containers import refused_together
from tests.video.clips import Enlarger, make_clip, read_clip

TIME = "01:00:00:00"


def _timed(path: Path, **options: Any) -> Path:
    return make_clip(
        path, prepare=lambda file, stream: stream.metadata.update(timecode=TIME), **options
    )


def _timecodes(path: Path) -> list[tuple[str, str | None]]:
    with av.open(str(path)) as file:
        return [
            (stream.type, stream.metadata.get("timecode", stream.metadata.get("TIMECODE")))
            for stream in file.streams
        ]


@pytest.mark.parametrize("sound", [None, "aac"])
@pytest.mark.parametrize("target", [".mov", ".mp4", ".mkv"])
@pytest.mark.parametrize("source", [".mov", ".mp4"])
def test_a_timecode_is_kept(tmp_path: Path, source: str, target: str, sound: str | None) -> None:
    clip = _timed(tmp_path / f"in{source}", sound=sound)
    before = _timecodes(clip)
    assert before[-1] == ("data", TIME)
    report = restore_video(clip, tmp_path / f"out{target}", Enlarger(), preset="ultrafast")
    assert not any("left out" in note for note in report.notes)
    wanted = before[:-1] if target == ".mkv" else before
    assert _timecodes(tmp_path / f"out{target}") == wanted


def test_streams_are_tried_together_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copied timecode track is what the muxer objects to only when the file is finished."""
    from restore_rt.video import tracks

    clip = _timed(tmp_path / "in.mov", sound="aac")
    monkeypatch.setattr(tracks, "_is_timecode", lambda stream: False)
    report = restore_video(clip, tmp_path / "out.mov", Enlarger())
    (note,) = report.notes
    assert "(unknown) is left out: .mov cannot hold it here (" in note
    assert _timecodes(tmp_path / "out.mov")[:2] == _timecodes(clip)[:2]


def test_what_can_be_together(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "in.mp4", sound="aac", subtitles="mov_text")
    with av.open(str(clip)) as file:
        first = {packet.stream.index: bytes(packet) for packet in reversed(list(file.demux()))}
        for container in ("mp4", "mov"):
            streams = list(file.streams)[1:]
            assert not refused_together(container, streams, lambda index: first[index])


def _with_measurements(folder: Path, *, chapters: bool) -> Path:
    """Make an MP4 with a data stream, as cameras write for what their sensors say."""
    clip = make_clip(folder / "clip.mp4")
    source = folder / "in.mp4"
    with av.open(str(clip)) as old, av.open(str(source), "w") as new:
        video = new.add_stream_from_template(old.streams.video[0], opaque=True)
        data = new.add_data_stream("bin_data")
        if chapters:
            new.set_chapters([
                {"id": number + 1, "start": number * 200, "end": number * 200 + 200,
                 "time_base": Fraction(1, 1000), "metadata": {"title": str(number)}}
                for number in range(2)
            ])  # fmt: skip
        for packet in old.demux():
            if packet.dts is not None:
                packet.stream = video
                new.mux(packet)
        measured: av.Packet[Any] = av.Packet(b"DEVC1234")
        measured.stream = data
        measured.pts = measured.dts = 0
        measured.duration, measured.time_base = 1, Fraction(1, 25)
        new.mux(measured)
    return source


@pytest.mark.parametrize("chapters", [False, True])
def test_measurements_are_copied(tmp_path: Path, chapters: bool) -> None:
    """Chapters have a data stream of their own in MP4, which is the only one to pass over."""
    source = _with_measurements(tmp_path, chapters=chapters)
    report = restore_video(source, tmp_path / "out.mp4", Enlarger())
    before, after = read_clip(source), read_clip(tmp_path / "out.mp4")
    assert report.notes == []
    assert after.kinds == before.kinds == ["video", "data", *(["data"] if chapters else [])]
    assert after.others[0][0][1] == b"DEVC1234"
    assert len(after.chapters) == 2 * chapters


@pytest.mark.parametrize("chapters", [False, True])
def test_measurements_that_are_left_out_are_told(tmp_path: Path, chapters: bool) -> None:
    source = _with_measurements(tmp_path, chapters=chapters)
    report = restore_video(source, tmp_path / "out.mkv", Enlarger())
    assert report.notes == ["data stream 1 (bin_data) is left out: .mkv cannot hold it"]
    assert len(read_clip(tmp_path / "out.mkv").chapters) == 2 * chapters
