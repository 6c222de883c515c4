from __future__ import annotations

import errno
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from restore_rt.errors import InputError, OutputError
from restore_rt.training.loop.folder import check_unused, run_folder
from tests.training.conftest import quiet

HOLD = """
import sys, time
from pathlib import Path
from restore_rt.training.loop.folder import run_folder
with run_folder(Path(sys.argv[1]), print):
    print("here", flush=True)
    time.sleep(60)
"""


def names_in(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.iterdir())


def test_a_folder_is_lent_to_one_process_until_it_dies(tmp_path: Path) -> None:
    run = tmp_path / "run"
    line = [sys.executable, "-c", HOLD, str(run)]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "here\n"
        with (
            pytest.raises(InputError, match=r"another process is training in .*run; let it end"),
            run_folder(run, quiet),
        ):
            pass
        assert names_in(run) == [".lock", "samples"]
        process.send_signal(signal.SIGKILL)
    with run_folder(run, quiet):
        assert names_in(run) == [".lock", "samples"]
    assert names_in(run) == ["samples"]


def test_a_lock_that_its_owner_removed_meanwhile_keeps_nobody_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def removed(*args: Any) -> None:
        (tmp_path / ".lock").unlink()

    monkeypatch.setattr("fcntl.flock", removed)
    with pytest.raises(InputError, match="another process"), run_folder(tmp_path, quiet):
        pass


def test_a_file_system_without_locks_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*args: Any) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr("fcntl.flock", unknown)
    lines: list[str] = []
    with run_folder(tmp_path, lines.append):
        pass
    (line,) = lines
    assert "cannot be locked (Function not implemented)" in line


def test_an_error_leaves_no_new_folder(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    for run in (tmp_path / "new" / "deep", tmp_path / "kept"):
        with pytest.raises(KeyError), run_folder(run, quiet):
            raise KeyError
    assert [path.name for path in tmp_path.rglob("*")] == ["kept"]

    def write_and_fail() -> None:
        with run_folder(tmp_path / "new", quiet):
            (tmp_path / "new" / "last.pt").touch()
            raise KeyError

    with pytest.raises(KeyError):
        write_and_fail()
    assert names_in(tmp_path / "new") == ["last.pt"]


@pytest.mark.parametrize("asks", ["exists", "mkdir", "open"])
def test_a_folder_without_permission_is_one_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asks: str
) -> None:
    def refused(self: Path, *args: Any, **options: Any) -> bool:
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(Path, asks, refused)
    with (
        pytest.raises(OutputError, match=r"cannot write .*run: permission denied; write elsewhere"),
        run_folder(tmp_path / "run", quiet),
    ):
        pass


def test_a_name_that_cannot_be_is_one_error(tmp_path: Path) -> None:
    with (
        pytest.raises(OutputError, match="the name is too long"),
        run_folder(tmp_path / ("x" * 300), quiet),
    ):
        pass


def a_file(path: Path) -> None:
    path.write_text("mine")


def a_folder(path: Path) -> None:
    path.mkdir()
    (path / "old").touch()


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("recipe.toml", a_file),
        ("best.pt", a_file),
        ("metrics.csv", a_file),
        ("metrics.json", a_file),
        ("samples", a_folder),
        ("tensorboard", a_folder),
    ],
)
def test_what_a_new_run_would_write_over_is_refused(
    tmp_path: Path, name: str, make: Callable[[Path], None]
) -> None:
    make(tmp_path / name)
    with pytest.raises(InputError, match=rf"{name} exists, and .* over it; move it away, or name"):
        check_unused(tmp_path, "seed = 1\n")


def test_what_a_failed_start_leaves_and_what_is_no_run_s_is_not_refused(tmp_path: Path) -> None:
    for empty in ("samples", "tensorboard"):
        (tmp_path / empty).mkdir()
    (tmp_path / "recipe.toml").write_bytes(b"seed = 1\r\n")
    (tmp_path / "notes.txt").touch()
    check_unused(tmp_path, "seed = 1\n")
    (tmp_path / "recipe.toml").write_bytes(b"\xff")
    with pytest.raises(InputError, match=r"recipe\.toml exists"):
        check_unused(tmp_path, "seed = 1\n")


def test_a_folder_that_may_not_be_listed_is_one_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(self: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    (tmp_path / "samples").mkdir()
    monkeypatch.setattr(Path, "iterdir", refused)
    with pytest.raises(OutputError, match="permission denied"):
        check_unused(tmp_path, "seed = 1\n")
