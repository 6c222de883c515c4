"""Colour: tags, range, matrix, siting and HDR metadata of a restored video."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from restore_rt.video import restore_video
from restore_rt.video.description import chroma_location
from restore_rt.video.hdr import side_data
from tests.video.clips import Enlarger, make_clip, read_clip, samples

LIMITED_709 = (1, 1, 1, 1)
FULL_601 = (2, 5, 6, 5)
PQ_2020 = (1, 9, 16, 9)


@pytest.mark.parametrize("codec", ["h264", "h265", "av1", "ffv1"])
@pytest.mark.parametrize("tags", [LIMITED_709, FULL_601, PQ_2020])
def test_colour_tags(tmp_path: Path, codec: str, tags: tuple[int, int, int, int]) -> None:
    source = make_clip(tmp_path / "in.mkv", frames=3, size=(64, 64), tags=tags)
    restore_video(source, tmp_path / "out.mkv", Enlarger(), codec=codec)
    assert read_clip(source).video["tags"] == tags
    assert read_clip(tmp_path / "out.mkv").video["tags"] == tags


@pytest.mark.parametrize("codec", ["h264", "h265", "av1"])
def test_chroma_location(tmp_path: Path, codec: str) -> None:
    for location in ("topleft", "left"):
        source = make_clip(
            tmp_path / f"{location}.mkv", frames=2, size=(64, 64),
            options={"chroma_sample_location": location},
        )  # fmt: skip
        target = tmp_path / f"{location}_{codec}.mkv"
        restore_video(source, target, Enlarger(), codec=codec)
        with av.open(str(target)) as file:
            assert chroma_location(file, file.streams.video[0]) == location


def test_an_unnamed_matrix_is_named_where_players_would_change_their_guess(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", size=(640, 16), frames=2)
    report = restore_video(source, tmp_path / "out.mp4", Enlarger())
    assert read_clip(source).video["tags"][3] == 2
    assert read_clip(tmp_path / "out.mp4").video["tags"][3] == 6
    assert "BT.601" in report.notes[0]
    small = make_clip(tmp_path / "small.mp4", size=(320, 16), frames=2)
    assert not restore_video(small, tmp_path / "out2.mp4", Enlarger()).notes
    assert read_clip(tmp_path / "out2.mp4").video["tags"][3] == 2


def test_full_range_formats_of_old_keep_their_range(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mkv", codec="mjpeg", pixel_format="yuvj420p", frames=3)
    restore_video(source, tmp_path / "out.mp4", Enlarger())
    after = read_clip(tmp_path / "out.mp4")
    assert after.video["tags"][0] == 2


@pytest.mark.parametrize("codec", ["h264", "h265", "av1"])
def test_static_hdr_metadata(tmp_path: Path, codec: str) -> None:
    display = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"
    source = make_clip(
        tmp_path / "in.mkv", codec="libx265", pixel_format="yuv420p10le", size=(64, 64),
        frames=3, tags=PQ_2020,
        options={"x265-params": f"log-level=none:master-display={display}:max-cll=1000,400"},
    )  # fmt: skip
    report = restore_video(source, tmp_path / "out.mkv", Enlarger(), codec=codec)
    assert report.notes == []
    wanted = side_data(read_clip(source).pictures[0])
    got = side_data(read_clip(tmp_path / "out.mkv").pictures[0])
    assert got["CONTENT_LIGHT_LEVEL"][:8] == wanted["CONTENT_LIGHT_LEVEL"][:8]
    old, new = (
        np.frombuffer(data["MASTERING_DISPLAY_METADATA"], np.int32)[:20].reshape(-1, 2)
        for data in (wanted, got)
    )
    np.testing.assert_allclose(new[:, 0] / new[:, 1], old[:, 0] / old[:, 1], rtol=1e-2, atol=1e-4)


def test_lost_hdr_metadata_is_told(tmp_path: Path) -> None:
    source = make_clip(
        tmp_path / "in.mkv", codec="libx265", pixel_format="yuv420p10le", size=(64, 64),
        frames=2, options={"x265-params": "log-level=none:max-cll=1000,400"},
    )  # fmt: skip
    report = restore_video(source, tmp_path / "out.mkv", Enlarger(), codec="ffv1")
    assert any("HDR metadata cannot be kept in ffv1" in note for note in report.notes)


@pytest.mark.parametrize(
    ("tags", "full", "weights"),
    [
        (LIMITED_709, False, (0.2126, 0.7152, 0.0722)),
        (FULL_601, True, (0.299, 0.587, 0.114)),
        (PQ_2020, False, (0.2627, 0.678, 0.0593)),
    ],
)
@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv444p10le"])
def test_an_rgb_model_sees_and_returns_the_clips_own_colours(
    tmp_path: Path,
    tags: tuple[int, int, int, int],
    full: bool,
    weights: tuple[float, float, float],
    pixel_format: str,
) -> None:
    """The oracle is the definition of Y'CbCr."""
    rgb = np.array([0.8, 0.4, 0.2])
    ycc = _ycc(rgb, weights, full=full)
    source = make_clip(
        tmp_path / "in.mkv", codec="ffv1", pixel_format=pixel_format, size=(32, 32), frames=2,
        tags=tags, draw=_flat(ycc, pixel_format),
    )  # fmt: skip
    restorer = Enlarger(colour="rgb")
    report = restore_video(source, tmp_path / "out.mkv", restorer, codec="ffv1")
    seen = restorer.seen[0]
    peak = 255 if seen.dtype == np.uint8 else 65535
    assert seen.shape == (32, 32, 3)
    np.testing.assert_allclose(seen.mean(axis=(0, 1)) / peak, rgb, atol=0.006)
    after = read_clip(tmp_path / "out.mkv")
    depth = 255 if pixel_format == "yuv420p" else 1023
    for plane, value in zip(samples(after.pictures[0]), ycc, strict=True):
        assert plane.mean() / depth == pytest.approx(value, abs=0.006)
    assert after.video["format"] == pixel_format
    assert "convert" in report.stages


