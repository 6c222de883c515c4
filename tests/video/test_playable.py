"""What is written to .mp4 and .webm plays in browsers, on phones and on televisions."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from restore_rt.errors import InputError
from restore_rt.video import restore_video
from tests.video.clips import Enlarger, make_clip, read_clip, samples

PQ = (1, 9, 16, 9)


@pytest.mark.parametrize(
    ("pixel_format", "target", "options", "written"),
    [
        ("yuv444p", "out.mp4", {}, "yuv420p"),
        ("yuv422p10le", "out.mp4", {}, "yuv420p"),
        ("yuv420p10le", "out.mp4", {"codec": "h265"}, "yuv420p"),
        ("gray", "out.mp4", {}, "yuv420p"),
        ("yuv444p", "out.webm", {}, "yuv420p"),
        ("yuv420p", "out.mp4", {}, "yuv420p"),
        ("yuv444p", "out.mkv", {}, "yuv444p"),
        ("yuv422p10le", "out.mov", {}, "yuv422p10le"),
        ("yuv444p12le", "out.mov", {}, "yuv444p10le"),
        ("yuv422p12le", "out.mkv", {"codec": "h265"}, "yuv422p12le"),
        ("yuv444p", "out.mp4", {"codec": "ffv1"}, "yuv444p"),
        ("yuv444p", "out.mp4", {"pixel_format": "keep"}, "yuv444p"),
        ("yuv420p10le", "out.mp4", {"bit_depth": 10}, "yuv420p10le"),
        ("yuv420p", "out.mkv", {"pixel_format": "yuv444p10"}, "yuv444p10le"),
        ("yuv422p10le", "out.mkv", {"bit_depth": 8}, "yuv422p"),
        ("yuv444p", "out.mkv", {"pixel_format": "yuv422p", "bit_depth": 10}, "yuv422p10le"),
    ],
)
@pytest.mark.parametrize("colour", ["luma", "rgb"])
def test_pixel_formats(
    tmp_path: Path, pixel_format: str, target: str, options: Any, written: str, colour: str
) -> None:
    source = make_clip(
        tmp_path / "in.mkv", codec="ffv1", pixel_format=pixel_format, size=(64, 64), frames=3
    )
    fast: dict[str, Any] = {"preset": "ultrafast", "quality": 4}
    if target.endswith("webm"):
        fast = {"preset": "12"}
    elif options.get("codec") == "ffv1":
        fast = {}
    report = restore_video(source, tmp_path / target, Enlarger(colour=colour), **fast, **options)
    after = read_clip(tmp_path / target)
    assert after.video["format"] == written
    told = f"{pixel_format} is written as {written}; --pixel-format keep keeps it"
    assert report.notes == ([] if pixel_format == written else [told])
    before = read_clip(source)
    if colour == "rgb":
        return  # the clip has colours that RGB does not have
    for old, new in zip(samples(before.pictures[1]), samples(after.pictures[1]), strict=False):
        wanted, got = old.mean() / _peak(pixel_format), new.mean() / _peak(written)
        assert got == pytest.approx(wanted, abs=0.01)


def _peak(pixel_format: str) -> int:
    depth = pixel_format.removesuffix("le").partition("p")[2]
    return (1 << int(depth or 8)) - 1


def test_hdr_stays_hdr(tmp_path: Path) -> None:
    source = make_clip(
        tmp_path / "in.mkv", codec="ffv1", pixel_format="yuv422p12le", size=(64, 64), tags=PQ
    )
    restore_video(source, tmp_path / "out.mp4", Enlarger(), codec="h265")
    after = read_clip(tmp_path / "out.mp4")
    assert after.video["format"] == "yuv420p10le"
    assert after.video["tags"][1:] == PQ[1:]


@pytest.mark.parametrize("target", ["out.mp4", "out.webm", "out.mkv"])
@pytest.mark.parametrize("name", ["in.gif", "in.png", "in.webp"])
def test_an_animation(tmp_path: Path, name: str, target: str) -> None:
    pictures = [Image.new("RGB", (32, 24), (40 * number, 90, 30)) for number in range(4)]
    source = tmp_path / name
    lossless: dict[str, Any] = {"lossless": True} if name.endswith("webp") else {}
    pictures[0].save(
        source, save_all=True, append_images=pictures[1:], duration=[100, 200, 300, 400], **lossless
    )
    preset = "12" if target.endswith("webm") else None
    restore_video(source, tmp_path / target, Enlarger(), preset=preset)
    after = read_clip(tmp_path / target)
    assert after.video["format"] == ("yuv444p" if target.endswith("mkv") else "yuv420p")
    assert [round(float(time), 2) for time in after.pts] == [0, 0.1, 0.3, 0.6]
    with av.open(str(tmp_path / target)) as file:
        assert file.duration is not None
        assert file.duration / 1e6 == pytest.approx(1.0, abs=0.01)
        stream = file.streams.video[0]
        if target.endswith("mp4"):
            assert (stream.duration or 0) * (stream.time_base or Fraction(0)) == 1
    shade = np.asarray(after.pictures[3].to_ndarray(format="rgb24")[4, 4], int)
    assert np.abs(shade - (120, 90, 30)).max() <= 6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pixel_format": "rgb24"}, "pixel_format is 'rgb24'; allowed are auto, keep, gray, yuv42"),
        ({"pixel_format": "yuv420p11"}, "pixel_format is 'yuv420p11'; allowed"),
        ({"bit_depth": 11}, "bit_depth is 11; allowed are 8, 9, 10, 12, 14, 16"),
        ({"bit_depth": 12}, "h264 cannot hold yuv420p12le; use --codec h265 or ffv1"),
    ],
)
def test_wrong_choices(tmp_path: Path, options: Any, message: str) -> None:
    source = make_clip(tmp_path / "in.mp4")
    with pytest.raises(InputError, match=message):
        restore_video(source, tmp_path / "out.mp4", Enlarger(), **options)
