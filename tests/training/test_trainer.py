from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from restore_rt.errors import InputError, OutputError
from restore_rt.training.loop import trainer
from restore_rt.training.loop.checkpoint import load_checkpoint, save_checkpoint
from restore_rt.training.loop.trainer import TrainingError, train
from tests.training.conftest import RecipeOf, quiet, rows


def test_a_run_that_stops_between_validations_says_so(
    recipe_of: RecipeOf, pictures: Path, tmp_path: Path
) -> None:
    content = load_checkpoint(
        train(recipe_of(), pictures, tmp_path / "run", stop_after=6, say=quiet)
    )
    assert (content["step"], content["metrics"]["validation_step"]) == (6, 4)
    assert len(content["losses"]) == 2
    with pytest.raises(InputError, match="stop_after is 0; must be at least 1"):
        train(recipe_of(), pictures, tmp_path / "other", stop_after=0, say=quiet)
    assert not (tmp_path / "other").exists()


def test_training_brings_the_loss_down(recipe_of: RecipeOf, pictures: Path, tmp_path: Path) -> None:
    recipe = recipe_of(
        ("steps = 12", "steps = 60"), ("validation_interval = 4", "validation_interval = 10")
    )
    train(recipe, pictures, tmp_path / "run", say=quiet)
    table = rows(tmp_path / "run" / "metrics.csv")
    assert float(table[-1]["loss"]) < 0.9 * float(table[0]["loss"])
    assert float(table[-1]["psnr_clean"]) > float(table[0]["psnr_clean"])


def test_a_checkpoint_of_another_kind_is_named(
    recipe_of: RecipeOf, pictures: Path, tmp_path: Path
) -> None:
    other = tmp_path / "features.pt"
    save_checkpoint(other, {"features": {}, "classes": []})
    with pytest.raises(InputError, match=r"features\.pt is .* another kind.* no recipe, average;"):
        train(recipe_of(), pictures, tmp_path / "run", start=other, say=quiet)
    last = train(recipe_of(), pictures, tmp_path / "run", stop_after=1, say=quiet)
    content = load_checkpoint(last)
    del content["losses"], content["adam"]
    save_checkpoint(last, content)
    with pytest.raises(InputError, match=r"last\.pt is .* no losses, adam;"):
        train(recipe_of(), pictures, tmp_path / "run", resume=True, say=quiet)


