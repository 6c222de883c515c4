from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image, ImageFont

from restore_rt.errors import InputError
from restore_rt.training.data import batches as data
from restore_rt.training.data.batches import PatchSet, RegionCache, load_data
from restore_rt.training.data.pictures import Library, PictureFile, crc_of_name
from restore_rt.training.data.regions import Pair
from restore_rt.training.recipes import Cache, Recipe
from tests.training.conftest import RecipeOf, picture


def quiet(line: str) -> None:
    pass


def load(recipe: Recipe, root: Path) -> PatchSet:
    return load_data(recipe, root, say=quiet)[0]


def test_batches_depend_on_seed_and_step_alone(recipe_of: RecipeOf, pictures: Path) -> None:
    first, second = load(recipe_of(), pictures), load(recipe_of(), pictures)
    other = load(recipe_of(("seed = 7", "seed = 8")), pictures)
    seen: list[torch.Tensor] = []
    for step in (0, 1, 5, 6, 30):
        x, y = first.batch(step)
        assert tuple(x.shape) == (3, 1, 12, 12)
        assert tuple(y.shape) == (3, 1, 24, 24)
        assert not any(torch.equal(x, before) for before in seen)
        seen.append(x)
        if step not in (1, 5):
            # The window is filled at another step, and others were skipped.
            again = second.batch(step)
            assert torch.equal(x, again[0])
            assert torch.equal(y, again[1])
        assert not torch.equal(x, other.batch(step)[0])
    for patches in (first, second, other):
        patches.regions.close()


def test_inputs_lie_where_their_targets_lie(recipe_of: RecipeOf, pictures: Path) -> None:
    chosen = load(recipe_of(("full_range = 0.5", "symmetries = 8")), pictures)
    for step in range(20):
        x, y = chosen.batch(step)
        reduced = torch.nn.functional.avg_pool2d(y, 2)
        aligned = (x - reduced).abs().mean()
        shifted = (x[..., 1:] - reduced[..., :-1]).abs().mean()
        assert aligned < 0.5 * shifted
    chosen.regions.close()


@pytest.mark.parametrize(("symmetries", "kinds"), [(1, 1), (2, 2), (8, 8)])
def test_patches_come_in_as_many_symmetries_as_asked_for(
    recipe_of: RecipeOf, symmetries: int, kinds: int
) -> None:
    recipe = recipe_of(("full_range = 0.5", f"symmetries = {symmetries}"))
    ramp = np.add.outer(np.arange(12), 3 * np.arange(12)).astype(np.uint8)[None]
    pair = Pair(ramp, ramp.repeat(2, axis=1).repeat(2, axis=2))
    regions = RegionCache(lambda number: pair, Cache(region=12, count=1, renew=1), threads=1)
    patches = PatchSet(recipe, regions)
    seen = {patches.batch(step)[0][0].numpy().tobytes() for step in range(60)}
    assert len(seen) == kinds
    if symmetries == 2:
        mirrored = ramp[:, :, ::-1].astype(np.float32) / 255
        assert mirrored.tobytes() in seen
    regions.close()


@pytest.mark.parametrize(
    ("reduced", "side", "low", "high"),
    [("[1.0, 1.0]", 200, 1, 1), ("[0.5, 0.5]", 240, 2, 2), ("[0.5, 0.5]", 110, 1, 1.4)],
)
def test_pictures_are_reduced_as_far_as_they_stay_large_enough(
    recipe_of: RecipeOf, tmp_path: Path, reduced: str, side: int, low: float, high: float
) -> None:
    (tmp_path / "patterns").mkdir()
    ramp = np.tile(np.arange(side, dtype=np.uint8)[None, :, None], (side, 1, 3))
    for number in range(8):
        Image.fromarray(ramp).save(tmp_path / "patterns" / f"{number}.png")
    patches = load(recipe_of(("full_range = 0.5", f"reduced = {reduced}")), tmp_path)
    for number in range(6):
        target = patches.regions.make(number).target
        assert min(target.shape[1:]) >= 24
        slope = np.diff(target[0, :, 4:-4].astype(float), axis=1).mean() * 255 / 219
        assert low - 0.05 <= slope <= high + 0.05
    patches.regions.close()


