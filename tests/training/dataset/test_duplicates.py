from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from restore_rt.errors import InputError, MediaError
from restore_rt.training.dataset import Duplicate, find_tree
from restore_rt.training.dataset import duplicates as library
from restore_rt.training.dataset.duplicates import candidates, duplicates
from restore_rt.training.dataset.fingerprints import compare, fingerprints
from tests.training.dataset.scenes import save, scene


def find_duplicates(
    train: Path, test: Path, *, broken: Callable[[str], None] | None = None, distance: int = 14
) -> list[Duplicate]:
    left, right = (fingerprints(find_tree(folder), broken=broken) for folder in (train, test))
    return duplicates(left, right, train, test, distance=distance)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Return two sets that share pictures 1, 2, 3 and 4, in other sizes, files and cuts."""
    train, test = tmp_path / "train", tmp_path / "test"
    for seed in range(6):
        save(train / f"{seed % 2}" / f"{seed}.png", scene(seed))
    small = Image.fromarray(scene(1)).resize((101, 75), Image.Resampling.BICUBIC)
    save(test / "small.png", np.asarray(small))
    save(test / "deep" / "poor.jpg", scene(2)[6:, :190], quality=30)
    save(test / "mirror.png", scene(3)[:, ::-1])
    (test / "same.png").write_bytes((train / "0" / "4.png").read_bytes())
    save(test / "other.png", scene(77))
    return train, test


def names(found: list[Duplicate]) -> list[tuple[str, str, bool]]:
    return [(pair.train.name, pair.test.name, pair.mirrored) for pair in found]


def test_all_kinds_of_copies_are_found(folders: tuple[Path, Path]) -> None:
    train, test = folders
    found = find_duplicates(train, test)
    assert names(found) == [
        ("2.png", "poor.jpg", False),
        ("4.png", "same.png", False),
        ("1.png", "small.png", False),
        ("3.png", "mirror.png", True),
    ]
    assert all(pair.train.is_file() and pair.test.is_file() for pair in found)
    assert found[1] == Duplicate(train / "0/4.png", test / "same.png", 0, 1.0, False)
    assert names(find_duplicates(test, train)) == [
        ("poor.jpg", "2.png", False),
        ("mirror.png", "3.png", True),
        ("same.png", "4.png", False),
        ("small.png", "1.png", False),
    ]


def test_a_smaller_distance_finds_less(folders: tuple[Path, Path]) -> None:
    assert {name for _, name, _ in names(find_duplicates(*folders, distance=2))} == {
        "small.png",
        "mirror.png",
        "same.png",
    }


@pytest.mark.parametrize("distance", [0, 8, 20])
def test_candidates_are_all_that_agree(
    folders: tuple[Path, Path], distance: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # With few rows at a time, there are several rounds.
    monkeypatch.setattr(library, "_ROWS", 4)
    left, right = (fingerprints(find_tree(folder)) for folder in folders)
    found = set(candidates(left, right, distance))
    everything = {(i, j) for i in range(len(left)) for j in range(len(right))}
    agreeing = {(i, j) for i, j in everything if compare(left[i], right[j], distance) is not None}
    assert agreeing <= found
    assert found < everything
    assert list(candidates(left, [], distance)) == list(candidates([], right, distance)) == []


def test_progress_reaches_the_end(folders: tuple[Path, Path]) -> None:
    left, right = (fingerprints(find_tree(folder)) for folder in folders)
    for these in (left, left[:1], []):
        steps: list[int] = []
        duplicates(these, right, *folders, advance=steps.append)
        assert sum(steps) == len(these)


def test_broken_pictures(folders: tuple[Path, Path]) -> None:
    train, test = folders
    (train / "broken.png").write_bytes(b"no picture")
    told: list[str] = []
    assert len(find_duplicates(train, test, broken=told.append)) == 4
    assert len(told) == 1
    with pytest.raises(MediaError, match=r"broken\.png"):
        find_duplicates(train, test)


@pytest.mark.parametrize("distance", [-1, 25])
def test_distances_that_are_refused(folders: tuple[Path, Path], distance: int) -> None:
    with pytest.raises(InputError, match=f"distance is {distance}; .* 0 to 24"):
        find_duplicates(*folders, distance=distance)


@pytest.mark.data
def test_known_twins_are_found(data_dir: Path) -> None:
    comic = data_dir / "test" / "comic"
    found = names(find_duplicates(comic, comic))
    assert [(a, b) for a, b, _ in found if a < b] == [("E17P02.png", "E17P02_published.jpg")]
    tests = find_duplicates(data_dir / "test" / "classic5", data_dir / "test" / "sr")
    assert names(tests) == [
        ("baboon.png", "img_001_SRF_2_HR.png", False),
        ("lena.png", "img_009_SRF_2_HR.png", False),
        ("peppers.png", "img_012_SRF_2_HR.png", False),
    ]


@pytest.mark.data
def test_comics_to_train_and_to_test_on_share_nothing(data_dir: Path) -> None:
    train = data_dir / "train" / "comic_peppercarrot"
    assert find_duplicates(train, data_dir / "test" / "comic") == []
