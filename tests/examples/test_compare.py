"""The side-by-side picture, on two tiny clips."""

from __future__ import annotations

import importlib.util
import sys
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

SCRIPT = Path(__file__).parents[2] / "examples" / "compare.py"


@pytest.fixture(scope="module")
def compare() -> ModuleType:
    spec = importlib.util.spec_from_file_location("examples_compare", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # A dataclass looks its module up.
    sys.modules["examples_compare"] = module
    spec.loader.exec_module(module)
    return module


def write_clip(path: Path, width: int, height: int, frames: int = 4) -> Path:
    """Write grey ramps with a bright square; the brightness of the first column tells the frame."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=4, options={"qp": "0"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for index in range(frames):
            grey = np.full((height * 3 // 2, width), 128, np.uint8)
            grey[:height] = np.linspace(40, 160, width).astype(np.uint8)
            grey[: height // 2, : width // 4] = 50 + 40 * index
            if width > 200:
                grey[height // 2 : height // 2 + 8, width // 2 : width // 2 + 8] = 235
            frame = av.VideoFrame.from_ndarray(grey, format="yuv420p")
            frame.pts, frame.time_base = index, Fraction(1, 4)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("clips")
    return write_clip(folder / "a.mp4", 192, 108), write_clip(folder / "b.mp4", 384, 216)


def test_it_writes_a_picture_of_the_promised_size(
    compare: ModuleType, clips: tuple[Path, Path], tmp_path: Path
) -> None:
    out = tmp_path / "compare.png"
    arguments = [*map(str, clips), "-o", str(out), "--rows", "2", "--time", "0.5"]
    assert compare.main(arguments) == 0
    with Image.open(out) as picture:
        assert picture.format == "PNG"
        assert picture.size == (1500, 46 + 2 * (102 * 3 + 12))
    assert list(tmp_path.iterdir()) == [out]


def test_a_time_names_the_frame_on_screen(compare: ModuleType, clips: tuple[Path, Path]) -> None:
    frames = compare.read_frames(clips[0], [0.9, 0.0, 0.25, 0.5])
    levels = [image.convert("L").getpixel((5, 5)) for image in frames]
    expected = [(50 + 40 * i - 16) * 255 / 219 for i in (3, 0, 1, 2)]
    assert levels == pytest.approx(expected, abs=1.5)


def test_the_first_window_holds_what_differs_most(
    compare: ModuleType, clips: tuple[Path, Path]
) -> None:
    (shot,) = compare.load_shots(*clips, [0.0])
    (x, y), *rest = compare.differing(shot, (60, 40), 3)
    assert 192 - 52 <= x <= 192
    assert 108 - 32 <= y <= 108
    assert all(abs(a - x) >= 60 or abs(b - y) >= 40 for a, b in rest)


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--time", "9"], "--time is 9;"),
        (["--time", "-1"], "--time is -1;"),
        (["--crop", "999,0"], "--crop is 999,0; a window of 164x102 fits from 0,0 to 220,114"),
        (["--crop", "word"], "'word' is not two whole numbers as in 120,64"),
        (["--zoom", "5"], "--zoom is 5; allowed are 1, 2, 3, 4 and 6"),
        (["--rows", "0"], "--rows is 0; allowed are 1 to 12"),
        (["-o", "out.jpg"], "out.jpg is not named .png"),
        (["-o", "no/such/folder/a.png"], "does not exist; create it first"),
    ],
)
def test_wrong_arguments_are_told_in_one_line(
    compare: ModuleType,
    clips: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    extra: list[str],
    message: str,
) -> None:
    with pytest.raises(SystemExit) as caught:
        compare.main([*map(str, clips), "-o", str(tmp_path / "a.png"), *extra])
    assert caught.value.code == 2
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_clips_that_do_not_belong_together_are_refused(
    compare: ModuleType,
    clips: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"not a video")
    for pair in ((clips[1], clips[0]), (bad, clips[1]), (tmp_path / "none.mp4", clips[1])):
        with pytest.raises(SystemExit) as caught:
            compare.main([*map(str, pair), "-o", str(tmp_path / "a.png")])
        assert caught.value.code == 2
        assert capsys.readouterr().err.count("\n") == 1
