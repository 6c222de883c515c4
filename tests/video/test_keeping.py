"""What a restored video keeps of its source: times, sound, samples, and what is around them."""

from __future__ import annotations

import itertools
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.stream import Disposition

from restore_rt.errors import InputError
from restore_rt.video import restore_video
from tests.video.clips import Enlarger, make_clip, moving_picture, read_clip, samples


def test_ten_seconds_with_sound(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", frames=250, sound="aac")
    report = restore_video(source, tmp_path / "out.mp4", Enlarger())
    before, after = read_clip(source), read_clip(tmp_path / "out.mp4")
    assert report.frames == len(after.pts) == 250
    assert after.pts == before.pts
    assert after.video["size"] == (128, 96)
    assert len(before.others[0]) > 400
    assert after.others == before.others


@pytest.mark.parametrize(("codec", "sound", "source", "target"), [
    ("libx264", "flac", "in.mkv", "out.mkv"),
    ("libx264", "libopus", "in.mkv", "out.mp4"),
    ("libvpx-vp9", "libopus", "in.webm", "out.webm"),
])  # fmt: skip
def test_sound_is_copied_between_containers(
    tmp_path: Path, codec: str, sound: str, source: str, target: str
) -> None:
    clip = make_clip(tmp_path / source, frames=30, codec=codec, sound=sound)
    restore_video(clip, tmp_path / target, Enlarger())
    before, after = read_clip(clip), read_clip(tmp_path / target)
    assert after.others == before.others
    assert after.pts == before.pts


def test_priming_samples_do_not_shift_picture_against_sound(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", frames=30, sound="aac")
    report = restore_video(source, tmp_path / "out.mkv", Enlarger())
    before, after = read_clip(source), read_clip(tmp_path / "out.mkv")
    offsets = {
        round(float(new - old) * 1000)
        for new, old in [
            *zip(after.pts, before.pts, strict=True),
            *((new[0], old[0]) for new, old in zip(after.others[0], before.others[0], strict=True)),
        ]
    }
    assert offsets == {21}
    assert any("all times are 0.021 s later" in note for note in report.notes)


@pytest.mark.parametrize(
    ("codec", "target"),
    [
        *itertools.product(["h264", "h265", "av1"], ["out.mp4", "out.mkv"]),
        ("h264", "out.mov"),
        ("av1", "out.webm"),
        ("ffv1", "out.mkv"),
    ],
)
def test_variable_frame_rate(tmp_path: Path, codec: str, target: str) -> None:
    pts = [0, 40, 50, 90, 190, 191, 400, 433, 466, 500, 900, 1000]
    source = make_clip(
        tmp_path / "in.mkv", frames=12, pts=pts, time_base=Fraction(1, 1000), size=(64, 64)
    )
    restore_video(source, tmp_path / target, Enlarger(), codec=codec)
    assert read_clip(tmp_path / target).pts == [Fraction(time, 1000) for time in pts]


def test_a_late_start_stays_late(tmp_path: Path) -> None:
    pts = list(range(50, 60))
    source = make_clip(tmp_path / "in.mp4", pts=pts, sound="aac")
    restore_video(source, tmp_path / "out.mp4", Enlarger())
    before, after = read_clip(source), read_clip(tmp_path / "out.mp4")
    assert before.pts[0] == 2
    assert after.pts == before.pts
    assert after.others == before.others


def test_a_transport_stream_begins_at_zero(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.ts", pts=range(2500, 2510), sound="aac")
    restore_video(source, tmp_path / "out.mp4", Enlarger())
    before, after = read_clip(source), read_clip(tmp_path / "out.mp4")
    assert before.pts[0] > 99
    assert after.pts[0] < 0.1
    assert [pts - after.pts[0] for pts in after.pts] == [pts - before.pts[0] for pts in before.pts]
    heard = [float(clip.others[0][5][0] - clip.pts[0]) for clip in (before, after)]
    assert heard[0] == pytest.approx(heard[1], abs=1e-4)


@pytest.mark.parametrize(
    "pixel_format",
    [
        "yuv420p",
        "yuv422p",
        "yuv444p",
        "gray",
        "yuv420p10le",
        "yuv422p10le",
        "yuv444p10le",
        "gray10le",
        "yuv420p12le",
        "yuv444p16le",
    ],
)
@pytest.mark.parametrize("size", [(64, 48), (63, 37)])
def test_samples_arrive_as_they_left(
    tmp_path: Path, pixel_format: str, size: tuple[int, int]
) -> None:
    source = make_clip(
        tmp_path / "in.mkv", codec="ffv1", pixel_format=pixel_format, size=size, frames=3
    )
    restore_video(source, tmp_path / "out.mkv", Enlarger(1), codec="ffv1")
    before, after = read_clip(source), read_clip(tmp_path / "out.mkv")
    assert after.video["format"] == pixel_format
    for old, new in zip(before.pictures, after.pictures, strict=True):
        for wanted, got in zip(samples(old), samples(new), strict=True):
            np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize(("pixel_format", "codec"), [
    ("yuv420p10le", "h264"),
    ("yuv422p10le", "h265"),
    ("yuv420p12le", "h265"),
    ("yuv420p10le", "av1"),
    ("yuv444p", "h264"),
    ("gray", "h265"),
])  # fmt: skip
def test_depth_and_chroma_survive_encoding(tmp_path: Path, pixel_format: str, codec: str) -> None:
    source = make_clip(
        tmp_path / "in.mkv", codec="ffv1", pixel_format=pixel_format, size=(64, 64), frames=3
    )
    restore_video(
        source, tmp_path / "out.mp4", Enlarger(), codec=codec, quality=10, pixel_format="keep"
    )
    before, after = read_clip(source), read_clip(tmp_path / "out.mp4")
    assert after.video["format"] == pixel_format
    old, new = samples(before.pictures[1])[0], samples(after.pictures[1])[0]
    peak = 255 if old.dtype == np.uint8 else 1 << int(pixel_format.rstrip("le")[-2:])
    assert abs(new[::2, ::2].astype(float) - old).mean() < peak * 0.02


def test_odd_sizes(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mkv", codec="ffv1", size=(63, 37), frames=3)
    restore_video(source, tmp_path / "out.mp4", Enlarger())
    assert read_clip(tmp_path / "out.mp4").video["size"] == (126, 74)
    with pytest.raises(InputError, match="must be even; use --codec ffv1"):
        restore_video(source, tmp_path / "odd.mp4", Enlarger(1))
    assert not (tmp_path / "odd.mp4").exists()


def _decorate(file: av.container.OutputContainer, stream: Any) -> None:
    file.metadata["title"] = "A title"
    stream.metadata["language"] = "fra"
    stream.metadata["title"] = "The picture"
    titles = ("one", "two")
    file.set_chapters([
        {"id": number + 1, "start": number * 200, "end": number * 200 + 200,
         "time_base": Fraction(1, 1000), "metadata": {"title": title}}
        for number, title in enumerate(titles)
    ])  # fmt: skip
    if hasattr(stream, "set_display_rotation"):  # PyAV 18 and later
        stream.set_display_rotation(90)
    stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
    if file.format.name == "matroska":
        file.add_attachment("letters.ttf", "font/ttf", b"not really a font")


def _chapters(chapters: list[Any]) -> list[tuple[Any, Any, str]]:
    return [
        (item["start"] * item["time_base"], item["end"] * item["time_base"],
         item["metadata"]["title"])
        for item in chapters
    ]  # fmt: skip


@pytest.mark.parametrize(("suffix", "subtitles"), [(".mp4", "mov_text"), (".mkv", "subrip")])
def test_everything_around_the_picture(tmp_path: Path, suffix: str, subtitles: str) -> None:
    source = make_clip(
        tmp_path / f"in{suffix}", sound="aac", subtitles=subtitles, prepare=_decorate
    )
    target = tmp_path / f"out{suffix}"
    report = restore_video(source, target, Enlarger())
    before, after = read_clip(source), read_clip(target)
    assert report.notes == []
    assert after.kinds == before.kinds
    assert after.metadata["title"] == "A title"
    assert after.stream_metadata[0]["language"] == "fra"
    # FFmpeg 8.0, which PyAV 17 holds, writes no stream titles to MP4.
    can_name = suffix == ".mkv" or int(av.__version__.split(".")[0]) >= 18
    named = ["The picture" in clip.stream_metadata[0].values() for clip in (before, after)]
    assert named == [can_name, can_name]
    assert _chapters(after.chapters) == _chapters(before.chapters)
    assert after.video["rotation"] == before.video["rotation"]
    assert after.video["sar"] == Fraction(4, 3)
    assert b"Hello there" in after.others[1][0][1]
    assert after.others[1] == before.others[1]
    if suffix == ".mkv":
        with av.open(str(target)) as file:
            attached: Any = file.streams[3]
            assert attached.data == b"not really a font"
            assert attached.name == "letters.ttf"


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_cover_picture(tmp_path: Path, suffix: str) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=3)
    source, target = tmp_path / "in.mp4", tmp_path / f"out{suffix}"
    with av.open(str(clip)) as old, av.open(str(source), "w") as new:
        video = new.add_stream_from_template(old.streams.video[0], opaque=True)
        cover: Any = new.add_stream("mjpeg", options={})
        cover.width, cover.height, cover.pix_fmt = 32, 32, "yuvj420p"
        cover.disposition = Disposition.attached_pic.value
        new.mux(cover.encode(moving_picture(32, 32, "yuvj420p", 0)))
        for packet in old.demux():
            if packet.dts is not None:
                packet.stream = video
                new.mux(packet)
    report = restore_video(source, target, Enlarger())
    assert (report.frames, report.notes) == (3, [])
    with av.open(str(source)) as old, av.open(str(target)) as new_file:
        covers = [next(iter(file.demux(video=1))) for file in (old, new_file)]
        assert new_file.streams[1].disposition & Disposition.attached_pic
        assert bytes(covers[0]) == bytes(covers[1])
    report = restore_video(source, tmp_path / "out.mov", Enlarger())
    assert report.notes == ["the cover picture is left out: it is not written to .mov"]


def test_a_lost_aspect_ratio_is_told(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", frames=2, size=(64, 64), prepare=_decorate)
    report = restore_video(source, tmp_path / "out.mkv", Enlarger(), codec="ffv1")
    assert any("pixel aspect ratio 4/3 cannot be kept" in note for note in report.notes)


def test_alpha_is_dropped_with_a_note(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mkv", codec="ffv1", pixel_format="yuva420p", frames=2,
                       draw=_opaque)  # fmt: skip
    report = restore_video(source, tmp_path / "out.mp4", Enlarger())
    assert report.notes == ["alpha is dropped: video is restored without transparency"]
    assert read_clip(tmp_path / "out.mp4").video["format"] == "yuv420p"


def _opaque(index: int) -> av.VideoFrame:
    picture = av.VideoFrame(64, 48, "yuva420p")
    for plane in picture.planes:
        plane.update(bytes([100 + index]) * plane.buffer_size)
    return picture
