from __future__ import annotations

import csv
import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn

from restore_rt.errors import InputError, OutputError
from restore_rt.training import __main__ as stage
from restore_rt.training import trainer
from restore_rt.training.checkpoint import load_checkpoint, load_weights, save_checkpoint
from restore_rt.training.networks import NETWORKS
from restore_rt.training.recipe import Recipe
from restore_rt.training.trainer import TrainingError, learning_rate, train


def quiet(line: str) -> None:
    pass


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def same(a: object, b: object) -> bool:
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and torch.equal(a, b)
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    return a == b


@pytest.mark.parametrize("broken_off", [4, 7])
def test_a_resumed_run_equals_an_unbroken_one(
    recipe_of: Callable[..., Recipe], pictures: Path, tmp_path: Path, broken_off: int
) -> None:
    recipe = recipe_of()
    whole = train(recipe, pictures, tmp_path / "whole", say=quiet)
    train(recipe, pictures, tmp_path / "parts", stop_after=broken_off, say=quiet)
    parts = train(recipe, pictures, tmp_path / "parts", resume=True, say=quiet)
    expected, actual = load_checkpoint(whole), load_checkpoint(parts)
    assert expected["step"] == actual["step"] == 12
    for part in ("network", "average", "best", "metrics", "losses"):
        assert same(expected[part], actual[part]), part
    assert same(expected["adam"]["state"], actual["adam"]["state"])
    tables = [rows(tmp_path / run / "metrics.csv") for run in ("whole", "parts")]
    assert [row["step"] for row in tables[1]] == ["4", "8", "12"]
    assert tables[0] == tables[1]


def test_a_run_that_stops_between_validations_says_so(
    recipe_of: Callable[..., Recipe], pictures: Path, tmp_path: Path
) -> None:
    state = load_checkpoint(train(recipe_of(), pictures, tmp_path / "run", stop_after=6, say=quiet))
    assert (state["step"], state["metrics"]["validation_step"]) == (6, 4)
    assert len(state["losses"]) == 2
    with pytest.raises(InputError, match="stop_after is 0; must be at least 1"):
        train(recipe_of(), pictures, tmp_path / "other", stop_after=0, say=quiet)
    assert not (tmp_path / "other").exists()


