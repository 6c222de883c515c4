from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image

from restore_rt.errors import InputError, OutputError
from restore_rt.training import trainer
from restore_rt.training.checkpoint import load_checkpoint, save_checkpoint
from restore_rt.training.recipe import Recipe
from restore_rt.training.records import Records
from restore_rt.training.trainer import TrainingError, train
from tests.training.conftest import quiet, rows


def test_a_run_that_stops_between_validations_says_so(
    recipe_of: Callable[..., Recipe], pictures: Path, tmp_path: Path
) -> None:
    content = load_checkpoint(
        train(recipe_of(), pictures, tmp_path / "run", stop_after=6, say=quiet)
    )
    assert (content["step"], content["metrics"]["validation_step"]) == (6, 4)
    assert len(content["losses"]) == 2
    with pytest.raises(InputError, match="stop_after is 0; must be at least 1"):
        train(recipe_of(), pictures, tmp_path / "other", stop_after=0, say=quiet)
    assert not (tmp_path / "other").exists()


def test_training_brings_the_loss_down(
    recipe_of: Callable[..., Recipe], pictures: Path, tmp_path: Path
) -> None:
    recipe = recipe_of(("steps = 12", "steps = 60"), ("epoch = 4", "epoch = 10"))
    train(recipe, pictures, tmp_path / "run", say=quiet)
    table = rows(tmp_path / "run" / "metrics.csv")
    assert float(table[-1]["loss"]) < 0.9 * float(table[0]["loss"])
    assert float(table[-1]["psnr_clean"]) > float(table[0]["psnr_clean"])


def test_a_checkpoint_of_another_kind_is_named(
    recipe_of: Callable[..., Recipe], pictures: Path, tmp_path: Path
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
    recipe_of: Callable[..., Recipe],
    pictures: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scores = {"clean": 30.0, "h264": float("nan"), "jpeg": 20.0}
    monkeypatch.setattr(trainer, "validate", lambda *args, **options: scores)
    with pytest.raises(TrainingError, match=r"step 4: PSNR on .* is clean 30\.000, h264 nan"):
        train(recipe_of(), pictures, tmp_path / "run", say=quiet)
    assert not (tmp_path / "run" / "metrics.json").exists()


def test_nothing_is_left_behind_by_data_that_are_wrong(
    recipe_of: Callable[..., Recipe], tmp_path: Path
) -> None:
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


def test_the_records_are_closed_whatever_happens(
    recipe_of: Callable[..., Recipe],
    pictures: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    closed = []
    monkeypatch.setattr(Records, "close", lambda self: closed.append(self.run.name))
    train(recipe_of(), pictures, tmp_path / "whole", say=quiet)

    def interrupt(done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(recipe_of(), pictures, tmp_path / "broken", say=quiet, follow=interrupt)
    assert closed == ["whole", "broken"]


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


def test_samples_and_records_are_written(
    recipe_of: Callable[..., Recipe], pictures: Path, tmp_path: Path
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
    recipe_of: Callable[..., Recipe], pictures: Path, tmp_path: Path
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
    recipe_of: Callable[..., Recipe], pictures: Path, tmp_path: Path
) -> None:
    steps: list[int] = []
    lines: list[str] = []
    train(
        recipe_of(), pictures, tmp_path / "run", stop_after=5, follow=steps.append, say=lines.append
    )
    assert steps == [0, 1, 2, 3, 4, 5]
    assert not any("steps/s" in line for line in lines)
    train(recipe_of(), pictures, tmp_path / "other", stop_after=5, say=lines.append)
    assert any("steps/s" in line for line in lines)
