from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from torch import Tensor

from restore_rt.cli import run
from restore_rt.training import objective
from restore_rt.training.checkpoint import load_checkpoint
from tests.training.conftest import TEXT, write_pictures


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Return the command, with the tiny recipe, but with this process's memory left alone."""
    monkeypatch.setattr("restore_rt.cli.train._keep_freed_memory", lambda: None)
    (tmp_path / "tiny.toml").write_text(TEXT)
    write_pictures(tmp_path / "data")

    def start(*options: str, data: Path = tmp_path / "data") -> int:
        where = ["--data", str(data), "--run", str(tmp_path / "run")]
        return run(["train", str(tmp_path / "tiny.toml"), *where, *options])

    return start


def test_the_command_trains_and_resumes(
    command: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    last = tmp_path / "run" / "last.pt"
    assert command("--stop-after", "5") == 0
    assert capsys.readouterr().out == f"{last}\n"
    assert command() == 2
    assert "has a run already" in capsys.readouterr().err
    assert command("--resume") == 0
    assert load_checkpoint(last)["step"] == 12


def test_errors_are_one_line(
    command: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(data=tmp_path / "none") == 2
    assert (
        capsys.readouterr()
        .err.splitlines()[-1]
        .startswith("restore-rt: error: cannot list the folder")
    )
    assert command("--threads", "0") == 2
    (tmp_path / "tiny.toml").write_text(TEXT.replace("seed", "seeds"))
    capsys.readouterr()
    assert command() == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "tiny.toml: unknown key 'seeds'; allowed here: seed" in line
    (tmp_path / "tiny.toml").write_text(TEXT)
    (tmp_path / "run").write_bytes(b"")
    assert command() == 1
    assert "cannot write" in capsys.readouterr().err.splitlines()[-1]


def test_a_gpu_that_is_not_there_is_no_cpu(
    command: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert command("--device", "cuda") == 2
    assert "PyTorch finds no GPU" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("after", "advice"), [(3, "before the first checkpoint"), (5, "--resume goes on")]
)
def test_a_stopped_command_says_how_to_go_on(
    command: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    after: int,
    advice: str,
) -> None:
    calls = iter(range(100))

    def stops(output: Tensor, target: Tensor) -> Tensor:
        if next(calls) == after:
            raise KeyboardInterrupt
        return (output - target).abs().mean()

    monkeypatch.setattr(objective, "LOSSES", {"l1": stops})
    assert command() == 130
    assert advice in capsys.readouterr().err


def test_a_finished_run_has_nothing_left_to_do(
    command: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("--stop-after", "1") == 0
    capsys.readouterr()
    assert command("--resume", "--stop-after", "1", data=tmp_path / "none") == 0
    said = capsys.readouterr()
    assert said.out == f"{tmp_path / 'run' / 'last.pt'}\n"
    assert "nothing left to do" in said.err


def test_threads_prepare_pictures_too(
    command: Callable[..., int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    set_for_pytorch: list[int] = []
    given: list[int] = []

    def train(*args: object, threads: int, **options: object) -> Path:
        given.append(threads)
        return tmp_path

    monkeypatch.setattr("torch.set_num_threads", set_for_pytorch.append)
    monkeypatch.setattr("restore_rt.training.trainer.train", train)
    assert command("--threads", "3") == 0
    assert command() == 0
    assert (set_for_pytorch, given) == ([3], [3, 2])


@pytest.mark.parametrize(("stop", "total"), [((), 12), (("--stop-after", "5"), 5)])
def test_the_bar_ends_where_the_run_does(
    command: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
    stop: tuple[str, ...],
    total: int,
) -> None:
    totals: list[int] = []
    done: list[int] = []

    @contextmanager
    def progress(label: str, total: int, unit: str) -> Iterator[Callable[[int], None]]:
        totals.append(total)
        yield done.append

    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setattr("restore_rt.cli.train.progress", progress)
    assert command(*stop) == 0
    assert totals == [total]
    assert sum(done) == total


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
    ],
)
def test_too_little_memory_names_what_takes_it(
    command: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
) -> None:
    def fails(output: Tensor, target: Tensor) -> Tensor:
        raise error

    monkeypatch.setattr(objective, "LOSSES", {"l1": fails})
    assert command() == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("restore-rt: error: out of memory: lower data.batch, which is 3")
    assert "data.patch, which is 12" in line
    assert "data.cache.count, which is 6" in line


def test_other_errors_are_not_taken_for_too_little_memory(
    command: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fails(output: Tensor, target: Tensor) -> Tensor:
        raise RuntimeError("the sizes do not match")

    monkeypatch.setattr(objective, "LOSSES", {"l1": fails})
    assert command() == 1
    assert "the sizes do not match" in capsys.readouterr().err


def test_without_pytorch_the_error_names_the_extra(
    command: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    assert command() == 2
    assert "pip install 'restore-rt[train]'" in capsys.readouterr().err
