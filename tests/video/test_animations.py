"""GIF, animated PNG and animated WebP as results: times, loops, transparency and colours."""

from __future__ import annotations

import subprocess
import weakref
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from restore_rt.errors import InputError
from restore_rt.video import TruncatedVideoError, restore_video
from tests.video.clips import RATE, Enlarger, make_clip, moving_picture, read_clip

DURATIONS = [50, 120, 300, 40, 700, 1230]
KINDS = ["gif", "png", "webp"]


def _drawn(number: int) -> NDArray[Any]:
    """Draw squares, one of which moves, on nothing."""
    pixels = np.zeros((20, 31, 4), np.uint8)
    pixels[3 + number : 12 + number, 4 + number : 12 + number] = (200 - number, 30, 90, 255)
    pixels[15:19, 20:27] = (10, 200, 10, 255)
    return pixels


def _opaque(number: int) -> NDArray[Any]:
    pixels = np.full((20, 31, 3), 40, np.uint8)
    pixels[5:9, 2 + number * 3 : 8 + number * 3] = (250, 120, 10)
    return pixels


def _animation(path: Path, draw: Any = _drawn, *, loop: int | None = 3, **options: Any) -> Path:
    first, *others = (Image.fromarray(draw(number)) for number in range(len(DURATIONS)))
    if loop is not None:
        options["loop"] = loop
    if path.suffix == ".webp":
        options |= {"lossless": True, "exact": True}
    if path.suffix == ".gif" and draw is _drawn:
        options["disposal"] = 2
    first.save(path, save_all=True, append_images=others, duration=DURATIONS, **options)
    return path


def _held(path: Path) -> tuple[list[NDArray[Any]], list[float], int | None]:
    """Return pictures, durations in milliseconds and the number of the loop."""
    pictures, durations = [], []
    with Image.open(path) as file:
        moving: Any = file
        for number in range(moving.n_frames):
            moving.seek(number)
            pictures.append(np.asarray(moving.convert("RGBA")))
            durations.append(moving.info["duration"])
        return pictures, durations, moving.info.get("loop")


def _twice(pixels: NDArray[Any]) -> NDArray[Any]:
    return pixels.repeat(2, axis=0).repeat(2, axis=1)


@pytest.mark.parametrize("target", KINDS)
@pytest.mark.parametrize("source", KINDS)
def test_one_becomes_another(tmp_path: Path, source: str, target: str) -> None:
    # GIF counts how often it is shown again, the others how often it is shown.
    made = _animation(tmp_path / f"in.{source}", loop=3 if source == "gif" else 4)
    report = restore_video(made, tmp_path / f"out.{target}", Enlarger())
    pictures, durations, loop = _held(tmp_path / f"out.{target}")
    assert durations == DURATIONS
    assert loop == (3 if target == "gif" else 4)
    for number, picture in enumerate(pictures):
        wanted = _twice(_drawn(number))
        seen = wanted[..., 3] > 0  # what is under nothing may have any colour
        np.testing.assert_array_equal(picture[..., 3], wanted[..., 3])
        np.testing.assert_array_equal(picture[seen], wanted[seen])
    assert (report.notes, report.codec) == ([], target.replace("png", "apng"))
    assert (report.frames, report.width, report.height) == (len(DURATIONS), 62, 40)


@pytest.mark.parametrize("target", KINDS)
@pytest.mark.parametrize("plays", [0, 1])
def test_loops_without_end_and_without_a_loop(tmp_path: Path, target: str, plays: int) -> None:
    source = tmp_path / "in.gif"
    _animation(source, _opaque, loop=0 if plays == 0 else None)
    restore_video(source, tmp_path / f"out.{target}", Enlarger())
    loop = _held(tmp_path / f"out.{target}")[2]
    assert loop == {("gif", 1): None}.get((target, plays), plays)


