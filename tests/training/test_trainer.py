from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from restore_rt.errors import InputError
from restore_rt.training import trainer
from restore_rt.training.__main__ import main
from restore_rt.training.checkpoint import load_checkpoint, save_checkpoint
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
    for part in ("network", "average", "best", "metrics"):
        assert same(expected[part], actual[part]), part
    assert same(expected["adam"]["state"], actual["adam"]["state"])
    tables = [rows(tmp_path / run / "metrics.csv") for run in ("whole", "parts")]
    assert [row["step"] for row in tables[1]] == ["4", "8", "12"]
    assert [row["clean"] for row in tables[0]] == [row["clean"] for row in tables[1]]


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
    with pytest.raises(InputError, match="another recipe"):
        train(recipe_of(("seed = 7", "seed = 8")), pictures, run, resume=True, say=quiet)


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


def test_the_command_reports_an_error_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["video-x2", "--data", str(tmp_path), "--run", str(tmp_path / "run")])
    assert code == 1
    error = capsys.readouterr().err
    assert error.startswith("error: no folder")
    assert error.count("\n") == 1
