from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from restore_rt.errors import InputError, MediaError
from restore_rt.training.dataset import crop_pictures, detail, find_tree, squares
from tests.training.dataset.scenes import below, load, save, scene


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [
        (10, 10, [(0, 0)]),
        (11, 13, [(0, 1)]),
        (20, 25, [(0, 2), (0, 12), (10, 2), (10, 12)]),
        (9, 40, []),
    ],
)
def test_the_grid(height: int, width: int, expected: list[tuple[int, int]]) -> None:
    assert squares(height, width, 10) == expected


def test_detail_is_the_mean_difference_of_neighbours() -> None:
    assert detail(np.full((5, 9, 3), 7, np.uint8)) == 0
    columns = np.broadcast_to(np.arange(0, 90, 10, dtype=np.uint8)[None, :, None], (5, 9, 3))
    assert detail(columns) == 5
    assert detail(columns[:, ::-1].swapaxes(0, 1)) == 5
    one = np.zeros((2, 2, 3), np.uint8)
    one[0, 0, 0] = 255
    assert detail(one) == pytest.approx(255 / 6)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    pixels = scene(1, 65, 101)
    pixels = pixels.copy()
    pixels[:32, :50] = 200
    save(tmp_path / "in" / "a.png", pixels)
    save(tmp_path / "in" / "sub" / "b.webp", scene(2, 32, 33), lossless=True)
    save(tmp_path / "in" / "small.png", scene(3, 31, 100))
    return tmp_path / "in"


def test_the_middle_of_each(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    report = crop_pictures(find_tree(source), out, size=32)
    assert below(out) == ["a_y00016_x00034.png", "sub/b_y00000_x00000.png"]
    whole = load(source / "a.png")
    assert np.array_equal(load(out / "a_y00016_x00034.png"), whole[16:48, 34:66])
    assert np.array_equal(load(out / "sub" / "b_y00000_x00000.png"), scene(2, 32, 33)[:, :32])
    assert (report.pictures, report.written, report.flat, report.stale) == (3, 2, 0, 0)
    assert report.small == (Path("small.png"),)


def test_a_grid_without_flat_squares(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    report = crop_pictures(find_tree(source), out, size=32, per_image=None, format_name="webp")
    assert report.flat == 1
    assert [name for name in below(out) if name.startswith("a")] == [
        "a_y00000_x00034.webp",
        "a_y00000_x00066.webp",
        "a_y00032_x00002.webp",
        "a_y00032_x00034.webp",
        "a_y00032_x00066.webp",
    ]
    whole = load(source / "a.png")
    assert np.array_equal(load(out / "a_y00032_x00066.webp"), whole[32:64, 66:98])
    every = crop_pictures(
        find_tree(source), tmp_path / "all", size=32, per_image=None, flat_below=0
    )
    assert (every.written, every.flat) == (7, 0)
    none = crop_pictures(find_tree(source), tmp_path / "none", size=32, flat_below=255)
    assert (none.written, none.flat) == (0, 2)


def test_the_squares_that_show_most(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    crop_pictures(find_tree(source), out, size=32, per_image=2)
    whole = load(source / "a.png")
    rated = sorted(
        (-detail(whole[y : y + 32, x : x + 32]), f"a_y{y:05d}_x{x:05d}.png")
        for y, x in squares(65, 101, 32)
    )
    assert [n for n in below(out) if n.startswith("a")] == sorted(name for _, name in rated[:2])


def test_squares_of_an_earlier_run(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    save(out / "other_y00000_x00000.png", scene(4, 32, 32))
    tree = find_tree(source)
    crop_pictures(tree, out, size=32)
    before = {name: (out / name).read_bytes() for name in below(out)}
    with pytest.raises(InputError, match=r"a_y00016_x00034\.png exists and 1 more"):
        crop_pictures(tree, out, size=16, format_name="webp")
    assert {name: (out / name).read_bytes() for name in below(out)} == before
    assert crop_pictures(tree, out, size=32, overwrite=True).stale == 0
    assert crop_pictures(tree, out, size=16, overwrite=True).stale == 2


def test_broken_pictures(source: Path, tmp_path: Path) -> None:
    (source / "b.jpg").write_bytes(b"no picture")
    told: list[str] = []
    report = crop_pictures(find_tree(source), tmp_path / "out", size=32, broken=told.append)
    assert (report.pictures, report.written) == (3, 2)
    assert len(told) == 1
    assert str(source / "b.jpg") in told[0]
    with pytest.raises(MediaError, match=r"b\.jpg"):
        crop_pictures(find_tree(source), tmp_path / "again", size=32)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 1}, "size is 1"),
        ({"size": 8, "per_image": 0}, "per_image is 0"),
        ({"size": 8, "flat_below": -1}, "flat_below is -1"),
        ({"size": 8, "flat_below": float("nan")}, "flat_below is nan"),
        ({"size": 8, "format_name": "jpeg"}, "format is 'jpeg'"),
    ],
)
def test_refused(source: Path, tmp_path: Path, options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        crop_pictures(find_tree(source), tmp_path / "out", **options)  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()
