from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from restore_rt.errors import InputError, OutputError
from restore_rt.training.data import PictureSet, load_pictures
from restore_rt.training.recipe import Recipe
from tests.training.conftest import picture


def load(recipe: Recipe, root: Path, cache: Path) -> PictureSet:
    return load_pictures(recipe, root, cache, say=lambda line: None)[0]


def test_batches_depend_on_seed_and_step_alone(
    recipe_of: Callable[..., Recipe], pictures: Path, tmp_path: Path
) -> None:
    first = load(recipe_of(), pictures, tmp_path / "a")
    second = load(recipe_of(), pictures, tmp_path / "b")
    cached = load(recipe_of(), pictures, tmp_path / "a")
    other = load(recipe_of(("seed = 7", "seed = 8")), pictures, tmp_path / "c")
    for step in (5, 0, 5):
        x, y = first.batch(step)
        assert tuple(x.shape) == (3, 1, 12, 12)
        assert tuple(y.shape) == (3, 1, 24, 24)
        for same in (second, cached):
            assert torch.equal(x, same.batch(step)[0])
            assert torch.equal(y, same.batch(step)[1])
        assert not torch.equal(x, other.batch(step)[0])
    assert not torch.equal(first.batch(0)[0], first.batch(1)[0])


def test_inputs_lie_where_their_targets_lie(
    recipe_of: Callable[..., Recipe], pictures: Path, tmp_path: Path
) -> None:
    chosen = load(recipe_of(), pictures, tmp_path / "cache")
    for step in range(20):
        x, y = chosen.batch(step)
        reduced = torch.nn.functional.avg_pool2d(y, 2)
        aligned = (x - reduced).abs().mean()
        shifted = (x[..., 1:] - reduced[..., :-1]).abs().mean()
        assert aligned < 0.5 * shifted


def test_validation_pictures_are_never_trained_on(
    recipe_of: Callable[..., Recipe], pictures: Path, tmp_path: Path
) -> None:
    chosen, kept = load_pictures(recipe_of(), pictures, tmp_path / "c", say=lambda line: None)
    names = {p.name for p in chosen.pictures}, {p.name for p in kept}
    assert not names[0] & names[1]
    assert names[0] | names[1] == {f"patterns/{n}.png" for n in range(8)}
    for one in kept:
        for pair in one.inputs[1]:
            height, width = (2 * side for side in pair.input.shape[1:])
            target = one.target[:, pair.y : pair.y + height, pair.x : pair.x + width]
            coarse = target[0].reshape(height // 2, 2, width // 2, 2).mean((1, 3))
            assert np.abs(coarse - pair.input[0]).mean() < 10


def test_a_damaged_cache_is_made_again(
    recipe_of: Callable[..., Recipe], pictures: Path, tmp_path: Path
) -> None:
    before = load(recipe_of(), pictures, tmp_path / "cache").batch(0)[0]
    for file in (tmp_path / "cache").iterdir():
        file.write_bytes(file.read_bytes()[:100])
    assert torch.equal(load(recipe_of(), pictures, tmp_path / "cache").batch(0)[0], before)


def test_missing_folders_and_unreadable_files_are_named(
    recipe_of: Callable[..., Recipe], pictures: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"cannot list the folder .*patterns"):
        load(recipe_of(), tmp_path, tmp_path / "cache")
    odd = pictures / "patterns" / "8.png"
    odd.write_bytes(b"not a picture")
    with pytest.raises(InputError, match=r"8\.png cannot be read as an image"):
        load(recipe_of(), pictures, tmp_path / "cache")
    odd.unlink()
    odd.symlink_to(tmp_path / "gone.png")
    with pytest.raises(InputError, match=r"8\.png cannot be read: No such file"):
        load(recipe_of(), pictures, tmp_path / "cache")


def test_a_cache_that_cannot_be_written_is_named(
    recipe_of: Callable[..., Recipe], pictures: Path, tmp_path: Path
) -> None:
    (tmp_path / "cache").write_bytes(b"")
    with pytest.raises(OutputError, match=r"cannot write .*cache"):
        load(recipe_of(), pictures, tmp_path / "cache")


def test_the_cache_holds_pixels_and_nothing_else(
    recipe_of: Callable[..., Recipe],
    pictures: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = np.savez

    def savez(file: Any, **arrays: Any) -> None:
        # Older NumPy stores whatever it is given by keyword as an array.
        assert all(isinstance(array, np.ndarray) for array in arrays.values())
        real(file, **arrays)

    monkeypatch.setattr(np, "savez", savez)
    load(recipe_of(), pictures, tmp_path / "cache")
    files = list((tmp_path / "cache").iterdir())
    assert [file.suffix for file in files] == [".npz"] * 8


def test_a_larger_patch_leaves_out_pictures_that_were_kept(
    recipe_of: Callable[..., Recipe], pictures: Path, tmp_path: Path
) -> None:
    for number in range(100, 130):
        Image.fromarray(picture(number, 90, 95)).save(pictures / "patterns" / f"{number}.png")
    small = load(recipe_of(), pictures, tmp_path / "cache")
    large = load(recipe_of(("patch = 12", "patch = 30")), pictures, tmp_path / "cache")
    assert len(large.pictures) < len(small.pictures)
    assert min(min(p.target.shape[1:]) for p in large.pictures) == 90


def test_pictures_that_are_too_small_are_counted(
    recipe_of: Callable[..., Recipe], pictures: Path, tmp_path: Path
) -> None:
    lines: list[str] = []
    recipe = recipe_of(("patch = 12", "patch = 40"))
    with pytest.raises(InputError, match="none of 8"):
        load_pictures(recipe, pictures, tmp_path / "cache", say=lines.append)
    assert lines == ["8 pictures are smaller than 98 pixels and were left out"]
