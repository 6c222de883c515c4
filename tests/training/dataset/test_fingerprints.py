from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from restore_rt.errors import InputError, MediaError
from restore_rt.training.dataset import find_tree
from restore_rt.training.dataset.duplicates import DISTANCE
from restore_rt.training.dataset.fingerprints import (
    VIEWS,
    Fingerprint,
    compare,
    distances,
    fingerprints,
    signs,
)
from tests.training.dataset.scenes import save, scene

U8 = NDArray[np.uint8]


def prints(folder: Path, *pictures: U8) -> list[Fingerprint]:
    for number, pixels in enumerate(pictures):
        save(folder / f"{number}.png", pixels)
    return fingerprints(find_tree(folder))


def test_what_is_kept(tmp_path: Path) -> None:
    first, mirror = prints(tmp_path, scene(0), scene(0)[:, ::-1])
    assert first.file == Path("0.png")
    assert first.hashes.shape == (2, len(VIEWS), 8)
    assert np.array_equal(first.hashes[0], mirror.hashes[1])
    assert np.array_equal(first.hashes[1], mirror.hashes[0])
    assert len(set(map(bytes, first.hashes[0]))) > 1
    assert first.small.shape == (128, 128)
    assert not first.blank


def test_distances_count_bits() -> None:
    bits = np.random.default_rng(0).integers(0, 2, (5, 64), np.uint8)
    expected = (bits[:2, None] != bits[None, 2:]).sum(axis=2)
    packed = signs(np.packbits(bits, axis=1))
    assert np.array_equal(distances(packed[:2], packed[2:]), expected)


def test_the_same_pixels_agree_wholly(tmp_path: Path) -> None:
    first, second = prints(tmp_path, scene(0), scene(0).repeat(2, axis=0).repeat(2, axis=1))
    match = compare(first, second, DISTANCE)
    assert match is not None
    assert match.distance <= 2
    assert match.agreement > 0.97
    assert not match.mirrored


@pytest.mark.parametrize(("top", "left", "down", "right"), [(0, 0, 15, 0), (7, 16, 8, 9)])
@pytest.mark.parametrize("mirrored", [False, True])
def test_crops_agree_in_both_orders(
    tmp_path: Path, top: int, left: int, down: int, right: int, mirrored: bool
) -> None:
    part = scene(1)[top : 150 - down, left : 201 - right]
    whole, cropped = prints(tmp_path, scene(1), part[:, ::-1] if mirrored else part)
    for pair in ((whole, cropped), (cropped, whole)):
        match = compare(*pair, DISTANCE)
        assert match is not None
        assert match.mirrored == mirrored
        assert match.agreement > 0.65


def test_strangers_do_not_agree(tmp_path: Path) -> None:
    found = prints(tmp_path, *(scene(seed) for seed in range(12)))
    # At 64 bits, every pair is looked at closely.
    pairs = [(a, b) for n, a in enumerate(found) for b in found[:n]]
    assert [compare(a, b, 64) for a, b in pairs] == [None] * 66


def drawing(height: int, width: int) -> U8:
    page = np.full((200, 160, 3), 255, np.uint8)
    page[60 : 60 + height, 70 : 70 + width] = 0
    page[60 : 60 + height // 3, 70 : 70 + width // 2] = 128
    return page


def test_nearly_empty_pictures(tmp_path: Path) -> None:
    page = drawing(30, 12)
    found = prints(tmp_path, page, page[::2, ::2], drawing(12, 30), drawing(30, 12)[::-1])
    match = compare(found[0], found[1], 64)
    assert match is not None
    assert match.agreement > 0.97
    for left in found[:2]:
        assert [compare(left, right, 64) for right in found[2:]] == [None, None]


def test_blank_pictures_agree_only_as_files(tmp_path: Path) -> None:
    white = np.full((50, 60, 3), 255, np.uint8)
    slope = np.broadcast_to(np.arange(60, dtype=np.uint8)[None, :, None] // 9, (50, 60, 3))
    first, again, larger, sloped = prints(tmp_path, white, white, np.full_like(white, 254), slope)
    assert all(item.blank for item in (first, again, larger, sloped))
    match = compare(first, again, DISTANCE)
    assert match is not None
    assert match.agreement == 1
    assert compare(first, larger, 64) is None
    assert compare(first, sloped, 64) is None


def test_broken_pictures(tmp_path: Path) -> None:
    save(tmp_path / "a.png", scene(0))
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:200])
    (tmp_path / "c.png").symlink_to(tmp_path / "gone")
    told: list[str] = []
    assert len(fingerprints(find_tree(tmp_path), broken=told.append)) == 1
    assert ["b.png" in told[0], "c.png" in told[1]] == [True, True]
    with pytest.raises(MediaError, match=r"b\.png"):
        fingerprints(find_tree(tmp_path))


def test_without_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path / "a.png", scene(0))
    monkeypatch.setitem(sys.modules, "imagehash", None)
    with pytest.raises(InputError, match=r"ImageHash.*restore-rt\[train\]"):
        fingerprints(find_tree(tmp_path))
