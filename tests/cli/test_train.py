from __future__ import annotations

import itertools
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from torch import Tensor

from restore_rt.cli.train import _bar
from restore_rt.training.loop import objective
from restore_rt.training.loop.checkpoint import load_checkpoint
from tests.cli.command import only_line
from tests.cli.conftest import Cli, Said
from tests.training.conftest import TEXT, write_pictures


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli) -> Iterator[Cli]:
    """Return the command, with the tiny recipe, but with this process's memory left alone."""
    monkeypatch.setattr("restore_rt.cli.train._keep_freed_memory", lambda: None)
    (tmp_path / "tiny.toml").write_text(TEXT)
    write_pictures(tmp_path / "data")

    def start(*options: str, data: Path = tmp_path / "data", code: int = 0) -> Said:
        where = ["--data", data, "--run", tmp_path / "run"]
        return cli("train", tmp_path / "tiny.toml", *where, *options, code=code)

    # Whoever runs the tests may ignore the signal.
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield start
    signal.signal(signal.SIGINT, former)


def test_the_command_trains_and_resumes(command: Cli, tmp_path: Path) -> None:
    last = tmp_path / "run" / "last.pt"
    assert command("--stop-after", "5").out == f"{last}\n"
    assert "has a run already" in command(code=2).err
    command("--resume")
    assert load_checkpoint(last)["step"] == 12


def test_errors_are_one_line(command: Cli, tmp_path: Path) -> None:
    line = command(data=tmp_path / "none", code=2).err.splitlines()[-1]
    assert line.startswith("restore-rt: error: cannot list the folder")
    command("--threads", "0", code=2)
    (tmp_path / "tiny.toml").write_text(TEXT.replace("seed", "seeds"))
    line = only_line(command(code=2).err)
    assert "tiny.toml: unknown key 'seeds'; allowed here: seed" in line
    (tmp_path / "tiny.toml").write_text(TEXT)
    (tmp_path / "run").write_bytes(b"")
    assert "cannot write" in command(code=1).err.splitlines()[-1]


