"""Sources that end early, are broken, or are no video."""

from __future__ import annotations

import os
import random
import re
import wave
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from restore_rt.errors import MediaError
from restore_rt.video import TruncatedVideoError, restore_video
from restore_rt.video.report import VideoReport
from tests.video.clips import Enlarger, make_clip, read_clip

FAST_START = {"movflags": "faststart"}


def _restore_damaged(source: Path, target: Path) -> tuple[VideoReport, str]:
    with pytest.raises(TruncatedVideoError) as caught:
        restore_video(source, target, Enlarger())
    after = read_clip(target)
    assert len(after.pts) == caught.value.report.frames > 0
    return caught.value.report, str(caught.value)


def _cut(path: Path, part: float) -> Path:
    data = path.read_bytes()
    shorter = path.with_stem("cut")
    shorter.write_bytes(data[: int(len(data) * part)])
    return shorter


def _early_index(path: Path, frames: int, sound: str | None = None) -> Path:
    """Make an MP4 whose index comes first, so that a part of it can be read."""
    clip = make_clip(path.with_suffix(".mkv"), frames=frames, sound=sound)
    with av.open(str(clip)) as old, av.open(
        str(path), "w", container_options=FAST_START
    ) as new:  # fmt: skip
        streams = {s.index: new.add_stream_from_template(s, opaque=True) for s in old.streams}
        for packet in old.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                new.mux(packet)
    return path


@pytest.mark.parametrize("sound", [None, "aac"])
def test_a_cut_mp4(tmp_path: Path, sound: str | None) -> None:
    whole = _early_index(tmp_path / "in.mp4", 60, sound)
    report, message = _restore_damaged(_cut(whole, 0.7), tmp_path / "out.mp4")
    assert 20 < report.frames < 55
    assert "it ends at" in message
    assert f"{report.frames} frames could be decoded" in message
    before, after = read_clip(whole), read_clip(tmp_path / "out.mp4")
    assert after.pts == before.pts[: report.frames]


def _fragmented(path: Path) -> tuple[bytes, list[tuple[int, bytes]]]:
    """Return an MP4 in fragments of ten frames, and where its top-level boxes begin."""
    clip = make_clip(path.with_suffix(".mkv"), frames=60, options={"g": "10"})
    fragments = {"movflags": "frag_keyframe+empty_moov"}
    with av.open(str(clip)) as old, av.open(str(path), "w", container_options=fragments) as new:
        stream = new.add_stream_from_template(old.streams.video[0], opaque=True)
        for packet in old.demux():
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)
    data, boxes, position = path.read_bytes(), [], 0
    while position < len(data):
        boxes.append((position, data[position + 4 : position + 8]))
        position += int.from_bytes(data[position : position + 4], "big")
    return data, boxes


@pytest.mark.parametrize(("beyond", "message"), [
    (4, "within a box's header"),
    (60, r"its last box \(moof\) lacks \d+ bytes"),
])  # fmt: skip
def test_a_fragmented_mp4_that_is_cut_between_samples(
    tmp_path: Path, beyond: int, message: str
) -> None:
    data, boxes = _fragmented(tmp_path / "whole.mp4")
    fourth = [position for position, kind in boxes if kind == b"moof"][3]
    source = tmp_path / "in.mp4"
    source.write_bytes(data[: fourth + beyond])
    report, said = _restore_damaged(source, tmp_path / "out.mp4")
    assert report.frames == 30
    assert re.search(message, said)


@pytest.mark.parametrize("trailing", [b"", bytes(5), b"some other program's notes"])
def test_a_whole_fragmented_mp4(tmp_path: Path, trailing: bytes) -> None:
    data, _ = _fragmented(tmp_path / "whole.mp4")
    source = tmp_path / "in.mp4"
    source.write_bytes(data + trailing)
    assert restore_video(source, tmp_path / "out.mp4", Enlarger()).frames == 60


@pytest.mark.parametrize("sound", [None, "libopus"])
def test_a_cut_matroska(tmp_path: Path, sound: str | None) -> None:
    whole = make_clip(tmp_path / "in.mkv", frames=60, sound=sound)
    report, message = _restore_damaged(_cut(whole, 0.7), tmp_path / "out.mkv")
    assert 20 < report.frames < 55
    assert "of 2.4" in message


def test_a_cut_y4m(tmp_path: Path) -> None:
    whole = make_clip(tmp_path / "in.y4m", frames=10, codec="rawvideo")
    report, message = _restore_damaged(_cut(whole, 0.55), tmp_path / "out.mp4")
    assert report.frames == 5
    assert "within a frame" in message


def test_a_cut_gif(tmp_path: Path) -> None:
    whole = make_clip(
        tmp_path / "in.gif", frames=10, codec="gif", pixel_format="rgb8", draw=_eight_bit
    )
    report, message = _restore_damaged(_cut(whole, 0.55), tmp_path / "out.mp4")
    assert 3 <= report.frames <= 6
    assert "before its trailer" in message


