from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from restore_rt.errors import OutputError
from restore_rt.folders import FOLDER, HIDDEN, SUFFIX, files_below, make_folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("b.PNG", "a/c.png", "a/d/e.png", "z.txt", ".f.png", ".g/h.png", "out/i.png"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "in"


def below(root: Path, *, recursive: bool = True, avoid: Path | None = None) -> list[str]:
    found = files_below(root, {".png"}, recursive=recursive, avoid=avoid)
    return [path.relative_to(root).as_posix() for path in found]


def test_files_of_all_folders(root: Path) -> None:
    assert below(root) == ["b.PNG", "a/c.png", "a/d/e.png", "out/i.png"]
    assert below(root, recursive=False) == ["b.PNG"]
    assert below(root, avoid=root / "out") == ["b.PNG", "a/c.png", "a/d/e.png"]
    # A folder that is named is looked through, also where results are to go into it.
    assert below(root, avoid=root) == below(root)


def test_a_folder_is_found_at_its_own_place_rather_than_by_a_link(root: Path) -> None:
    (root / "0-link").symlink_to(root / "a")
    (root / "a" / "loop").symlink_to(root)
    (root.parent / "far").mkdir()
    (root.parent / "far" / "j.png").touch()
    (root / "1-link").symlink_to(root.parent / "far")
    assert below(root) == ["b.PNG", "a/c.png", "a/d/e.png", "out/i.png", "1-link/j.png"]


def test_folders_that_cannot_be_listed(root: Path) -> None:
    with pytest.raises(FileNotFoundError) as missing:
        below(root / "none")
    assert missing.value.filename == str(root / "none")
    with pytest.raises(NotADirectoryError):
        below(root / "b.PNG")


def test_folders_are_made_where_nothing_stands(root: Path) -> None:
    make_folder(root / "new" / "deep")
    make_folder(root / "new" / "deep")
    assert (root / "new" / "deep").is_dir()
    for path in (root / "b.PNG", root / "b.PNG" / "sub"):
        with pytest.raises(OutputError, match="a file, not a folder"):
            make_folder(path)


def test_what_is_passed_over_is_given_with_its_reason(root: Path) -> None:
    def others(**options: Any) -> set[tuple[str, str]]:
        told: set[tuple[str, str]] = set()

        def tell(path: Path, reason: str) -> None:
            told.add((path.relative_to(root).as_posix(), reason))

        assert list(files_below(root, {".png"}, on_other=tell, **options))
        return told

    always = {("z.txt", SUFFIX), (".f.png", HIDDEN), (".g", HIDDEN)}
    assert others() == always
    assert others(recursive=False) == always | {("a", FOLDER), ("out", FOLDER)}
    assert others(recursive=False, avoid=root / "out") == always | {("a", FOLDER)}
