from __future__ import annotations

import multiprocessing
import time
from pathlib import Path
from typing import Any, cast

import pytest

from restore_rt.cache import cache_folder, engines_folder, make_cache_folder
from restore_rt.errors import OutputError
from restore_rt.gpu.properties import Gpu
from restore_rt.tensorrt.cache import engine_path, one_builder, timing_path
from restore_rt.tensorrt.library import Library
from restore_rt.tensorrt.profile import Profile

ADA = Gpu("NVIDIA GeForce RTX 4070", (8, 9))
LIBRARY = Library("rtx", "1.7.1.116", cast(Any, None))
USUAL: dict[str, Any] = {
    "name": "photo-x2",
    "onnx_sha256": "ab" * 32,
    "library": LIBRARY,
    "target": "sm89",
    "gpu": ADA,
    "profile": Profile.parse("1x64x64"),
}


def test_the_folder_is_that_of_the_variables(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("RESTORE_RT_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache_folder() == tmp_path / ".cache" / "restore_rt"
    # Its specification says to ignore relative ones.
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_folder() == tmp_path / ".cache" / "restore_rt"
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert cache_folder() == Path("/xdg/restore_rt")
    monkeypatch.setenv("RESTORE_RT_CACHE", "~/own")
    assert cache_folder() == tmp_path / "own"
    assert engines_folder() == tmp_path / "own" / "engines"
    assert list(tmp_path.iterdir()) == []


def test_everything_that_an_engine_depends_on_changes_its_name() -> None:
    changes: list[dict[str, Any]] = [
        {},
        {"onnx_sha256": "cd" * 32},
        {"library": Library("rtx", "1.8.0", cast(Any, None))},
        {"library": Library("tensorrt", "1.7.1.116", cast(Any, None))},
        {"target": "exact"},
        {"gpu": Gpu("NVIDIA L4", (8, 9))},
        {"gpu": Gpu(ADA.name, (8, 6))},
        {"profile": Profile.parse("2x64x64")},
        {"profile": Profile.parse("1x64x64:2x64x64:2x64x64")},
    ]
    paths = [engine_path(Path("folder"), **(USUAL | change)) for change in changes]
    assert len(set(paths)) == len(changes)
    assert engine_path(Path("folder"), **USUAL) == paths[0]
    for path in paths:
        assert path.parent == Path("folder")
        assert path.name.startswith("photo-x2-")
        assert path.suffix == ".engine"


@pytest.mark.parametrize("name", ["a b:c*?", "ümlaut", "..", "x" * 300, "tab\there"])
def test_any_name_of_a_model_makes_a_name_of_a_file(name: str, tmp_path: Path) -> None:
    path = engine_path(tmp_path, **(USUAL | {"name": name}))
    assert path.parent == tmp_path
    path.touch()
    assert len(path.name) < 120
    assert path.name.isascii()


def test_measurements_are_of_a_library_on_a_gpu() -> None:
    first = timing_path(Path(), LIBRARY, ADA)
    assert first != timing_path(Path(), LIBRARY, Gpu("NVIDIA L4", (8, 9)))
    assert first != timing_path(Path(), Library("rtx", "1.8", cast(Any, None)), ADA)


def test_a_folder_that_cannot_be_written_is_named_with_the_variable(tmp_path: Path) -> None:
    make_cache_folder(tmp_path / "a" / "b")
    make_cache_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"file/b: .*set RESTORE_RT_CACHE to a folder"):
        make_cache_folder(tmp_path / "file" / "b")


def work(path: str, marks: str) -> None:
    """Note when building begins and ends."""
    with one_builder(Path(path)), Path(marks).open("a") as file:
        file.write("begin\n")
        file.flush()
        time.sleep(0.05)
        file.write("end\n")


def test_one_process_builds_at_a_time(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    marks = tmp_path / "marks"
    workers = [
        context.Process(target=work, args=(str(tmp_path / "m.engine"), str(marks)))
        for _ in range(3)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert marks.read_text().split() == ["begin", "end"] * 3


def test_a_builder_that_fails_lets_go(tmp_path: Path) -> None:
    path = tmp_path / "m.engine"
    for _ in range(2):
        with pytest.raises(KeyError), one_builder(path):
            raise KeyError
