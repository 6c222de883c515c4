"""The side-by-side picture, of two tiny clips."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

SCRIPT = Path(__file__).parents[2] / "examples" / "compare.py"


def write_clip(path: Path, width: int, height: int, square: tuple[int, int] | None = None) -> Path:
    """Write four grey frames, each brighter than the one before, with a white square at x, y."""
    with av.open(path, "w") as container:
        stream: Any = container.add_stream("libx264", rate=4, options={"qp": "0"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for index in range(4):
            planes = np.full((height * 3 // 2, width), 128, np.uint8)
            planes[:height] = 50 + 40 * index
            if square is not None:
                x, y = square
                planes[y : y + 8, x : x + 8] = 235
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts, frame.time_base = index, Fraction(1, 4)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def compare(*arguments: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, arguments)], capture_output=True, text=True
    )


def test_its_rows_show_three_frames_where_they_differ_most(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "a.mp4", 256, 144)
    ours = write_clip(tmp_path / "b.mp4", 512, 288, (400, 32))
    done = compare(source, ours, tmp_path / "c.png")
    assert (done.returncode, done.stderr) == (0, "")
    with Image.open(tmp_path / "c.png") as picture:
        assert picture.size == (1500, 46 + 3 * 316)
        grey = np.asarray(picture.convert("L"))
    bicubic, restored = grey[:, 504:996], grey[:, 1008:]
    for row in range(3):
        top = 46 + row * 316
        expected = (50 + 40 * (row + 1) - 16) * 255 / 219
        assert np.median(bicubic[top : top + 304]) == pytest.approx(expected, abs=2)
        # The square, eight pixels wide and twice as large here, but for what its edges blur.
        assert (restored[top : top + 304] > 250).sum() == pytest.approx(256, abs=64)


def test_clips_that_do_not_belong_together_are_refused_in_one_line(tmp_path: Path) -> None:
    small, large = (
        write_clip(tmp_path / "a.mp4", 256, 144),
        write_clip(tmp_path / "b.mp4", 512, 288),
    )
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"not a video")
    for pair in ((large, small), (bad, large), (tmp_path / "none.mp4", large)):
        done = compare(*pair, tmp_path / "c.png")
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1, done.stderr
    assert not (tmp_path / "c.png").exists()
