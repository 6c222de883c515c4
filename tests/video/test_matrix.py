"""Clips of many kinds, made by ffmpeg and judged by ffprobe: nothing is lost, all is in time."""

from __future__ import annotations

import functools
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from restore_rt.video import restore_video
from tests.video.clips import Enlarger

pytestmark = pytest.mark.usefixtures("ffmpeg")

PARTS = {
    "source": "-f lavfi -i testsrc2=s",
    "picture": "-f lavfi -i testsrc2=s=64x48:r=25:d=1",
    "sound": "-f lavfi -i sine=f=440:r=48000:d=1",
    "pal": "-f lavfi -i testsrc2=s=720x576:r=25:d=0.4",
    "all": "-map 0 -map 1 -map 2",
    "woven": "-vf tinterlace=interleave_top -flags +ilme+ildct",
    "fragments": "-movflags frag_keyframe+empty_moov -g 5",
    "bt709": "-colorspace bt709 -color_trc bt709 -color_primaries bt709",
    "bt2100": "colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc",
    "x265": "-x265-params log-level=none",
    "some": r"-vf select=not(mod(n\,3))+not(mod(n\,7)) -vsync vfr",
}
CLIPS = {
    "h264.mp4": "{picture} {sound} -c:v libx264 -c:a aac",
    "h264_b.mkv": "{picture} {sound} -c:v libx264 -bf 3 -c:a aac",
    "h264_422.mov": "{picture} {sound} -c:v libx264 -pix_fmt yuv422p -c:a alac",
    "h264_10.mkv": "{picture} -c:v libx264 -pix_fmt yuv420p10le",
    "h264.ts": "{picture} {sound} -c:v libx264 -c:a aac",
    "h264_ac3.ts": "{picture} {sound} -c:v libx264 -c:a ac3",
    "h264.flv": "{picture} {sound} -c:v libx264 -c:a aac",
    "h264.avi": "{picture} {sound} -c:v libx264 -bf 0 -c:a mp3",
    "h264_b.avi": "{picture} {sound} -c:v libx264 -bf 2 -c:a mp3",
    "mpeg4.avi": "{picture} {sound} -c:v mpeg4 -bf 2 -c:a mp3",
    "mpeg4.mp4": "{picture} {sound} -c:v mpeg4 -bf 2 -c:a aac",
    "mpeg2.mpg": "{picture} {sound} -c:v mpeg2video -bf 2 -c:a mp2",
    "mpeg2.vob": "{picture} {sound} -c:v mpeg2video -bf 2 -c:a ac3",
    "mpeg2.ts": "{picture} {sound} -c:v mpeg2video -bf 2 -c:a mp2",
    "mpeg1.mpg": "{picture} {sound} -c:v mpeg1video -bf 2 -c:a mp2",
    "hevc.mp4": "{picture} {sound} -c:v libx265 {x265} -c:a aac",
    "hevc.mkv": "{picture} {sound} -c:v libx265 {x265} -pix_fmt yuv420p10le -c:a flac",
    "vp8.webm": "{picture} {sound} -c:v libvpx -c:a libvorbis",
    "vp9.webm": "{picture} {sound} -c:v libvpx-vp9 -c:a libopus",
    "vp9_444.mkv": "{picture} -c:v libvpx-vp9 -pix_fmt yuv444p",
    "av1.mp4": "{picture} {sound} -c:v libaom-av1 -cpu-used 8 -c:a aac",
    "mjpeg.avi": "{picture} {sound} -c:v mjpeg -pix_fmt yuvj420p -c:a pcm_s16le",
    "mjpeg.mov": "{picture} {sound} -c:v mjpeg -pix_fmt yuvj422p -c:a pcm_s16le",
    "prores.mov": "{picture} {sound} -c:v prores_ks -c:a pcm_s24le",
    "dnxhd.mov": "{source}=1280x720:r=25:d=0.2 -c:v dnxhd -b:v 60M -pix_fmt yuv422p",
    "ffv1.mkv": "{picture} {sound} -c:v ffv1 -c:a flac",
    "huffyuv.avi": "{picture} {sound} -c:v huffyuv -c:a pcm_s16le",
    "raw.avi": "{picture} -c:v rawvideo -pix_fmt yuv420p",
    "raw.y4m": "{picture} -pix_fmt yuv420p",
    "gif.gif": "{picture}",
    "theora.ogv": "{picture} {sound} -c:v libtheora -c:a libvorbis",
    "wmv2.wmv": "{picture} {sound} -c:v wmv2 -c:a wmav2",
    "wmv1.asf": "{picture} {sound} -c:v wmv1 -c:a wmav2",
    "flv1.flv": "{picture} {sound} -c:v flv1 -ar 44100 -c:a mp3",
    "h263.3gp": "{source}=176x144:r=25:d=1 -c:v h263",
    "dv.avi": "{pal} {sound} -t 0.4 -c:v dvvideo -pix_fmt yuv420p -c:a pcm_s16le",
    "ntsc.mp4": "{source}=64x48:r=30000/1001:d=1 {sound} -c:v libx264 -c:a aac",
    "film.mkv": "{source}=64x48:r=24000/1001:d=1 -c:v libx264",
    "fps60.mp4": "{source}=64x48:r=60:d=1 {sound} -c:v libx264 -c:a aac",
    "fps1.mp4": "{source}=64x48:r=1:d=5 -c:v libx264",
    "vfr.mkv": "{picture} {sound} {some} -c:v libx264 -c:a aac",
    "vfr.mp4": "{picture} {sound} {some} -c:v libx264 -c:a aac",
    "late_sound.mkv": "{picture} -itsoffset 0.4 {sound} -c:v libx264 -c:a aac",
    "late_sound.mp4": "{picture} -itsoffset 0.4 {sound} -c:v libx264 -c:a aac",
    "late_picture.mkv": "-itsoffset 0.4 {picture} {sound} -c:v libx264 -c:a aac",
    "late_picture.mp4": "-itsoffset 0.4 {picture} {sound} -c:v libx264 -c:a aac",
    "rotated.mp4": "{picture} -c:v libx264 -metadata:s:v rotate=90",
    "odd.mkv": "{source}=63x47:r=25:d=1 -c:v ffv1 -pix_fmt yuv420p",
    "two_sounds.mkv": "{picture} {sound} {sound} {all} -c:v libx264 -c:a:0 aac -c:a:1 flac",
    "two_sounds.mp4": "{picture} {sound} {sound} {all} -c:v libx264 -c:a aac",
    "sar.mkv": "{picture} -vf setsar=4/3 -c:v libx264",
    "full.mp4": "{picture} -c:v libx264 -color_range pc {bt709}",
    "hdr.mkv": "{picture} -c:v libx265 {x265}:{bt2100} -pix_fmt yuv420p10le",
    "interlaced.ts": "{picture} {woven} -c:v libx264 -x264opts tff=1",
    "interlaced.mpg": "{picture} {woven} -c:v mpeg2video",
    "fragmented.mp4": "{picture} {sound} -c:v libx264 -c:a aac {fragments}",
    "open_gop.ts": "{picture} -c:v libx264 -x264opts open-gop=1:keyint=8",
    "gray.mkv": "{picture} -c:v ffv1 -pix_fmt gray",
    "rgb.mkv": "{picture} -c:v ffv1 -pix_fmt bgr0",
    "alpha.mov": "{picture} -c:v qtrle -pix_fmt argb",
    "png.mov": "{picture} -c:v png",
    "mpegts_mp3.ts": "{picture} {sound} -c:v libx264 -c:a mp3",
    "opus.ts": "{picture} {sound} -c:v libx264 -c:a libopus",
    "dts.mkv": "{picture} {sound} -c:v libx264 -strict -2 -ac 2 -c:a dca",
    "surround.mkv": "{picture} {sound} -c:v libx264 -ac 6 -c:a ac3",
    "aac_8khz.3gp": "{source}=176x144:r=25:d=1 {sound} -c:v h263 -ar 8000 -ac 1 -c:a aac",
    "nut.nut": "{picture} {sound} -c:v libx264 -c:a flac",
    "mxf.mxf": "{pal} {sound} -t 0.4 -c:v mpeg2video -pix_fmt yuv422p -b:v 30M -c:a pcm_s16le",
    "h264.h264": "{picture} -c:v libx264",
    "ivf.ivf": "{picture} -c:v libvpx-vp9",
}
# What `make test` tries.
ALWAYS = ("h264.mp4", "mpeg4.avi", "vp9.webm", "mpeg2.ts", "interlaced.mpg", "late_sound.mkv")
# What ffprobe says of the picture; an interlaced clip is a progressive one afterwards.
TAGS = (
    *("color_range", "color_space", "color_transfer", "color_primaries", "chroma_location"),
    "sample_aspect_ratio",
)
UNKNOWN = (None, "unknown", "unspecified", "0/0", "0:1", "N/A")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function that makes a clip once."""
    folder = tmp_path_factory.mktemp("clips")

    @functools.cache
    def make(name: str) -> Path:
        path = folder / name
        arguments = CLIPS[name].format(**PARTS).split()
        subprocess.run(["ffmpeg", "-v", "error", "-y", *arguments, str(path)], check=True)
        return path

    return make


def _probe(path: Path) -> dict[str, Any]:
    entries = "frame=stream_index,media_type,best_effort_timestamp_time,pkt_dts_time:stream"
    said = subprocess.run(
        ["ffprobe", "-v", "error", "-show_entries", entries, "-of", "json", str(path)],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(said.stdout)
    return found


def _times(probed: dict[str, Any], kind: str) -> list[float]:
    frames = [frame for frame in probed["frames"] if frame["media_type"] == kind]
    names = ("best_effort_timestamp_time", "pkt_dts_time")
    given = [next((frame[name] for name in names if name in frame), None) for frame in frames]
    return [float("nan") if time is None else float(time) for time in given]


def _streams(probed: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [stream for stream in probed["streams"] if stream["codec_type"] == kind]


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in ALWAYS else [pytest.mark.long])
        for name in sorted(CLIPS)
    ],
)
def test_a_clip(tmp_path: Path, made: Callable[[str], Path], name: str, suffix: str) -> None:
    source, target = made(name), tmp_path / f"out{suffix}"
    report = restore_video(source, target, Enlarger(), preset="ultrafast")
    before, after = _probe(source), _probe(target)
    _same_pictures(before, after, timed=not name.endswith(".h264"))
    _same_sound(before, after, report.notes)
    (picture,) = _streams(after, "video")
    for tag in TAGS:
        was = _streams(before, "video")[0].get(tag)
        told = any("colour matrix" in note or "matrix, limited" in note for note in report.notes)
        if was in UNKNOWN or (tag.startswith("c") and told):
            continue
        if tag == "chroma_location" and not picture["pix_fmt"].startswith("yuv420"):
            continue  # H.264 tells it of 4:2:0 alone
        # Limited range is what is meant where nothing is said.
        assert picture.get(tag) in ((was, None) if was == "tv" else (was,)), tag


def _same_pictures(before: dict[str, Any], after: dict[str, Any], *, timed: bool) -> None:
    wanted, got = _times(before, "video"), _times(after, "video")
    assert len(got) == len(wanted) > 0
    if timed:
        # Matroska's tick is a millisecond.
        apart = [abs((a - got[0]) - (b - wanted[0])) for a, b in zip(got, wanted, strict=True)]
        assert max(apart) <= 0.0011


def _same_sound(before: dict[str, Any], after: dict[str, Any], notes: list[str]) -> None:
    kinds = [len(_streams(probed, "audio")) for probed in (before, after)]
    assert kinds[0] == kinds[1]
    if not kinds[0]:
        return
    offsets = [_times(each, "audio")[0] - _times(each, "video")[0] for each in (before, after)]
    # ffprobe does not know that the beginning is the encoder's delay, which is not heard.
    later = re.search(r"all times are ([0-9.]+) s later", " ".join(notes))
    delay = float(later[1]) if later else 0.0
    assert offsets[1] + delay == pytest.approx(offsets[0], abs=0.005)
