"""Output files appear whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from restore_rt.errors import InputError, OutputError
from restore_rt.files import check_target, whole_file


def test_appears_at_the_end_only(tmp_path: Path) -> None:
    path = tmp_path / "out.png"
    with whole_file(path) as temporary:
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".png"
        temporary.write_bytes(b"data")
        assert not path.exists()
    assert path.read_bytes() == b"data"
    assert list(tmp_path.iterdir()) == [path]
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, MemoryError])
def test_an_error_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    def write() -> None:
        with whole_file(tmp_path / "out.png") as temporary:
            temporary.write_bytes(b"half")
            raise error

    with pytest.raises(error):
        write()
    assert list(tmp_path.iterdir()) == []


def test_an_error_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "out.png"
    path.write_bytes(b"old")

    def fail() -> None:
        with whole_file(path, overwrite=True) as temporary:
            temporary.write_bytes(b"half")
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    assert path.read_bytes() == b"old"
    with whole_file(path, overwrite=True) as temporary:
        temporary.write_bytes(b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444])
def test_a_replaced_file_keeps_its_permissions(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "out.png"
    path.write_bytes(b"old")
    path.chmod(mode)
    with whole_file(path, overwrite=True) as temporary:
        assert stat.S_IMODE(temporary.stat().st_mode) == mode | 0o600
        temporary.write_bytes(b"new")
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_existing_is_refused_even_if_it_came_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "out.png"
    with pytest.raises(InputError, match="--overwrite"), whole_file(path):
        path.write_bytes(b"theirs")
    assert path.read_bytes() == b"theirs"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("code", "fix"),
    [(errno.ENOSPC, "disk is full"), (errno.EDQUOT, "quota"), (errno.EFBIG, "limit")],
)
def test_a_full_disk(tmp_path: Path, code: int, fix: str) -> None:
    with pytest.raises(OutputError, match=rf"out\.png.*{fix}"), whole_file(tmp_path / "out.png"):
        raise OSError(code, os.strerror(code))
    assert list(tmp_path.iterdir()) == []


def test_errors_that_are_not_about_the_output_pass(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), whole_file(tmp_path / "out.png"):
        Path(tmp_path / "input.png").read_bytes()


def test_paths_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="folder does not exist"):
        check_target(tmp_path / "no" / "out.png")
    with pytest.raises(OutputError, match="is a file, not a folder"):
        check_target(tmp_path / "file" / "out.png")
    with pytest.raises(OutputError, match="name is too long"):
        check_target(tmp_path / ("x" * 300))
    with pytest.raises(InputError, match="a folder"):
        check_target(tmp_path, overwrite=True)
    with pytest.raises(InputError, match="not a regular file"):
        check_target(Path("/dev/null"), overwrite=True)


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    link = tmp_path / "out.png"
    link.symlink_to(tmp_path / "there" / "real.png")
    with whole_file(link) as temporary:
        temporary.write_bytes(b"data")
    assert link.is_symlink()
    assert (tmp_path / "there" / "real.png").read_bytes() == b"data"


def left_behind(folder: Path) -> Path:
    """The temporary file of a process that was killed."""
    code = (
        "import os, pathlib, sys; from restore_rt.files import whole_file\n"
        "with whole_file(pathlib.Path(sys.argv[1])) as path:\n"
        "    path.write_bytes(b'half'); print(path.name, flush=True); os.kill(os.getpid(), 9)"
    )
    line = [sys.executable, "-c", code, str(folder / "killed.png")]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == -9
    return folder / done.stdout.strip()


def test_what_a_killed_process_left_is_cleared(tmp_path: Path) -> None:
    old = left_behind(tmp_path)
    assert old.read_bytes() == b"half"
    (tmp_path / ".restore-rt-0123456789ab").mkdir()
    (tmp_path / ".restore-rt-notes.txt").write_bytes(b"mine")
    with whole_file(tmp_path / "out.png") as temporary:
        assert not old.exists()
        temporary.write_bytes(b"data")
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [".restore-rt-0123456789ab", ".restore-rt-notes.txt", "out.png"]


def test_what_a_living_process_writes_is_not_cleared(tmp_path: Path) -> None:
    code = (
        "import pathlib, sys; from restore_rt.files import whole_file\n"
        "with whole_file(pathlib.Path(sys.argv[1])) as path:\n"
        "    path.write_bytes(b'theirs'); print(flush=True); sys.stdin.read()"
    )
    line = [sys.executable, "-c", code, str(tmp_path / "other.png")]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with whole_file(tmp_path / "out.png") as temporary:
            temporary.write_bytes(b"data")
        other.communicate(b"", timeout=60)
    assert other.returncode == 0
    assert (tmp_path / "other.png").read_bytes() == b"theirs"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.png", "out.png"]


def test_two_files_at_once_in_one_process(tmp_path: Path) -> None:
    with whole_file(tmp_path / "a.png") as first:
        first.write_bytes(b"a")
        with whole_file(tmp_path / "b.png") as second:
            second.write_bytes(b"b")
    assert (tmp_path / "a.png").read_bytes() == b"a"
    assert (tmp_path / "b.png").read_bytes() == b"b"