def test_the_window_moves_on_with_the_steps() -> None:
    made = []

    def make(number: int) -> Pair:
        made.append(number)
        return Pair(np.full((1, 2, 2), number % 256, np.uint8), np.zeros((1, 2, 2), np.uint8))

    cache = RegionCache(make, Cache(region=2, count=4, renew=3), threads=1)
    for step in (0, 2, 3, 11, 50, 53, 1000, 991, 989, 988, 3, 0, 2, 11):
        region = cache.at(step)
        numbers = [int(region(n).input[0, 0, 0]) for n in range(4)]
        assert numbers == [(step // 3 + n) % 256 for n in range(4)]
    cache.close()
    assert made[:4] == [0, 1, 2, 3]
    # What lies between two windows far apart is not made.
    assert not {100, 200, 300} & set(made)


def test_an_error_in_a_region_reaches_the_training() -> None:
    def make(number: int) -> Pair:
        raise InputError("a file has gone")

    cache = RegionCache(make, Cache(region=2, count=2, renew=1))
    with pytest.raises(InputError, match="a file has gone"):
        cache.at(0)
    cache.close()


def test_validation_pictures_are_never_trained_on(
    recipe_of: RecipeOf, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = recipe_of()
    patches, pairs, _ = load_data(recipe, pictures, say=quiet)
    names = [f"patterns/{n}.png" for n in range(8)]
    kept = [name for name in names if crc_of_name(name) % 3 == 0]
    assert 0 < len(kept) < 8
    assert {name: len(some) for name, some in pairs.items()} == dict.fromkeys(
        ("clean", "h264", "jpeg"), len(kept)
    )
    reads = []
    read = Library.__call__

    def spy(library: Library, file: PictureFile) -> NDArray[np.uint8]:
        reads.append(file.name)
        return read(library, file)

    monkeypatch.setattr(Library, "__call__", spy)
    patches.batch(0)
    patches.regions.close()
    assert reads
    assert not set(reads) & set(kept)


def test_clean_validation_inputs_are_reduced_targets(recipe_of: RecipeOf, pictures: Path) -> None:
    patches, pairs, _ = load_data(recipe_of(), pictures, say=quiet)
    patches.regions.close()
    for some in pairs.values():
        for pair in some:
            height, width = pair.input.shape[1:]
            coarse = pair.target[0].reshape(height, 2, width, 2).mean((1, 3))
            assert np.abs(coarse - pair.input[0]).mean() < 10


def test_broken_pictures_are_named_skipped_and_counted(
    recipe_of: RecipeOf, pictures: Path, tmp_path: Path
) -> None:
    (pictures / "patterns" / "8.png").write_bytes(b"not a picture")
    whole = (pictures / "patterns" / "0.png").read_bytes()
    (pictures / "patterns" / "9.png").write_bytes(whole[: len(whole) // 2])
    (pictures / "patterns" / "link.png").symlink_to(tmp_path / "gone.png")
    Image.fromarray(picture(3, 20, 30)).save(pictures / "patterns" / "small.png")
    lines: list[str] = []
    patches, _, _ = load_data(recipe_of(), pictures, say=lines.append)
    patches.regions.close()
    assert sum(line.startswith("skipped: ") for line in lines) == 3
    for name in ("8.png", "9.png", "link.png"):
        assert any(name in line for line in lines)
    assert "3 of 12 files could not be read and were skipped" in lines
    assert "1 of 12 pictures are smaller than 88 pixels and were skipped" in lines


def test_excluded_pictures_are_left_out(recipe_of: RecipeOf, pictures: Path) -> None:
    lines: list[str] = []
    recipe = recipe_of(("holdout = 3", 'holdout = 3\nexclude = ["patterns/[0-3].png"]'))
    patches, _, fewer = load_data(recipe, pictures, say=lines.append)
    patches.regions.close()
    patches, _, all_of_them = load_data(recipe_of(), pictures, say=quiet)
    patches.regions.close()
    assert fewer != all_of_them
    trained, held = (int(part.split()[0]) for part in lines[-1].split(", "))
    assert trained + held == 4


def test_batches_may_be_asked_for_backwards(recipe_of: RecipeOf, pictures: Path) -> None:
    patches = load(recipe_of(), pictures)
    forward = {step: patches.batch(step)[0] for step in (0, 3, 8, 30)}
    for step in (30, 8, 3, 0):
        assert torch.equal(patches.batch(step)[0], forward[step])
    patches.regions.close()


def test_names_that_are_not_valid_text_are_names_like_others(
    recipe_of: RecipeOf, pictures: Path
) -> None:
    folder = pictures / "patterns"
    for number in range(8):
        name = os.fsdecode(b"p\xff%d.png" % number)
        try:
            (folder / f"{number}.png").rename(folder / name)
        except OSError:
            pytest.skip("this file system has no such names")
    (folder / os.fsdecode(b"broken\xff.png")).write_bytes(b"no picture")
    lines: list[str] = []
    patches, pairs, made_from = load_data(recipe_of(), pictures, say=lines.append)
    patches.batch(0)
    patches.regions.close()
    assert all(pairs.values())
    assert made_from["pictures"] > 0
    assert "\n".join(lines).encode()


def test_folders_that_cannot_be_used_are_refused(
    recipe_of: RecipeOf, pictures: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"cannot list the folder .*patterns"):
        load(recipe_of(), tmp_path)
    (tmp_path / "patterns").mkdir()
    with pytest.raises(InputError, match=r"no pictures in .*patterns"):
        load(recipe_of(), tmp_path)
    with pytest.raises(InputError, match=r"no picture that can be used; .* least 112x112"):
        load(recipe_of(("patch = 12", "patch = 24"), ("region = 20", "region = 24")), pictures)
    for number in (1, 2, 3, 4, 5, 6, 7):
        (pictures / "patterns" / f"{number}.png").unlink()
    with pytest.raises(InputError, match=r"none of 1 pictures can be held out"):
        load(recipe_of(), pictures)


def test_a_few_of_many_held_out_pictures_are_measured(
    recipe_of: RecipeOf, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    patches, all_pairs, made_from = load_data(recipe_of(), pictures, say=quiet)
    patches.regions.close()
    assert len(all_pairs["clean"]) > 2
    monkeypatch.setattr(data, "VALIDATION_PICTURES", 2)
    lines: list[str] = []
    fewer, pairs, same = load_data(recipe_of(), pictures, say=lines.append)
    assert lines[-1].endswith(f"{len(all_pairs['clean'])} held out (2 of them measured)")
    assert same == made_from
    for name, some in pairs.items():
        kept = [pair.target.tobytes() for pair in all_pairs[name]]
        places = [kept.index(pair.target.tobytes()) for pair in some]
        assert len(places) == 2
        assert places == sorted(places)
    # Those that are not measured are not trained on either.
    files = {file.name for some in fewer.regions.make.__self__._by_folder.values() for file in some}  # type: ignore[attr-defined]
    assert len(files) == 8 - len(all_pairs["clean"])
    fewer.regions.close()


def test_what_a_recipe_needs_is_missed_before_any_picture_is_read(
    recipe_of: RecipeOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = recipe_of(("full_range", 'lettering = { share = 0.5, fonts = ["none"] }\nfull_range'))
    with pytest.raises(InputError, match="no folder of fonts at none"):
        load(named, tmp_path / "missing")
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(InputError, match="needs PyAV"):
        load(recipe_of(), tmp_path / "missing")


def test_the_fonts_of_the_lettering_are_counted(
    recipe_of: RecipeOf, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = recipe_of(("full_range", "lettering = { share = 0.5 }\nfull_range"))
    built_in = ImageFont.load_default(20)
    assert isinstance(built_in, ImageFont.FreeTypeFont)
    font = pictures / "Plain.ttf"
    font.write_bytes(built_in.path.getvalue())  # type: ignore[union-attr]
    for system, said in (([], "one font alone, which Pillow brings"), ([pictures], "in 1 font")):
        monkeypatch.setattr("restore_rt.training.lettering.fonts.FOLDERS", system)
        lines: list[str] = []
        load_data(recipe, pictures, say=lines.append)[0].regions.close()
        assert lines[0].startswith("lettering in ")
        assert said in lines[0]