@pytest.mark.parametrize("name", ["out.gif", "out.apng", "out.webp"])
def test_what_does_not_change_stays(tmp_path: Path, name: str) -> None:
    source = _animation(tmp_path / "in.png", _opaque, loop=0)
    restore_video(source, tmp_path / name, Enlarger(3))
    pictures, durations, _ = _held(tmp_path / name)
    assert durations == DURATIONS
    for number, picture in enumerate(pictures):
        wanted = _opaque(number).repeat(3, axis=0).repeat(3, axis=1)
        np.testing.assert_array_equal(picture[..., :3], wanted)
        assert (picture[..., 3] == 255).all()


def test_equal_pictures_are_all_there(tmp_path: Path) -> None:
    source = make_clip(
        tmp_path / "in.mkv", codec="ffv1", frames=4, size=(32, 24),
        draw=lambda index: moving_picture(32, 24, "yuv420p", index // 2),
    )  # fmt: skip
    for name in ("out.apng", "out.webp", "out.gif"):
        assert restore_video(source, tmp_path / name, Enlarger()).frames == 4
        with (
            av.open(str(tmp_path / name))
            if name != "out.webp"
            else open_webp(tmp_path / name) as file
        ):
            assert sum(1 for _ in file.decode(video=0)) == 4


def open_webp(path: Path) -> Any:
    from restore_rt.video.opening import open_video

    return open_video(path)


def test_soft_edges(tmp_path: Path) -> None:
    """GIF is opaque or not; the others have what lies between."""

    def draw(number: int) -> NDArray[Any]:
        pixels = np.full((16, 32, 4), 90, np.uint8)
        pixels[..., 3] = np.linspace(0, 255, 32).astype(np.uint8)
        pixels[number] = 255
        return pixels

    source = _animation(tmp_path / "in.png", draw)
    for kind in KINDS:
        restore_video(source, tmp_path / f"out.{kind}", Enlarger())
        for number, picture in enumerate(_held(tmp_path / f"out.{kind}")[0]):
            alpha = _twice(draw(number))[..., 3]
            wanted = np.where(alpha >= 128, 255, 0) if kind == "gif" else alpha
            np.testing.assert_array_equal(picture[..., 3], wanted)


@pytest.mark.parametrize("rate", [24, 30, 60, Fraction(30000, 1001)])
@pytest.mark.parametrize("kind", KINDS)
def test_a_clip_keeps_its_times(tmp_path: Path, kind: str, rate: Any) -> None:
    count = 13
    source = make_clip(
        tmp_path / "in.mp4", frames=count, size=(32, 24), time_base=1 / Fraction(rate), sound="aac"
    )
    path = tmp_path / f"out.{'apng' if kind == 'png' else kind}"
    report = restore_video(source, path, Enlarger())
    _, durations, loop = _held(path)
    assert len(durations) == count
    assert loop == 0
    unit = {"gif": 10, "webp": 1, "png": 0}[kind]
    begins = np.cumsum([0, *durations[:-1]])
    wanted = np.arange(count) * 1000 / float(rate)
    assert durations[-1] == pytest.approx(
        1000 / RATE, abs=max(unit, 0.1)
    )  # as the clip's maker says
    assert np.abs(begins - wanted).max() <= max(unit / 2, 0.1) + 1e-9
    sound = f"left out, as {path.suffix[1:]} holds pictures alone: audio stream 1"
    assert any(note.startswith(sound) for note in report.notes)
    assert any("browsers make 0.1 s" in note for note in report.notes) == (
        kind == "gif" and rate == 60
    )


def test_a_thirtieth_is_stored_as_one(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", frames=3, size=(32, 24), time_base=Fraction(1, 30))
    restore_video(source, tmp_path / "a.apng", Enlarger())
    restore_video(tmp_path / "a.apng", tmp_path / "b.png", Enlarger())
    data = (tmp_path / "b.png").read_bytes()
    places = [place for place in range(len(data)) if data[place : place + 4] == b"fcTL"]
    delays = [data[place + 24 : place + 28] for place in places]
    assert delays[1] == bytes([0, 1, 0, 30])


@pytest.mark.parametrize(("name", "most"), [("out.gif", 655.35), ("out.webp", 16777.215)])
def test_a_pause_that_is_too_long_is_told(tmp_path: Path, name: str, most: float) -> None:
    source = make_clip(
        tmp_path / "in.mkv", codec="ffv1", frames=3, pts=[0, 1, 20000], time_base=Fraction(1)
    )
    report = restore_video(source, tmp_path / name, Enlarger())
    assert any(f"cannot hold more than {most:.4g} s for each" in note for note in report.notes)
    assert _held(tmp_path / name)[1][1] == pytest.approx(most * 1000)


def test_colours_of_a_gif(tmp_path: Path) -> None:
    """More colours than a palette has: the nearest, and dither, come close on average."""
    source = make_clip(tmp_path / "in.mkv", codec="ffv1", frames=4, size=(64, 48),
                       pixel_format="yuv444p")  # fmt: skip
    restore_video(source, tmp_path / "out.apng", Enlarger())
    restore_video(source, tmp_path / "out.gif", Enlarger())
    wanted, got = (_held(tmp_path / name)[0] for name in ("out.apng", "out.gif"))
    for old, new in zip(wanted, got, strict=True):
        difference = new[..., :3].astype(int) - old[..., :3]
        assert len(np.unique(new.reshape(-1, 4), axis=0)) <= 255
        assert np.abs(difference).mean() < 8
        assert np.abs(difference.mean(axis=(0, 1))).max() < 2


def test_colours_of_a_clip_are_converted_by_its_own_matrix(tmp_path: Path) -> None:
    for matrix, tags in (
        ("BT.601", (1, 6, 6, 6)),
        ("BT.709", (1, 1, 1, 1)),
        ("full", (2, 1, 1, 1)),
    ):
        source = make_clip(tmp_path / f"{matrix}.mkv", codec="ffv1", frames=2, tags=tags,
                           pixel_format="yuv444p")  # fmt: skip
        target = tmp_path / f"{matrix}.apng"
        restore_video(source, target, Enlarger())
        wanted = (
            read_clip(source)
            .pictures[1]
            .reformat(format="rgb24", src_colorspace=tags[3], src_color_range=tags[0])
        )
        got = _held(target)[0][1][::2, ::2, :3].astype(int)
        assert np.abs(got - wanted.to_ndarray()).max() <= 2


def test_an_icc_profile_is_kept(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    source = _animation(tmp_path / "in.png", icc_profile=profile)
    for kind in KINDS:
        report = restore_video(source, tmp_path / f"out.{kind}", Enlarger())
        with Image.open(tmp_path / f"out.{kind}") as file:
            assert file.info.get("icc_profile") == (None if kind == "gif" else profile)
        assert any("ICC profile is left out" in note for note in report.notes) == (kind == "gif")


def test_a_lossy_webp_is_smaller(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mkv", codec="ffv1", frames=3, pixel_format="yuv444p")
    restore_video(source, tmp_path / "whole.webp", Enlarger())
    restore_video(source, tmp_path / "small.webp", Enlarger(), quality=50)
    restore_video(source, tmp_path / "whole.apng", Enlarger())
    whole, small, same = (_held(tmp_path / name)[0][1] for name in
                          ("whole.webp", "small.webp", "whole.apng"))  # fmt: skip
    np.testing.assert_array_equal(whole, same)
    assert np.abs(small.astype(int) - whole).mean() < 12
    sizes = [(tmp_path / f"{name}.webp").stat().st_size for name in ("small", "whole")]
    assert sizes[0] < sizes[1]


def test_deep_clips_become_deep_png(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mkv", codec="ffv1", frames=2, pixel_format="yuv444p10le")
    restore_video(source, tmp_path / "deep.apng", Enlarger())
    report = restore_video(source, tmp_path / "flat.apng", Enlarger(), bit_depth=8)
    assert report.notes == ["samples of 10 bits were reduced to 8"]
    depths = [(tmp_path / name).read_bytes()[24] for name in ("deep.apng", "flat.apng")]
    assert depths == [16, 8]
    with av.open(str(tmp_path / "deep.apng")) as file:
        deep = next(file.decode(video=0)).to_ndarray(format="rgb48le")
    with av.open(str(tmp_path / "flat.apng")) as file:
        flat = next(file.decode(video=0)).to_ndarray(format="rgb24")
    assert np.abs(deep / 257 - flat).max() <= 1.5


def test_memory_does_not_grow_with_the_clip(tmp_path: Path) -> None:
    """No more than a few frames are alive at once, whatever the clip's length."""
    alive, most = set[int](), 0

    class Counting(Enlarger):
        def _restore(self, out: Any, frame: Any, times: Any) -> Any:
            nonlocal most
            restored = super()._restore(out, frame, times)
            alive.add(id(restored))
            weakref.finalize(restored, alive.discard, id(restored))
            most = max(most, len(alive))
            return restored

    source = make_clip(tmp_path / "in.mp4", frames=60, size=(32, 24))
    for name in ("out.gif", "out.apng", "out.webp"):
        most = 0
        restore_video(source, tmp_path / name, Counting())
        assert 1 <= most <= 10


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("out.gif", {"codec": "h264"}, r"codec is 'h264', but \.gif has none; leave it out"),
        ("out.webp", {"preset": "fast"}, r"preset is 'fast', but \.webp has none"),
        ("out.gif", {"quality": 80}, r"quality is 80, but \.gif has none"),
        ("out.webp", {"quality": 101}, r"quality is 101; for \.webp 1 \(smallest\) to 100 \(best"),
        ("out.webp", {"bit_depth": 16}, r"bit_depth is 16; for \.webp 8 are allowed"),
        ("out.apng", {"pixel_format": "yuv420p"}, r"pixel_format is 'yuv420p', but \.apng"),
        ("out.png", {}, r"out\.png would be one picture: .* as in .*out_%05d\.png"),
        ("out.gif", {"fps": 24}, "fps is 24, but .* has times of its own"),
    ],
)  # fmt: skip
def test_what_cannot_be(tmp_path: Path, name: str, options: Any, message: str) -> None:
    source = make_clip(tmp_path / "in.mp4", frames=2)
    with pytest.raises(InputError, match=message):
        restore_video(source, tmp_path / name, Enlarger(), **options)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mp4"]


@pytest.mark.parametrize(("name", "longest"), [("out.gif", 65535), ("out.webp", 16383)])
def test_pictures_that_are_too_large(tmp_path: Path, name: str, longest: int) -> None:
    source = make_clip(tmp_path / "in.mkv", codec="ffv1", frames=1, size=(9000, 8))
    with pytest.raises(InputError, match=f"its longest side has {longest} pixels"):
        restore_video(source, tmp_path / name, Enlarger(8))


def test_a_cut_source_gives_what_there_is(tmp_path: Path) -> None:
    source = _animation(tmp_path / "in.gif", _opaque)
    data = source.read_bytes()
    source.write_bytes(data[: len(data) * 3 // 4])
    with pytest.raises(TruncatedVideoError, match="it ends before its trailer") as caught:
        restore_video(source, tmp_path / "out.gif", Enlarger())
    assert 1 <= caught.value.report.frames < len(DURATIONS)
    assert len(_held(tmp_path / "out.gif")[0]) == caught.value.report.frames


@pytest.mark.usefixtures("ffmpeg")
@pytest.mark.parametrize("turn", ["transpose=1", "transpose=2", "hflip", "vflip", "transpose=0"])
def test_a_turned_clip_becomes_upright_pictures(tmp_path: Path, turn: str) -> None:
    """The display matrix is what ffmpeg obeys, too."""
    degrees = {"transpose=1": 90, "transpose=2": -90, "hflip": 0, "vflip": 180, "transpose=0": 180}
    source = make_clip(
        tmp_path / "in.mp4", size=(64, 48), frames=2,
        prepare=lambda file, stream: stream.set_display_rotation(degrees[turn]),
    )  # fmt: skip
    subprocess.run(
        ["ffmpeg", "-v", "error", "-i", str(source), "-frames:v", "1", str(tmp_path / "ff.png")],
        check=True,
    )
    restore_video(source, tmp_path / "out.apng", Enlarger(1))
    wanted = np.asarray(Image.open(tmp_path / "ff.png").convert("RGB"), int)
    got = _held(tmp_path / "out.apng")[0][0][..., :3].astype(int)
    assert got.shape == wanted.shape
    assert np.abs(got - wanted).mean() < 4
