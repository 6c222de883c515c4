"""Real clips from many sources."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest

from restore_rt.video import restore_video
from restore_rt.video.pixels import layout_of, planes_of
from restore_rt.video.reader import VideoReader
from tests.video.clips import Enlarger, read_clip

pytestmark = pytest.mark.data

CLIPS = {
    "accessibility__multimedia__rabbit320.mp4": 234,
    "big_buck_bunny_432_433.webm": 24,
    "carphone_pristine.mp4": 120,
    "chaplin.mp4": 241,
    "fire2.mp4": 25,
    "foreman_h264.mp4": 60,
    "foreman_hevc.mp4": 60,
    "foreman_vp9.webm": 60,
    "newtonscradle.gif": 36,
    "pigs_in_a_polka.gif": 30,
    "transparent.webm": 150,
    "y4m__park_joy_420_720p50_frm0to9_480x270.y4m": 10,
}


@pytest.mark.parametrize("name", CLIPS)
def test_a_clip_is_read_whole(data_dir: Path, name: str) -> None:
    with VideoReader(data_dir / "test" / "video" / name) as reader:
        frames = [step.frame for step in reader.steps() if step.frame is not None]
        assert len(frames) == CLIPS[name]
        assert reader.total == CLIPS[name]
        assert all(a.pts < b.pts for a, b in pairwise(frames))
        layout = layout_of(frames[0].picture.format)
        if layout.reading != "convert":
            planes = planes_of(frames[0].picture, layout, "left")
            assert planes.y.shape == (reader.height, reader.width)
            assert planes.y.std() > 0


@pytest.mark.parametrize("name", [
    "fire2.mp4", "foreman_vp9.webm", "newtonscradle.gif", "transparent.webm",
    "carphone_pristine.mp4",
])  # fmt: skip
def test_a_clip_passes_through(data_dir: Path, tmp_path: Path, name: str) -> None:
    source = data_dir / "test" / "video" / name
    target = tmp_path / "out.mp4"
    report = restore_video(source, target, Enlarger(1), preset="ultrafast")
    before, after = read_clip(source), read_clip(target)
    assert report.frames == CLIPS[name]
    assert after.pts == before.pts
    assert after.others == before.others
    assert after.video["rotation"] == before.video["rotation"]
    assert after.video["sar"] in (before.video["sar"], before.video["sar"] or Fraction(1))


def test_a_varying_frame_rate_stays_varying(data_dir: Path) -> None:
    pts = read_clip(data_dir / "test" / "video" / "fire2.mp4").pts
    assert len({b - a for a, b in pairwise(pts)}) > 3
