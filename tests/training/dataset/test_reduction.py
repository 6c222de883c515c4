from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from restore_rt.errors import InputError, MediaError
from restore_rt.training.dataset import find_tree, reduce_pictures, reduced
from restore_rt.training.degradations.resizing import FILTERS, Filter
from tests.training.dataset.scenes import below, load, save, scene

HALF = Fraction(1, 2)


def test_area_is_the_mean_of_the_pixels_below() -> None:
    pixels = scene(0, 13, 17)
    blocks = pixels[:12, :15].reshape(4, 3, 5, 3, 3).mean(axis=(1, 3))
    # Pillow rounds after each of the two axes.
    assert np.abs(reduced(pixels, Fraction(1, 3), "area") - blocks).max() <= 1


def test_nearest_takes_the_pixel_in_the_middle() -> None:
    pixels = scene(1, 13, 17)
    assert np.array_equal(reduced(pixels, Fraction(1, 3), "nearest"), pixels[1:12:3, 1:15:3])


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("scale", [HALF, Fraction(1, 3), Fraction(7, 10), Fraction("0.123")])
def test_size_and_alignment(name: Filter, scale: Fraction) -> None:
    ramp = np.broadcast_to(np.arange(201, dtype=np.uint8)[:, None, None], (201, 151, 3))
    for pixels in (ramp, ramp.swapaxes(0, 1)):
        small = reduced(np.ascontiguousarray(pixels), scale, name)
        assert small.shape[:2] == tuple(int(side * scale) for side in pixels.shape[:2])
        values = small[:, 0, 0] if pixels is ramp else small[0, :, 0]
        middles = (np.arange(len(values)) + 0.5) / float(scale) - 0.5
        # The filters meet the edge of the picture at both ends.
        tolerance = 1.0 if name == "area" else 0.5 + 1e-6
        assert np.abs(values - middles)[3:-3].max() <= tolerance


def test_a_whole_picture_is_bicubic() -> None:
    pixels = scene(2, 40, 60)
    expected = Image.fromarray(pixels).resize((30, 20), Image.Resampling.BICUBIC)
    assert np.array_equal(reduced(pixels, HALF), np.asarray(expected))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    save(tmp_path / "in" / "a.png", scene(1, 65, 101))
    save(tmp_path / "in" / "sub" / "b.webp", scene(2, 40, 30), lossless=True)
    save(tmp_path / "in" / "thin.png", scene(3, 1, 100))
    return tmp_path / "in"


def test_by_scale(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    report = reduce_pictures(find_tree(source), out, scale=HALF)
    assert below(out) == ["a.png", "sub/b.png"]
    assert np.array_equal(load(out / "a.png"), reduced(scene(1, 65, 101), HALF))
    assert (report.pictures, report.written, report.kept) == (3, 2, 0)
    assert report.small == (Path("thin.png"),)


def test_by_size(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    report = reduce_pictures(
        find_tree(source), out, size=40, filter_name="area", format_name="webp"
    )
    assert load(out / "a.webp").shape == (25, 40, 3)
    assert np.array_equal(load(out / "sub" / "b.webp"), scene(2, 40, 30))
    assert (report.written, report.kept, len(report.small)) == (2, 1, 1)


def test_existing_outputs(source: Path, tmp_path: Path) -> None:
    tree, out = find_tree(source), tmp_path / "out"
    reduce_pictures(tree, out, size=40)
    before = (out / "a.png").read_bytes()
    with pytest.raises(InputError, match=r"a\.png exists and 1 more"):
        reduce_pictures(tree, out, size=20)
    assert (out / "a.png").read_bytes() == before
    reduce_pictures(tree, out, size=20, overwrite=True)
    assert load(out / "a.png").shape == (12, 20, 3)
    (tmp_path / "link").symlink_to(source)
    with pytest.raises(InputError, match="is an input"):
        reduce_pictures(tree, tmp_path / "link", size=20, overwrite=True)


def test_broken_pictures(source: Path, tmp_path: Path) -> None:
    (source / "b.jpg").write_bytes(b"no picture")
    told: list[str] = []
    report = reduce_pictures(find_tree(source), tmp_path / "out", size=9, broken=told.append)
    assert (report.pictures, len(told)) == (3, 1)
    with pytest.raises(MediaError, match=r"b\.jpg"):
        reduce_pictures(find_tree(source), tmp_path / "again", size=9)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "either a scale or a size"),
        ({"scale": HALF, "size": 9}, "either a scale or a size"),
        ({"scale": Fraction(2)}, "scale is 2.*1/2 halves"),
        ({"scale": Fraction(0)}, "scale is 0"),
        ({"size": 0}, "size is 0"),
        ({"size": 9, "filter_name": "sinc"}, "'sinc'; there are bicubic"),
        ({"size": 9, "format_name": "jpeg"}, "format is 'jpeg'"),
    ],
)
def test_refused(source: Path, tmp_path: Path, options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        reduce_pictures(find_tree(source), tmp_path / "out", **options)  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


def test_pixels_that_cannot_be_reduced() -> None:
    with pytest.raises(InputError, match="nothing is left of a picture of 9x1"):
        reduced(scene(0, 1, 9), HALF)
    with pytest.raises(InputError, match="scale is 3/2"):
        reduced(scene(0, 9, 9), Fraction(3, 2))
    with pytest.raises(InputError, match="'sinc'"):
        reduced(scene(0, 9, 9), HALF, "sinc")  # type: ignore[arg-type]
