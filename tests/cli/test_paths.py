"""Inputs and outputs are paired before any work."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from restore_rt.cli.paths import plan
from restore_rt.errors import InputError, MediaError, OutputError
from restore_rt.folders import FOLDER, HIDDEN, SUFFIX


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with pictures, in which the test runs."""
    for name in (
        "a.png",
        "b.JPG",
        "c.gif",
        "in/a.png",
        "in/note.txt",
        "in/.hidden.png",
        "in/deep/a.png",
        "in/deep/d.tif",
        "empty/note.txt",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def pairs(*inputs: str, output: str = "out", **options: object) -> list[tuple[str, str]]:
    planned = plan(inputs, output, **options)  # type: ignore[arg-type]
    return [(str(job.source), str(job.target)) for job in planned.jobs]


@pytest.mark.usefixtures("here")
class TestPairs:
    def test_one_file(self) -> None:
        assert pairs("a.png", output="x.webp") == [("a.png", "x.webp")]
        assert plan(["a.png"], "x.webp").jobs[0].format.name == "webp"

    def test_a_file_into_a_folder(self, here: Path) -> None:
        assert pairs("a.png", output="new/sub") == [("a.png", "new/sub/a.png")]
        assert not (here / "new").exists()
        assert pairs("a.png", output="v1.0/") == [("a.png", "v1.0/a.png")]

    def test_formats(self) -> None:
        assert pairs("a.png", "b.JPG", "c.gif") == [
            ("a.png", "out/a.png"),
            ("b.JPG", "out/b.JPG"),
            ("c.gif", "out/c.png"),
        ]
        assert pairs("a.png", "b.JPG", format_name="tiff") == [
            ("a.png", "out/a.tiff"),
            ("b.JPG", "out/b.tiff"),
        ]

    def test_a_new_suffix_makes_no_two_names_one(self, here: Path) -> None:
        for name in ("a.tga", "a.heic", "b.webp"):
            (here / "in" / name).write_bytes(b"x")
        assert pairs("in") == [
            ("in/a.heic", "out/a.heic.png"),
            ("in/a.png", "out/a.png"),
            ("in/a.tga", "out/a.tga.png"),
            ("in/b.webp", "out/b.webp"),
        ]
        (here / "in" / "b.tga").write_bytes(b"x")
        assert ("in/b.tga", "out/b.png") in pairs("in")

    def test_what_exists_is_left_out(self, here: Path) -> None:
        (here / "out").mkdir()
        (here / "out" / "a.png").write_bytes(b"x")
        planned = plan(["a.png", "b.JPG"], "out", skip_existing=True)
        assert [str(job.source) for job in planned.jobs] == ["b.JPG"]
        assert [str(job.target) for job in planned.existing] == ["out/a.png"]
        assert plan(["a.png"], "out/a.png", skip_existing=True).jobs == []

    def test_what_is_passed_over_is_told(self, here: Path) -> None:
        found = plan(["in", "empt*/*"], "out").passed_over
        listed = {reason: [str(path) for path in paths] for reason, paths in found.items()}
        assert listed == {
            HIDDEN: ["in/.hidden.png"],
            FOLDER: ["in/deep"],
            SUFFIX: ["in/note.txt", "empty/note.txt"],
        }
        assert FOLDER not in plan(["in"], "out", recursive=True).passed_over

    def test_folder(self) -> None:
        assert pairs("in") == [("in/a.png", "out/a.png")]
        assert pairs("in", recursive=True) == [
            ("in/a.png", "out/a.png"),
            ("in/deep/a.png", "out/deep/a.png"),
            ("in/deep/d.tif", "out/deep/d.tif"),
        ]

    def test_patterns(self) -> None:
        assert pairs("*.png") == [("a.png", "out/a.png")]
        assert pairs("in/**/*.tif") == [("in/deep/d.tif", "out/d.tif")]

    def test_a_name_with_brackets_is_a_name(self, here: Path) -> None:
        (here / "a[1].png").write_bytes(b"x")
        assert pairs("a[1].png") == [("a[1].png", "out/a[1].png")]

    def test_a_file_counts_once(self) -> None:
        assert pairs("a.png", "./a.png", "*.png") == [("a.png", "out/a.png")]

    def test_outputs_of_an_earlier_run_are_no_inputs(self, here: Path) -> None:
        (here / "in" / "out").mkdir()
        (here / "in" / "out" / "z.png").write_bytes(b"x")
        found = pairs("in", output="in/out", recursive=True)
        assert ("in/deep/d.tif", "in/out/deep/d.tif") in found
        assert not any("z.png" in source for source, _ in found)

    def test_linked_folders_are_entered_once(self, here: Path) -> None:
        (here / "elsewhere" / "far").mkdir(parents=True)
        (here / "elsewhere" / "far" / "e.png").write_bytes(b"x")
        (here / "in" / "a-link").symlink_to(here / "elsewhere")
        (here / "in" / "again").symlink_to(here / "in" / "deep")
        (here / "in" / "deep" / "loop").symlink_to(here / "in")
        (here / "elsewhere" / "loop").symlink_to(here / "elsewhere")
        assert pairs("in", recursive=True) == [
            ("in/a.png", "out/a.png"),
            ("in/deep/a.png", "out/deep/a.png"),
            ("in/deep/d.tif", "out/deep/d.tif"),
            ("in/a-link/far/e.png", "out/a-link/far/e.png"),
        ]
        assert pairs("in") == [("in/a.png", "out/a.png")]


@pytest.mark.usefixtures("here")
def test_a_folder_that_cannot_be_read_is_no_empty_one(monkeypatch: pytest.MonkeyPatch) -> None:
    scandir = os.scandir

    def locked(path: Any) -> Any:
        if os.fspath(path).endswith("deep"):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", locked)
    with pytest.raises(MediaError, match="cannot read the folder in/deep: Permission denied"):
        plan(["in"], "out", recursive=True)
    assert len(plan(["in"], "out").jobs) == 1


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("inputs", "output", "options", "message"),
    [
        (["a.png", "in/a.png"], "out", {}, "a.png and in/a.png would both be written to out/a.png"),
        (["a.png", "b.JPG"], "x.png", {}, "2 pictures.*give a folder"),
        (["in"], "x.png", {}, "give a folder"),
        (["*.webp"], "out", {}, "nothing fits"),
        (["empty"], "out", {}, "no pictures found.*--recursive"),
        (["a.png"], "x.bmp", {}, r"'\.bmp'; pictures can be written as \.png"),
        (["a.png"], "x.png", {"format_name": "jpeg"}, "--format is jpeg"),
        (["a.png"], "b.JPG", {}, "b.JPG exists.*another name.*--overwrite"),
        (["a.png"], "in", {}, "in/a.png exists.*--skip-existing.*--overwrite"),
        (["a.png"], "x.png", {"overwrite": True, "skip_existing": True}, "exclude each other"),
        (["a.png"], "a.png", {"overwrite": True}, "is an input"),
        (["in"], "in", {"overwrite": True}, "is an input"),
        (["a.png", "b.JPG"], ".", {"overwrite": True}, "is an input"),
    ],
)
def test_refused(inputs: list[str], output: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        plan(inputs, output, **options)  # type: ignore[arg-type]
    assert not Path("out").exists()


@pytest.mark.usefixtures("here")
def test_a_folder_that_cannot_be_made() -> None:
    for output in ("in/a.png/sub", "in/a.png/sub/below", "in/a.png/"):
        with pytest.raises(OutputError, match="not a folder"):
            plan(["a.png", "b.JPG"], output)