def _eight_bit(index: int) -> av.VideoFrame:
    pixels = np.random.default_rng(index).integers(0, 255, (48, 64), np.uint8)
    return av.VideoFrame.from_ndarray(pixels, format="rgb8")


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_a_hole_in_the_middle(tmp_path: Path, codec: str) -> None:
    whole = make_clip(tmp_path / "in.mp4", frames=60, codec=codec, size=(128, 96))
    data = bytearray(whole.read_bytes())
    middle = len(data) // 2
    data[middle : middle + len(data) // 12] = random.Random(0).randbytes(len(data) // 12)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(data)
    report, message = _restore_damaged(broken, tmp_path / "out.mp4")
    assert report.frames > 30
    assert "could not be decoded: " in message or "damaged frames: " in message
    before, after = read_clip(whole), read_clip(tmp_path / "out.mp4")
    assert set(after.pts) <= set(before.pts)
    assert after.pts == sorted(after.pts)


def test_a_file_without_its_index(tmp_path: Path) -> None:
    whole = make_clip(tmp_path / "in.mp4", frames=20)
    _refused(_cut(whole, 0.8), tmp_path, "its beginning or index is missing")


def test_a_whole_file_that_an_edit_list_shortens_is_whole(tmp_path: Path) -> None:
    """The index counts samples that are never shown."""
    source = make_clip(tmp_path / "in.mp4", frames=40, sound="aac")
    data = bytearray(source.read_bytes())
    edit = data.index(b"elst") + 12
    shown = int.from_bytes(data[edit : edit + 4], "big")
    data[edit : edit + 4] = (shown // 2).to_bytes(4, "big")
    source.write_bytes(data)
    report = restore_video(source, tmp_path / "out.mp4", Enlarger())
    assert report.frames < 40


def test_no_frames(tmp_path: Path) -> None:
    whole = make_clip(tmp_path / "in.y4m", frames=3, codec="rawvideo")
    _refused(_cut(whole, 0.2), tmp_path, "no frame that can be decoded")


PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://192.0.2.1/a.ts\n"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.write_text("This is no video.\n" * 200), "not a video that can be read"),
        # It must not be followed.
        (lambda path: path.write_text(PLAYLIST), "not a video|no video stream|no frame"),
        (lambda path: None, r"there is no file .*source\.mp4; check its name"),
        (lambda path: path.mkdir(), "is a folder; give a video file"),
        (os.mkfifo, "is not a regular file; give a video file"),
        (lambda path: path.touch(), "not a video that can be read"),
        (lambda path: Image.new("RGB", (8, 8)).save(path, "PNG"), "is a picture; use `restore-rt"),
    ],
    ids=["text", "playlist", "missing", "folder", "pipe", "empty", "picture"],
)
def test_what_is_no_video(tmp_path: Path, make: Callable[[Path], Any], message: str) -> None:
    make(tmp_path / "source.mp4")
    _refused(tmp_path / "source.mp4", tmp_path, message)


def test_sound_alone(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "sound.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48000)
        file.writeframes(bytes(9600))
    _refused(tmp_path / "sound.wav", tmp_path, "has no video stream; it holds audio")


def test_a_size_that_changes_midway(tmp_path: Path) -> None:
    large = make_clip(tmp_path / "a.h264", frames=5, size=(64, 48))
    small = make_clip(tmp_path / "b.h264", frames=5, size=(32, 32))
    both = tmp_path / "both.h264"
    both.write_bytes(large.read_bytes() + small.read_bytes())
    with pytest.raises(TruncatedVideoError, match="changes from 64x48 yuv420p to 32x32 yuv420p"):
        restore_video(both, tmp_path / "out.mp4", Enlarger())
    assert len(read_clip(tmp_path / "out.mp4").pts) == 5


def test_where_a_size_changes_is_told_by_the_clips_own_time(tmp_path: Path) -> None:
    """A transport stream's clock begins at 1.4 s and not at 0."""
    both = tmp_path / "both.ts"
    with both.open("wb") as file:
        for start, size in ((0, (64, 48)), (25, (32, 32))):
            pts = range(start, start + 25)
            part = make_clip(tmp_path / f"{start}.ts", frames=25, size=size, pts=pts)
            file.write(part.read_bytes())
    with pytest.raises(TruncatedVideoError, match=r"32x32 yuv420p at 1.00 s, .* 25 frames came"):
        restore_video(both, tmp_path / "out.mp4", Enlarger())
    assert len(read_clip(tmp_path / "out.mp4").pts) == 25


def test_missing_timestamps_are_made_and_told(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.h264", frames=8)
    report = restore_video(source, tmp_path / "out.mp4", Enlarger())
    after = read_clip(tmp_path / "out.mp4")
    assert len(after.pts) == 8
    steps = {round(b - a, 4) for a, b in zip(after.pts, after.pts[1:], strict=False)}
    assert steps == {Fraction(1, 25)}
    assert any("timestamps were missing" in note for note in report.notes)


def _refused(source: Path, folder: Path, message: str) -> None:
    with pytest.raises(MediaError, match=message):
        restore_video(source, folder / "out.mp4", Enlarger())
    assert not (folder / "out.mp4").exists()
    assert not list(folder.glob(".restore-rt*"))


def test_a_gif_that_claims_more_than_it_can_hold_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "claims.gif"
    pictures = [Image.new("P", (8, 8), grey) for grey in (0, 1)]
    pictures[0].save(source, save_all=True, append_images=pictures[1:])
    data = bytearray(source.read_bytes())
    data[6:10] = (6000).to_bytes(2, "little") * 2
    source.write_bytes(data)
    with pytest.raises(MediaError, match="it claims 6000x6000 pixels, which its"):
        restore_video(source, tmp_path / "out.mkv", Enlarger())
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.parametrize("cut", [1, 100])
def test_a_webp_animation_that_is_cut_short_gives_what_there_is(tmp_path: Path, cut: int) -> None:
    rng = np.random.default_rng(0)
    pictures = [Image.fromarray(rng.integers(0, 256, (24, 32, 3), np.uint8)) for _ in range(4)]
    whole = tmp_path / "whole.webp"
    pictures[0].save(whole, save_all=True, append_images=pictures[1:], lossless=True, duration=40)
    source, target = tmp_path / "in.webp", tmp_path / "out.mkv"
    source.write_bytes(whole.read_bytes()[:-cut])
    report, message = _restore_damaged(source, target)
    assert report.frames == 3
    assert "ends early; 3 frames came before" in message