def test_rgb_video_becomes_bt709(tmp_path: Path) -> None:
    rgb = np.array([0.8, 0.4, 0.2])

    def draw(index: int) -> av.VideoFrame:
        pixels = np.full((32, 32, 3), np.rint(rgb * 255), np.uint8)
        return av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format="bgr0")

    source = make_clip(
        tmp_path / "in.mkv", codec="ffv1", pixel_format="bgr0", size=(32, 32), frames=2, draw=draw
    )
    report = restore_video(source, tmp_path / "out.mkv", Enlarger(), codec="ffv1")
    after = read_clip(tmp_path / "out.mkv")
    assert after.video["format"] == "yuv444p"
    assert after.video["tags"] == LIMITED_709
    assert "by the BT.709 matrix, limited range" in report.notes[0]
    wanted = _ycc(rgb, (0.2126, 0.7152, 0.0722), full=False)
    for plane, value in zip(samples(after.pictures[0]), wanted, strict=True):
        assert plane.mean() / 255 == pytest.approx(value, abs=0.006)


def _ycc(rgb: Any, weights: tuple[float, float, float], *, full: bool) -> Any:
    """Y'CbCr of R'G'B', over the peak of 8 bits."""
    red, _, blue = weights
    luma = float(np.dot(rgb, weights))
    cb, cr = (rgb[2] - luma) / (2 - 2 * blue), (rgb[0] - luma) / (2 - 2 * red)
    if full:
        return np.array([luma, cb + 128 / 255, cr + 128 / 255])
    return np.array([16 + 219 * luma, 128 + 224 * cb, 128 + 224 * cr]) / 255


def _flat(ycc: Any, pixel_format: str) -> Callable[[int], av.VideoFrame]:
    def draw(index: int) -> av.VideoFrame:
        from restore_rt.video.pixels import layout_of, new_frame

        layout = layout_of(av.VideoFormat(pixel_format, 32, 32))
        picture, planes = new_frame(32, 32, layout, "left")
        for plane, value in zip((planes.y, planes.cb, planes.cr), ycc, strict=True):
            assert plane is not None
            # Ten bits are four times eight, not 1023 / 255 times.
            plane[...] = np.rint(value * 255 * (1 << (layout.bit_depth - 8)))
        return picture

    return draw
