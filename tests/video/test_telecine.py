"""Film whose frames the stream shows for two and three fields in turn."""

from __future__ import annotations

import re
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from restore_rt.video import restore_video
from tests.video.clips import Enlarger, read_clip

pytestmark = pytest.mark.usefixtures("ffmpeg")

FILM = "testsrc2=s=64x48:r=24000/1001:d=1"
# Top field first, and repeat the first field: 3 and 2 fields in turn.
FLAGS = [(1, 1), (0, 0), (0, 1), (1, 0)]


def _ffmpeg(*arguments: object) -> None:
    subprocess.run(["ffmpeg", "-v", "error", *map(str, arguments)], check=True)


def _film(folder: Path, suffix: str, *, flagged: bool) -> Path:
    raw, path = folder / "film.m2v", folder / f"in{suffix}"
    _ffmpeg("-f", "lavfi", "-i", FILM, "-c:v", "mpeg2video", "-bf", 0, raw)
    data = bytearray(raw.read_bytes())
    if flagged:
        for found in re.finditer(b"\0\0\1\xb3", bytes(data)):
            data[found.start() + 7] = data[found.start() + 7] & 0xF0 | 4  # 30000/1001
        pictures = 0
        for found in re.finditer(b"\0\0\1\xb5", bytes(data)):
            place = found.end()
            if data[place] >> 4 == 1:
                data[place + 1] &= ~0x08  # the sequence is not progressive, its frames are
            if data[place] >> 4 == 8:
                first, repeat = FLAGS[pictures % 4]
                data[place + 3] = data[place + 3] & 0x7D | first << 7 | repeat << 1
                pictures += 1
        raw.write_bytes(data)
    _ffmpeg("-fflags", "+genpts", "-i", raw, "-c", "copy", path)
    return path


@pytest.mark.parametrize("suffix", [".mpg", ".ts"])
def test_telecine_by_flags_is_told(tmp_path: Path, suffix: str) -> None:
    source = _film(tmp_path, suffix, flagged=True)
    report = restore_video(source, tmp_path / "out.mkv", Enlarger(), preset="ultrafast")
    told = [note for note in report.notes if "last for three fields" in note]
    assert told[0].startswith("12 of 24 frames")
    steps = [float(b - a) for a, b in pairwise(read_clip(tmp_path / "out.mkv").pts)]
    assert report.frames == 24
    assert sorted({round(step, 2) for step in steps}) == [0.03, 0.05]


@pytest.mark.parametrize("suffix", [".mpg", ".ts"])
def test_film_without_flags(tmp_path: Path, suffix: str) -> None:
    source = _film(tmp_path, suffix, flagged=False)
    report = restore_video(source, tmp_path / "out.mkv", Enlarger(), preset="ultrafast")
    assert not any("three fields" in note for note in report.notes)
