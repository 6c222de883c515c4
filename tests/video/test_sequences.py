"""Numbered pictures as a clip, and clips as numbered pictures."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from restore_rt.errors import InputError, MediaError
from restore_rt.images import format_of, read_picture, write_picture
from restore_rt.images.picture import Picture
from restore_rt.video import TruncatedVideoError, restore_video
from restore_rt.video.sequences import is_pattern
from tests.video.clips import Enlarger, make_clip, read_clip


def _pixels(number: int, dtype: Any = np.uint8, channels: int = 3) -> NDArray[Any]:
    top = np.iinfo(dtype).max
    ramp = np.arange(24 * 32 * channels).reshape(24, 32, channels) * 3 + number * 7
    return (ramp % 200 * (top // 255) + 20).astype(dtype)


def _write(
    folder: Path,
    numbers: Any = range(1, 6),
    name: str = "{:05d}.png",
    dtype: Any = np.uint8,
    channels: int = 3,
) -> Path:
    folder.mkdir(exist_ok=True)
    for number in numbers:
        path = folder / name.format(number)
        picture = Picture(_pixels(number, dtype, channels))
        write_picture(path, picture, format_of(path), overwrite=True)
    return folder


def _rgb(path: Path) -> list[NDArray[Any]]:
    return [picture.to_ndarray(format="rgb24").astype(int) for picture in read_clip(path).pictures]


@pytest.mark.parametrize("name", ["{:05d}.png", "a_{}.png", "{:03d}.tiff", "x{:02d}y.jpg"])
@pytest.mark.parametrize("first", [0, 1, 98])
def test_pictures_become_a_clip(tmp_path: Path, name: str, first: int) -> None:
    numbers = range(first, first + 5)
    folder = _write(tmp_path / "in", numbers, name)
    (folder / "other.png").write_bytes(b"no number")
    pattern = name.replace("{}", "%d").replace("{:", "%").replace("}", "")
    report = restore_video(
        folder / pattern, tmp_path / "out.mkv", Enlarger(), codec="ffv1", fps="24000/1001"
    )
    after = read_clip(tmp_path / "out.mkv")
    assert report.frames == len(after.pts) == 5
    wanted = [number * 1001 / 24 for number in range(5)]
    assert [float(time) * 1000 for time in after.pts] == pytest.approx(wanted, abs=0.51)
    for number, got in zip(numbers, _rgb(tmp_path / "out.mkv"), strict=True):
        source = read_picture(folder / name.format(number)).pixels
        assert np.abs(got[::2, ::2] - source).max() <= 4
    assert not any("have no rate" in note for note in report.notes)


def test_times_are_exact_where_the_container_can_say_them(tmp_path: Path) -> None:
    folder = _write(tmp_path / "in", range(30))
    restore_video(folder / "%05d.png", tmp_path / "out.mp4", Enlarger(), fps="30000/1001")
    pts = read_clip(tmp_path / "out.mp4").pts
    assert pts == [number * Fraction(1001, 30000) for number in range(30)]


def test_a_rate_is_assumed_with_a_note(tmp_path: Path) -> None:
    folder = _write(tmp_path / "in")
    report = restore_video(folder / "%05d.png", tmp_path / "out.mp4", Enlarger())
    assert "numbered pictures have no rate; 25 a second are assumed" in report.notes[0]
    assert read_clip(tmp_path / "out.mp4").pts[1] == Fraction(1, 25)


@pytest.mark.parametrize("suffix", [".png", ".tiff", ".jpg", ".webp"])
def test_a_clip_becomes_pictures(tmp_path: Path, suffix: str) -> None:
    source = make_clip(tmp_path / "in.mkv", codec="ffv1", pixel_format="yuv444p", frames=4)
    report = restore_video(source, tmp_path / "new" / f"a%03d{suffix}", Enlarger())
    names = sorted(path.name for path in (tmp_path / "new").iterdir())
    assert names == [f"a{number:03d}{suffix}" for number in range(1, 5)]
    assert (report.frames, report.width, report.height) == (4, 128, 96)
    for number, wanted in enumerate(_rgb(source), 1):
        got = read_picture(tmp_path / "new" / f"a{number:03d}{suffix}").pixels.astype(int)
        assert np.abs(got[::2, ::2] - wanted).mean() < (6 if suffix == ".jpg" else 2)


@pytest.mark.parametrize(
    ("suffix", "bits", "note"),
    [(".png", 16, ""), (".tiff", 16, ""), (".jpg", 8, "samples of 10 bits were reduced to 8")],
)
def test_a_deep_clip_becomes_deep_pictures(
    tmp_path: Path, suffix: str, bits: int, note: str
) -> None:
    source = make_clip(tmp_path / "in.mkv", codec="ffv1", pixel_format="yuv420p10le", frames=2)
    report = restore_video(source, tmp_path / f"%d{suffix}", Enlarger())
    assert report.notes == ([note] if note else [])
    assert read_picture(tmp_path / f"1{suffix}").bits == bits


@pytest.mark.parametrize(("dtype", "channels"), [
    (np.uint8, 3), (np.uint8, 4), (np.uint16, 3), (np.uint16, 4), (np.uint8, 1),
])  # fmt: skip
def test_pictures_stay_what_they_are(tmp_path: Path, dtype: Any, channels: int) -> None:
    folder = _write(tmp_path / "in", [7, 9, 1000], dtype=dtype, channels=channels)
    report = restore_video(folder / "%05d.png", tmp_path / "out" / "n%02d.tiff", Enlarger())
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["n07.tiff", "n09.tiff", "n1000.tiff"]
    for number in (7, 9, 1000):
        got = read_picture(tmp_path / "out" / f"n{number:02d}.tiff").pixels
        wanted = _pixels(number, dtype, channels).repeat(2, axis=0).repeat(2, axis=1)
        np.testing.assert_array_equal(got.reshape(wanted.shape), wanted)
    (note,) = report.notes
    assert note == "numbers that have no picture: 991 (8, 10 to 999)"


def test_a_gap_is_told(tmp_path: Path) -> None:
    folder = _write(tmp_path / "in", [1, 2, 4, 8, 9])
    report = restore_video(folder / "%05d.png", tmp_path / "out.mp4", Enlarger(), fps=25)
    assert report.frames == 5
    assert report.notes[0] == (
        "numbers that have no picture: 4 (3, 5 to 7); the pictures follow each other without a "
        "pause"
    )


def test_pictures_of_other_sizes(tmp_path: Path) -> None:
    folder = _write(tmp_path / "in")
    Image.new("RGB", (10, 12)).save(folder / "00004.png")
    with pytest.raises(TruncatedVideoError, match=r"00004\.png has 10x12 pixels .* 32x24") as error:
        restore_video(folder / "%05d.png", tmp_path / "out.mp4", Enlarger(), fps=25)
    assert error.value.report.frames == len(read_clip(tmp_path / "out.mp4").pts) == 3
    report = restore_video(folder / "%05d.png", tmp_path / "out" / "%05d.png", Enlarger())
    assert report.frames == 5
    assert read_picture(tmp_path / "out" / "00004.png").pixels.shape == (24, 20, 3)


def test_a_damaged_picture(tmp_path: Path) -> None:
    folder = _write(tmp_path / "in")
    (folder / "00003.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    with pytest.raises(TruncatedVideoError, match=r"00003\.png .*; 2 frames came before") as error:
        restore_video(folder / "%05d.png", tmp_path / "out.mp4", Enlarger(), fps=25)
    assert error.value.report.frames == 2
    with pytest.raises(TruncatedVideoError, match=r"1 of 5 pictures could not be read, .*00003"):
        restore_video(folder / "%05d.png", tmp_path / "out" / "%d.png", Enlarger())
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        f"{number}.png" for number in (1, 2, 4, 5)
    ]


def test_pictures_of_mixed_kinds(tmp_path: Path) -> None:
    """As programs write them that choose the smallest kind for each picture."""
    folder = _write(tmp_path / "in", [1])
    Image.fromarray(_pixels(2)[..., 0]).save(folder / "00002.png")
    Image.fromarray(_pixels(3)).quantize(256).save(folder / "00003.png")
    (folder / "00004.png").write_bytes(imagecodecs.png_encode(_pixels(4, np.uint16)))
    Image.fromarray(_pixels(5, channels=4)).save(folder / "00005.png")
    report = restore_video(
        folder / "%05d.png", tmp_path / "out.mkv", Enlarger(), codec="ffv1", fps=25
    )
    assert report.frames == 5
    assert "1 pictures lose precision: the first picture has 8 bits" in report.notes
    assert "1 pictures lose their transparency, which the first picture has not" in report.notes
    got = _rgb(tmp_path / "out.mkv")
    assert np.abs(got[1][::2, ::2] - _pixels(2)[..., :1]).max() <= 4
    assert np.abs(got[3][::2, ::2] - _pixels(4, np.uint16) / 257).max() <= 4


def test_pictures_become_an_animation_with_transparency(tmp_path: Path) -> None:
    folder = _write(tmp_path / "in", channels=4)
    restore_video(folder / "%05d.png", tmp_path / "out.webp", Enlarger(), fps=10)
    with Image.open(tmp_path / "out.webp") as file:
        moving: Any = file
        for number in range(1, 6):
            moving.seek(number - 1)
            wanted = _pixels(number, channels=4).repeat(2, axis=0).repeat(2, axis=1)
            np.testing.assert_array_equal(np.asarray(moving.convert("RGBA")), wanted)
            assert moving.info["duration"] == 100


def test_files_that_exist(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", frames=3)
    folder = _write(tmp_path / "out", [2, 700])
    with pytest.raises(InputError, match=r"00002\.png exists and 1 more, which fits the pattern"):
        restore_video(source, folder / "%05d.png", Enlarger())
    assert len(list(folder.iterdir())) == 2
    restore_video(source, folder / "%05d.png", Enlarger(), overwrite=True)
    assert len(list(folder.iterdir())) == 4


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("in/%05d.png", {"fps": "0"}, "fps is '0'; allowed are numbers above 0 and up to 1000"),
        ("in/%05d.png", {"fps": "fast"}, "fps is 'fast'; allowed"),
        ("in/%05d.png", {"codec": "h266"}, "codec is 'h266'; allowed"),
        ("in.mp4", {"fps": 24}, "fps is 24, but .*in.mp4 has times of its own; leave it out"),
    ],
)
def test_wrong_choices(tmp_path: Path, source: str, options: Any, message: str) -> None:
    _write(tmp_path / "in")
    make_clip(tmp_path / "in.mp4", frames=2)
    with pytest.raises(InputError, match=message):
        restore_video(tmp_path / source, tmp_path / "out.mp4", Enlarger(), **options)
    assert not (tmp_path / "out.mp4").exists()


@pytest.mark.parametrize("target", ["out.mp4", "out/%d.png", "out.gif"])
def test_no_picture_fits(tmp_path: Path, target: str) -> None:
    folder = _write(tmp_path / "in")
    for name in ("%04d.png", "%d.png", "a%05d.png"):
        with pytest.raises(MediaError, match="fits the pattern" if name != "%04d.png" else "fits"):
            restore_video(folder / name.replace("%04d", "%06d"), tmp_path / target, Enlarger())
    with pytest.raises(MediaError, match=r"cannot read the folder .*none: No such file"):
        restore_video(tmp_path / "none" / "%d.png", tmp_path / target, Enlarger())


def test_what_is_a_pattern(tmp_path: Path) -> None:
    assert all(is_pattern(Path(name)) for name in ("%d.png", "a/b%05dc.tif", "%03d.JPG"))
    assert not any(is_pattern(Path(name)) for name in ("a.png", "%d.mp4", "%s.png"))
    assert is_pattern(Path("50% of %d.png"))
    with pytest.raises(InputError, match=r"%d%d\.png has 2 numbers; give one"):
        is_pattern(Path("%d%d.png"))
    (tmp_path / "100%d.png").write_bytes(b"")
    assert not is_pattern(tmp_path / "100%d.png")
