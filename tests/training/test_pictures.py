from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from restore_rt.errors import InputError, MediaError
from restore_rt.training.data.pictures import (
    SUFFIXES,
    Library,
    PictureFile,
    crc_of_name,
    find_pictures,
    read_bytes,
    read_rgb,
    survey,
)


def test_every_kind_of_picture_is_found_in_order(tmp_path: Path) -> None:
    names = [f"{index}{suffix}" for index, suffix in enumerate(SUFFIXES)] + ["9.JPG", "a/b/0.png"]
    (tmp_path / "a" / "b").mkdir(parents=True)
    for name in [*reversed(names), "notes.txt"]:
        (tmp_path / name).touch()
    assert find_pictures(tmp_path) == [tmp_path / name for name in names]


def test_folders_without_pictures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no pictures in"):
        find_pictures(tmp_path)
    with pytest.raises(InputError, match=r"cannot list the folder .*none: No such file"):
        find_pictures(tmp_path / "none")


def test_what_is_read_is_rgb(tmp_path: Path) -> None:
    Image.fromarray(np.full((2, 3), 9, np.uint8)).save(tmp_path / "grey.png")
    assert np.array_equal(read_rgb(tmp_path / "grey.png"), np.full((2, 3, 3), 9))


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    link = tmp_path / "link.png"
    link.symlink_to(tmp_path / "gone.png")
    with pytest.raises(InputError, match=r"link\.png cannot be read: No such file"):
        read_bytes(link)
    with pytest.raises(MediaError, match=r"link\.png"):
        read_rgb(link)
    with pytest.raises(InputError, match="Is a directory"):
        read_bytes(tmp_path)
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(MediaError, match=r"text\.png is not a picture that can be read"):
        read_rgb(tmp_path / "text.png")


def test_a_name_has_the_same_number_on_every_machine() -> None:
    assert crc_of_name("comics/Ä1.png") == zlib.crc32("comics/Ä1.png".encode())
    assert crc_of_name("a\udcff") == zlib.crc32(b"a\xff")


def test_a_library_keeps_what_fits(tmp_path: Path) -> None:
    files = []
    for number in range(3):
        path = tmp_path / f"{number}.png"
        Image.fromarray(np.full((4, 5, 3), number, np.uint8)).save(path)
        files.append(PictureFile("a", f"a/{path.name}", path, 4, 5, 0))
    library = Library(limit=2 * 4 * 5 * 3)
    first = [library(file) for file in files]
    assert [int(pixels[0, 0, 0, 0]) for pixels in first] == [0, 1, 2]
    # The oldest made way; the others are the same arrays.
    assert library(files[2]) is first[2]
    assert library(files[1]) is first[1]
    assert library(files[0]) is not first[0]


def test_folders_in_folders_are_looked_through(tmp_path: Path) -> None:
    for name in ("0.png", "deep/er/0.png", "other/0.png"):
        path = tmp_path / "a" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((9, 8, 3), np.uint8)).save(path)
    lines: list[str] = []
    files = survey(
        tmp_path, ["a"], smallest=8, exclude=["a/other/*", "a/others/*"], say=lines.append
    )
    assert [(file.folder, file.name) for file in files] == [
        ("a", "a/0.png"),
        ("a", "a/deep/er/0.png"),
    ]
    assert files[1].path == tmp_path / "a" / "deep" / "er" / "0.png"
    # A pattern with a slip of the pen would let the pictures of a test into the training.
    assert lines == ["nothing is excluded by 'a/others/*'; it fits no name, such as 'a/0.png'"]


def test_no_picture_is_taken_from_two_folders(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    Image.fromarray(np.zeros((9, 8, 3), np.uint8)).save(tmp_path / "a" / "b" / "0.png")
    with pytest.raises(InputError, match=r"'a' and 'a/b' both hold 'a/b/0\.png'; name folders"):
        survey(tmp_path, ["a", "a/b"], smallest=8, say=print)
    # All that there is can be one folder.
    assert len(survey(tmp_path, ["."], smallest=8, say=print)) == 1
