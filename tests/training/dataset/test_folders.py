from __future__ import annotations

import os
from pathlib import Path

import pytest

from restore_rt.errors import InputError, MediaError, OutputError
from restore_rt.training.dataset.folders import (
    Tree,
    find_tree,
    for_each,
    refuse_existing,
    refuse_inputs,
    without_suffix,
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("b.PNG", "a/c.jpg", "a/d/e.tif", "note.txt", ".f.png", ".g/h.png", "out/i.png"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "in"


def names(tree: Tree) -> list[str]:
    return [file.as_posix() for file in tree.files]


def test_pictures_of_all_folders_in_order(root: Path) -> None:
    assert names(find_tree(root)) == ["a/c.jpg", "a/d/e.tif", "b.PNG", "out/i.png"]
    assert names(find_tree(root, avoid=root / "out")) == ["a/c.jpg", "a/d/e.tif", "b.PNG"]


def test_linked_folders_are_entered_once(root: Path, tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "z.png").touch()
    (root / "link").symlink_to(tmp_path / "far")
    (root / "a" / "loop").symlink_to(root)
    expected = ["a/c.jpg", "a/d/e.tif", "b.PNG", "link/z.png", "out/i.png"]
    assert names(find_tree(root)) == expected


def test_what_is_no_file_is_passed_over(root: Path) -> None:
    os.mkfifo(root / "pipe.png")
    (root / "folder.png").mkdir()
    (root / "folder.png" / "q.png").touch()
    (root / "null.png").symlink_to("/dev/null")
    # It is still to be told of.
    (root / "dead.png").symlink_to(root / "nowhere.png")
    (root / "live.png").symlink_to(root / "b.PNG")
    expected = ["a/c.jpg", "a/d/e.tif", "b.PNG", "dead.png", "folder.png/q.png", "live.png"]
    assert names(find_tree(root, avoid=root / "out")) == expected


def test_other_files_can_be_looked_for(root: Path) -> None:
    assert names(find_tree(root, suffixes=[".txt"], what="notes")) == ["note.txt"]
    with pytest.raises(InputError, match=r"no songs in .*; it should hold \.mid, \.ogg files"):
        find_tree(root, suffixes={".ogg", ".mid"}, what="songs")


def test_folders_that_cannot_be_used(root: Path) -> None:
    (root / "empty").mkdir()
    with pytest.raises(InputError, match="none: No such file or directory; name a folder"):
        find_tree(root / "none")
    with pytest.raises(InputError, match=r"b\.PNG: Not a directory"):
        find_tree(root / "b.PNG")
    with pytest.raises(InputError, match="no pictures in"):
        find_tree(root / "empty")
    with pytest.raises(InputError, match="both input and output"):
        find_tree(root, avoid=root / "a" / "..")


def test_one_broken_picture_does_not_stop_the_others(root: Path) -> None:
    tree = find_tree(root)

    def work(path: Path) -> str:
        if path.name == "c.jpg":
            raise MediaError(f"{path} is broken")
        return path.name

    told: list[str] = []
    advanced: list[int] = []
    done = for_each(tree, work, broken=told.append, advance=advanced.append)
    assert done == [
        (Path("a/d/e.tif"), "e.tif"),
        (Path("b.PNG"), "b.PNG"),
        (Path("out/i.png"), "i.png"),
    ]
    assert told == [f"{root / 'a/c.jpg'} is broken"]
    assert sum(advanced) == len(tree) == 4
    with pytest.raises(MediaError, match="is broken"):
        for_each(tree, work)


def test_other_errors_stop_the_work(root: Path) -> None:
    def work(path: Path) -> None:
        raise OutputError("disk full")

    with pytest.raises(OutputError, match="disk full"):
        for_each(find_tree(root), work, broken=lambda message: None)


def test_names_that_would_meet(root: Path) -> None:
    assert without_suffix(find_tree(root))[Path("a/c")] == Path("a/c.jpg")
    (root / "a" / "c.png").touch()
    with pytest.raises(InputError, match=r"c\.jpg and .*c\.png differ in their suffix only"):
        without_suffix(find_tree(root))


def test_outputs_that_may_not_be_written(root: Path, tmp_path: Path) -> None:
    tree = find_tree(root)
    refuse_existing([], overwrite=False)
    refuse_existing([root / "b.PNG"], overwrite=True)
    with pytest.raises(InputError, match=r"b\.PNG exists and 1 more.*--overwrite"):
        refuse_existing([root / "b.PNG", root / "a"], overwrite=False)
    (tmp_path / "link.png").symlink_to(root / "b.PNG")
    with pytest.raises(InputError, match="is an input"):
        refuse_inputs([tmp_path / "link.png"], tree)