def test_a_run_killed_between_its_checkpoints_keeps_its_best(
    recipe_of: Callable[..., Recipe],
    pictures: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    train(recipe_of(), pictures, tmp_path / "whole", say=quiet)
    written = 0

    def killed(path: Path, state: dict[str, Any]) -> None:
        nonlocal written
        written += 1
        if written == 4:
            raise KeyboardInterrupt
        save_checkpoint(path, state)

    monkeypatch.setattr(trainer, "save_checkpoint", killed)
    with pytest.raises(KeyboardInterrupt):
        train(recipe_of(), pictures, tmp_path / "parts", say=quiet)
    train(recipe_of(), pictures, tmp_path / "parts", resume=True, say=quiet)
    whole, parts = (load_checkpoint(tmp_path / run / "best.pt") for run in ("whole", "parts"))
    assert whole["step"] == parts["step"]
    assert same(whole["average"], parts["average"])


def test_the_average_is_validated_as_it_will_be_used(
    recipe_of: Callable[..., Recipe],
    pictures: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    modes = set()

    class Normed(nn.Module):
        def __init__(self, *, scale: int, colour: str) -> None:
            super().__init__()
            self.norm = nn.BatchNorm2d(1)
            self.layer = nn.Conv2d(1, scale**2, 1)
            self.scale = scale

        def forward(self, x: Tensor) -> Tensor:
            modes.add((torch.is_grad_enabled(), self.training))
            return nn.functional.pixel_shuffle(self.layer(self.norm(x)), self.scale)

    monkeypatch.setitem(cast("dict[str, type]", NETWORKS), "normed", Normed)
    recipe = recipe_of(('"compact"', '"normed"'), ("{ width = 4, depth = 3 }", "{}"))
    modes.clear()
    state = load_checkpoint(train(recipe, pictures, tmp_path / "run", say=quiet))
    assert modes == {(True, True), (False, False)}
    for buffer in ("norm.running_mean", "norm.running_var", "norm.num_batches_tracked"):
        assert torch.equal(state["average"][buffer], state["network"][buffer])
    assert state["average"]["norm.num_batches_tracked"] == 12


def test_training_brings_the_loss_down(
    recipe_of: Callable[..., Recipe], pictures: Path, tmp_path: Path
) -> None:
    recipe = recipe_of(("steps = 12", "steps = 60"), ("epoch = 4", "epoch = 10"))
    train(recipe, pictures, tmp_path / "run", say=quiet)
    table = rows(tmp_path / "run" / "metrics.csv")
    assert float(table[-1]["loss"]) < 0.9 * float(table[0]["loss"])
    assert float(table[-1]["clean"]) > float(table[0]["clean"])


def test_the_first_value_that_is_no_number_stops_the_run(
    recipe_of: Callable[..., Recipe],
    pictures: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = iter(range(100))

    def breaks(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        loss = (output - target).abs().mean()
        return loss * float("nan") if next(calls) == 5 else loss

    monkeypatch.setattr(trainer, "LOSSES", {"l1": breaks})
    with pytest.raises(TrainingError, match="step 6: loss is nan"):
        train(recipe_of(), pictures, tmp_path / "run", say=quiet)
    assert load_checkpoint(tmp_path / "run" / "last.pt")["step"] == 4


def test_a_run_is_neither_overwritten_nor_invented(
    recipe_of: Callable[..., Recipe], pictures: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    with pytest.raises(InputError, match="nothing to resume"):
        train(recipe_of(), pictures, run, resume=True, say=quiet)
    train(recipe_of(), pictures, run, stop_after=1, say=quiet)
    with pytest.raises(InputError, match="has a run already"):
        train(recipe_of(), pictures, run, say=quiet)
    # Found out before the pictures, which are not there, are looked for.
    with pytest.raises(InputError, match="another recipe"):
        train(recipe_of(("seed = 7", "seed = 8")), tmp_path / "none", run, resume=True, say=quiet)


def test_the_rate_warms_up_and_falls(recipe_of: Callable[..., Recipe]) -> None:
    optim = recipe_of().optim
    rates = [learning_rate(optim, step) for step in range(12)]
    assert rates[0] == pytest.approx(optim.rate / 2)
    assert rates[1] == rates[2] == pytest.approx(optim.rate)
    assert rates[2:] == sorted(rates[2:], reverse=True)
    assert learning_rate(optim, 12) == pytest.approx(optim.rate_end)


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    save_checkpoint(path, {"step": 3})
    assert load_checkpoint(path)["step"] == 3
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(InputError, match=r"last\.pt cannot be read as a checkpoint"):
        load_checkpoint(path)
    with pytest.raises(InputError, match="no checkpoint at"):
        load_checkpoint(tmp_path / "none.pt")


def test_a_full_disk_is_one_error_and_leaves_the_former_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "last.pt"
    save_checkpoint(path, {"step": 3})

    def full(self: Path, data: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match=r"cannot write .*last\.pt: the disk is full"):
        save_checkpoint(path, {"step": 4})
    assert load_checkpoint(path)["step"] == 3
    assert list(tmp_path.iterdir()) == [path]


def test_weights_of_another_network_are_one_error() -> None:
    with pytest.raises(InputError, match=r"last\.pt does not fit .*weight") as caught:
        load_weights(nn.Conv2d(1, 1, 1), {}, Path("last.pt"))
    assert "\n" not in str(caught.value)


@pytest.fixture
def command(
    text: str, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., int]:
    """Return the command, with the tiny recipe, but with this process's memory left alone."""
    monkeypatch.setattr(stage, "_keep_freed_memory", lambda: None)
    (tmp_path / "tiny.toml").write_text(text)

    def run(*options: str, data: Path = pictures) -> int:
        where = ["--data", str(data), "--run", str(tmp_path / "run")]
        return stage.main([str(tmp_path / "tiny.toml"), *where, *options])

    return run


def test_the_command_trains_and_resumes(command: Callable[..., int], tmp_path: Path) -> None:
    assert command() == 0
    assert load_checkpoint(tmp_path / "run" / "last.pt")["step"] == 12
    assert command() == 2
    assert command("--resume") == 0


def test_the_command_reports_an_error_in_one_line(
    command: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(data=tmp_path / "none") == 2
    error = capsys.readouterr().err
    assert error.startswith("error: cannot list the folder")
    assert error.count("\n") == 1
    (tmp_path / "run").write_bytes(b"")
    assert command() == 1
    assert capsys.readouterr().err.startswith("error: cannot write")
    with pytest.raises(SystemExit, match="2"):
        command("--threads", "-1")


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

    monkeypatch.setattr(trainer, "LOSSES", {"l1": stops})
    assert command() == 130
    error = capsys.readouterr().err
    assert error.startswith("stopped")
    assert advice in error
