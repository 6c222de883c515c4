"""Interlaced clips: combs are not sharpened."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from restore_rt.errors import InputError
from restore_rt.video import restore_video
from tests.video.clips import Enlarger, make_clip, read_clip, samples

WIDTH, HEIGHT = 96, 64
DEINTERLACED = "the clip is interlaced; pictures were made of its fields by bwdif"
WOVEN = "the clip is interlaced, and its fields are left woven"


def _woven(index: int) -> av.VideoFrame:
    """A white bar that moves four pixels from field to field, the upper field first."""
    luma = np.full((HEIGHT, WIDTH), 16, np.uint8)
    for field in (0, 1):
        left = 8 * index + 4 * field
        luma[field::2, left : left + 12] = 235
    chroma = np.full((HEIGHT // 2, WIDTH), 128, np.uint8)
    picture = np.concatenate([luma, chroma])
    return av.VideoFrame.from_ndarray(picture, format="yuv420p")


def _combs(picture: av.VideoFrame) -> float:
    """Return how much more neighbouring rows differ than every other one."""
    luma = samples(picture)[0][::2, ::2].astype(float)
    return float(np.abs(luma[1:] - luma[:-1]).mean() - np.abs(luma[2:] - luma[:-2]).mean())


def _clip(path: Path, *, flagged: bool = True, **options: Any) -> Path:
    params = {"x264-params": "tff=1"} if flagged else {}
    return make_clip(
        path, size=(WIDTH, HEIGHT), draw=_woven, options={"qp": "4", **params}, **options
    )


@pytest.mark.parametrize(
    ("mode", "flagged", "combed", "number"),
    [
        ("auto", True, False, 10),
        ("auto", False, True, 10),
        ("off", True, True, 10),
        ("frame", False, False, 10),
        ("field", True, False, 20),
    ],
)
def test_combs(tmp_path: Path, mode: Any, number: int, *, flagged: bool, combed: bool) -> None:
    source = _clip(tmp_path / "in.mp4", flagged=flagged)
    report = restore_video(source, tmp_path / "out.mkv", Enlarger(), codec="ffv1", deinterlace=mode)
    after = read_clip(tmp_path / "out.mkv")
    assert len(after.pictures) == report.frames == number
    seen = [_combs(picture) for picture in after.pictures[2:-2]]
    assert (min(seen) > 5) if combed else (max(seen) < 1)
    gaps = [round(float(b - a), 3) for a, b in pairwise(after.pts)]
    assert gaps == [0.4 / number] * (number - 1)
    told = DEINTERLACED if not combed else WOVEN if flagged else None
    assert report.notes == ([told] if told else [])
    assert not any(picture.interlaced_frame for picture in after.pictures) or mode == "off"


def test_it_begins_where_the_stream_says_so(tmp_path: Path) -> None:
    """A progressive part, as of a title, before the interlaced one."""
    joined = tmp_path / "in.ts"
    with joined.open("wb") as file:
        for number, flagged in enumerate((False, True)):
            pts = range(10 * number, 10 * number + 10)
            part = _clip(tmp_path / f"{number}.ts", flagged=flagged, pts=pts)
            file.write(part.read_bytes())
    report = restore_video(joined, tmp_path / "out.mkv", Enlarger(), codec="ffv1")
    after = read_clip(tmp_path / "out.mkv")
    assert report.frames == 20
    assert min(_combs(picture) for picture in after.pictures[2:8]) > 5
    assert max(_combs(picture) for picture in after.pictures[12:18]) < 1
    assert after.pts == sorted(set(after.pts))


def test_times_that_vary_stay(tmp_path: Path) -> None:
    pts = [0, 3, 4, 9, 10, 11, 20, 21, 25, 26]
    source = _clip(tmp_path / "in.mkv", pts=pts, time_base=Fraction(1, 50))
    before = read_clip(source)
    restore_video(source, tmp_path / "out.mkv", Enlarger())
    assert read_clip(tmp_path / "out.mkv").pts == before.pts


def test_a_wrong_choice(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4")
    wrong: Any = "bob"
    with pytest.raises(InputError, match="deinterlace is 'bob'; allowed are auto, off, frame, fie"):
        restore_video(source, tmp_path / "out.mp4", Enlarger(), deinterlace=wrong)