def test_a_figure_that_is_no_number_stops_the_run(
    recipe_of: RecipeOf, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = {"clean": 30.0, "h264": float("nan"), "jpeg": 20.0}
    monkeypatch.setattr(trainer, "validate", lambda *args, **options: scores)
    with pytest.raises(TrainingError, match=r"step 4: PSNR on .* is clean 30\.000, h264 nan"):
        train(recipe_of(), pictures, tmp_path / "run", say=quiet)
    assert not (tmp_path / "run" / "metrics.json").exists()


def test_nothing_is_left_behind_by_data_that_are_wrong(recipe_of: RecipeOf, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    for run in (tmp_path / "new" / "deep" / "run", tmp_path / "kept"):
        with pytest.raises(InputError, match="cannot list the folder"):
            train(recipe_of(), tmp_path / "none", run, say=quiet)
    assert [path.name for path in tmp_path.rglob("*")] == ["kept"]
    # Where the run cannot be written is found out before the pictures are looked for.
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"cannot write .*file"):
        train(recipe_of(), tmp_path / "none", tmp_path / "file" / "run", say=quiet)
    with pytest.raises(InputError, match="threads is 0"):
        train(recipe_of(), tmp_path / "none", tmp_path / "new", threads=0, say=quiet)


def test_a_run_is_neither_overwritten_nor_invented(
    recipe_of: RecipeOf, pictures: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    with pytest.raises(InputError, match="nothing to resume"):
        train(recipe_of(), pictures, run, resume=True, say=quiet)
    train(recipe_of(), pictures, run, stop_after=1, say=quiet)
    with pytest.raises(InputError, match="has a run already"):
        train(recipe_of(), pictures, run, say=quiet)


def test_samples_and_records_are_written(
    recipe_of: RecipeOf, pictures: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    train(recipe_of(), pictures, run, say=quiet)
    grids = sorted(file.name for file in (run / "samples").iterdir())
    assert grids == ["step_0000004.png", "step_0000008.png", "step_0000012.png"]
    # Four pictures side by side, a row for each of three variants. They are of 96x101 pixels, of
    # which 96x96 are multiples of 32; the clip's camera drifts over 16, which leaves 64x64.
    with Image.open(run / "samples" / grids[0]) as grid:
        assert grid.size == (4 * 96 + 3 * 4, 3 * 96 + 2 * 4)
    recorded = json.loads((run / "metrics.json").read_text())
    assert [row["step"] for row in recorded] == [4, 8, 12]
    assert {"loss", "rate", "psnr_clean", "psnr_h264", "psnr_jpeg"} < set(recorded[0])
    assert any((run / "tensorboard").iterdir())
    assert (run / "recipe.toml").read_text() == recipe_of().text


def test_a_run_can_begin_with_the_weights_of_another(
    recipe_of: RecipeOf, pictures: Path, tmp_path: Path
) -> None:
    first = train(recipe_of(), pictures, tmp_path / "first", say=quiet)
    slow = recipe_of(("rate = 1e-2", "rate = 1e-9"), ("rate_end = 1e-4", "rate_end = 0"))
    second = train(slow, pictures, tmp_path / "second", start=first, stop_after=1, say=quiet)
    before, after = load_checkpoint(first)["average"], load_checkpoint(second)["average"]
    assert all(torch.allclose(before[name], after[name], atol=1e-6) for name in before)
    wider = recipe_of(("width = 4", "width = 5"))
    theirs, ours = (rf"'compact' of scale 2, .*'width': {width}" for width in (4, 5))
    # Found out before the pictures, which are not there, are looked for.
    with pytest.raises(InputError, match=rf"last\.pt is of another network, {theirs}.*{ours}"):
        train(wider, tmp_path / "none", tmp_path / "third", start=first, say=quiet)
    assert not (tmp_path / "third").exists()
    with pytest.raises(InputError, match="leave out the start"):
        train(slow, pictures, tmp_path / "second", start=first, resume=True, say=quiet)


def test_progress_goes_to_the_follower_instead_of_lines(
    recipe_of: RecipeOf, pictures: Path, tmp_path: Path
) -> None:
    steps: list[int] = []
    figures: list[str] = []
    lines: list[str] = []

    def follow(done: int, text: str) -> None:
        steps.append(done)
        figures.append(text)

    train(recipe_of(), pictures, tmp_path / "run", stop_after=5, follow=follow, say=lines.append)
    assert steps == [0, 1, 2, 3, 4, 5]
    assert figures[0] == ""
    assert all(re.match(r"loss 0\.\d{5}  .* steps/s  waited .*% ", text) for text in figures[1:])
    assert not any("steps/s" in line for line in lines)
    train(recipe_of(), pictures, tmp_path / "other", stop_after=5, say=lines.append)
    assert any("steps/s" in line for line in lines)


def test_what_cannot_be_written_costs_nothing_but_itself(
    recipe_of: RecipeOf, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    lines: list[str] = []

    def remove_samples(done: int) -> bool:
        if done == 1:
            (run / "samples").rmdir()
        return False

    train(recipe_of(), pictures, run, stop_after=8, say=lines.append, stop=remove_samples)
    said = [line for line in lines if "sample pictures cannot be written" in line]
    assert len(said) == 1
    assert "its folder does not exist" in said[0]

    def full(path: Path, content: dict[str, Any]) -> None:
        raise OutputError(f"cannot write {path}: the disk is full")

    monkeypatch.setattr(trainer, "save_checkpoint", full)
    message = (
        r"^step 12: cannot write .*(best|last)\.pt: the disk is full; the last good .* is kept$"
    )
    with pytest.raises(OutputError, match=message):
        train(recipe_of(), pictures, run, resume=True, say=quiet)
    assert load_checkpoint(run / "last.pt")["step"] == 8
    # Nothing is promised where there is nothing.
    with pytest.raises(OutputError, match=r"^step 4: cannot write .*: the disk is full$"):
        train(recipe_of(), pictures, tmp_path / "other", say=quiet)


def test_the_checkpoint_comes_before_what_can_be_done_without(
    recipe_of: RecipeOf, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*args: Any, **options: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(trainer, "sample_grid", fails)
    with pytest.raises(MemoryError):
        train(recipe_of(), pictures, tmp_path / "run", say=quiet)
    assert load_checkpoint(tmp_path / "run" / "last.pt")["step"] == 4


def test_a_start_that_failed_before_its_first_checkpoint_can_be_started_again(
    recipe_of: RecipeOf, pictures: Path, tmp_path: Path
) -> None:
    def fails(done: int) -> bool:
        if done == 2:
            raise KeyboardInterrupt
        return False

    run = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        train(recipe_of(), pictures, run, say=quiet, stop=fails)
    assert [path.name for path in run.iterdir()] == ["recipe.toml"]
    with pytest.raises(InputError, match=r"recipe\.toml exists, and a new run would write over it"):
        train(recipe_of(("seed = 7", "seed = 8")), pictures, run, say=quiet)
    train(recipe_of(), pictures, run, stop_after=1, say=quiet)
    assert sorted(path.name for path in run.iterdir()) == ["last.pt", "recipe.toml", "samples"]