def test_a_gpu_that_is_not_there_is_no_cpu(command: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert "PyTorch finds no GPU" in command("--device", "cuda", code=2).err


SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_the_first_signal_lets_the_step_end_and_keeps_it(
    command: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, code: int
) -> None:
    former = [signal.getsignal(each) for each, _ in SIGNALS]
    in_step(6, lambda: signal.raise_signal(number), monkeypatch)
    said = command(code=code)
    last = tmp_path / "run" / "last.pt"
    content = load_checkpoint(last)
    # The last validation was at step 4.
    assert (content["step"], len(content["losses"])) == (6, 2)
    assert said.out == ""
    assert said.err.count("stopp") == 2
    *_, first, after = said.err.splitlines()
    assert "stopping after this step" in first
    assert after == f"restore-rt: stopped after step 6 of 12; --resume goes on from {last}"
    assert "interrupted" not in said.err
    assert [signal.getsignal(each) for each, _ in SIGNALS] == former
    command("--resume")


def test_the_second_signal_stops_at_once(
    command: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def twice() -> None:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)

    in_step(6, twice, monkeypatch)
    said = command(code=130).err
    assert load_checkpoint(tmp_path / "run" / "last.pt")["step"] == 4
    assert said.endswith("stopped; --resume goes on from the last checkpoint\n")


def test_a_signal_before_the_first_step_stops_at_once(
    command: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*args: object, **options: object) -> None:
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("restore_rt.training.loop.trainer.load_data", interrupted)
    assert "stopped before the first checkpoint; start again" in command(code=130).err
    assert not (tmp_path / "run").exists()


def test_a_signal_in_the_last_step_is_too_late(
    command: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_step(12, lambda: signal.raise_signal(signal.SIGINT), monkeypatch)
    assert command().out == f"{tmp_path / 'run' / 'last.pt'}\n"


def test_a_signal_that_is_ignored_stays_so(command: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    in_step(6, lambda: signal.raise_signal(signal.SIGINT), monkeypatch)
    former = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        command()
    finally:
        signal.signal(signal.SIGINT, former)


def in_step(number: int, act: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Have something done in the midst of a step, counted from 1."""
    steps = itertools.count(1)

    def loss(output: Tensor, target: Tensor) -> Tensor:
        if next(steps) == number:
            act()
        return (output - target).abs().mean()

    monkeypatch.setattr(objective, "LOSSES", {"l1": loss})


@pytest.mark.parametrize(
    ("after", "advice"), [(3, "before the first checkpoint"), (5, "--resume goes on")]
)
def test_a_stopped_command_says_how_to_go_on(
    command: Cli, monkeypatch: pytest.MonkeyPatch, after: int, advice: str
) -> None:
    calls = iter(range(100))

    def stops(output: Tensor, target: Tensor) -> Tensor:
        if next(calls) == after:
            raise KeyboardInterrupt
        return (output - target).abs().mean()

    monkeypatch.setattr(objective, "LOSSES", {"l1": stops})
    said = command(code=130).err
    assert advice in said
    assert "interrupted" not in said


def test_a_finished_run_has_nothing_left_to_do(command: Cli, tmp_path: Path) -> None:
    command("--stop-after", "1")
    said = command("--resume", "--stop-after", "1", data=tmp_path / "none")
    assert said.out == f"{tmp_path / 'run' / 'last.pt'}\n"
    assert "nothing left to do" in said.err


def test_threads_prepare_pictures_too(
    command: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    set_for_pytorch: list[int] = []
    given: list[int] = []

    def train(*args: object, threads: int, **options: object) -> Path:
        given.append(threads)
        return tmp_path

    monkeypatch.setattr("torch.set_num_threads", set_for_pytorch.append)
    monkeypatch.setattr("restore_rt.training.loop.trainer.train", train)
    command("--threads", "3")
    command()
    assert (set_for_pytorch, given) == ([3], [3, 2])


@pytest.mark.parametrize(("stop", "total"), [((), 12), (("--stop-after", "5"), 5)])
def test_the_bar_ends_where_the_run_does(
    command: Cli, monkeypatch: pytest.MonkeyPatch, stop: tuple[str, ...], total: int
) -> None:
    totals: list[int] = []
    done: list[int] = []

    @contextmanager
    def bar(label: str, end: int) -> Iterator[Callable[[int, str], None]]:
        totals.append(end)
        yield lambda step, figures: done.append(step)

    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setattr("restore_rt.cli.train._bar", bar)
    command(*stop)
    assert totals == [total]
    assert done == list(range(total + 1))


def test_the_bar_shows_the_figures_of_the_last_step(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("TERM", "xterm"), ("COLUMNS", "150"), ("FORCE_COLOR", "1")):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with _bar("tiny-x2", 12) as follow:
        follow(4, "")
        follow(5, "loss 0.12345  3.0 steps/s [x]")
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", capsys.readouterr().err)
    assert re.search(r"tiny-x2 .* 5/12 +loss 0\.12345  3\.0 steps/s \[x\] .*left", shown)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
    ],
)
def test_too_little_memory_names_what_takes_it(
    command: Cli, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fails(output: Tensor, target: Tensor) -> Tensor:
        raise error

    monkeypatch.setattr(objective, "LOSSES", {"l1": fails})
    line = command(code=1).err.splitlines()[-1]
    assert line.startswith("restore-rt: error: out of memory: lower data.batch, which is 3")
    assert "data.patch, which is 12" in line
    assert "data.cache.count, which is 6" in line


def test_other_errors_are_not_taken_for_too_little_memory(
    command: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(output: Tensor, target: Tensor) -> Tensor:
        raise RuntimeError("the sizes do not match")

    monkeypatch.setattr(objective, "LOSSES", {"l1": fails})
    assert "the sizes do not match" in command(code=1).err


def test_without_pytorch_the_error_names_the_extra(
    command: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    assert "pip install 'restore-rt[train]'" in command(code=2).err
