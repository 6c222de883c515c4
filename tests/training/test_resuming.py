from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from restore_rt.errors import InputError
from restore_rt.training import precision
from restore_rt.training.features.networks import FeatureNet, save_features
from restore_rt.training.lettering import Lettering
from restore_rt.training.loop import trainer
from restore_rt.training.loop.checkpoint import load_checkpoint, save_checkpoint
from restore_rt.training.loop.resuming import check_recipe, say_what_changed
from restore_rt.training.loop.trainer import train
from restore_rt.training.recipes import Perceptual
from tests.training.conftest import ADVERSARY, RecipeOf, picture, quiet, rows, same


def assert_same_runs(whole: Path, parts: Path) -> None:
    expected, actual = load_checkpoint(whole / "last.pt"), load_checkpoint(parts / "last.pt")
    assert expected["step"] == actual["step"] == 12
    assert same(expected, actual)
    tables = [rows(run / "metrics.csv") for run in (whole, parts)]
    assert [row["step"] for row in tables[1]] == ["4.0", "8.0", "12.0"]
    assert tables[0] == tables[1]


@pytest.mark.parametrize("broken_off", [4, 7])
def test_a_resumed_run_equals_an_unbroken_one(
    recipe_of: RecipeOf, pictures: Path, tmp_path: Path, broken_off: int
) -> None:
    recipe = recipe_of()
    train(recipe, pictures, tmp_path / "whole", say=quiet)
    train(recipe, pictures, tmp_path / "parts", stop_after=broken_off, say=quiet)
    train(recipe, pictures, tmp_path / "parts", resume=True, say=quiet)
    assert_same_runs(tmp_path / "whole", tmp_path / "parts")


def test_a_run_that_was_asked_to_stop_resumes_exactly(
    recipe_of: RecipeOf, pictures: Path, tmp_path: Path
) -> None:
    train(recipe_of(), pictures, tmp_path / "whole", say=quiet)
    asked: list[int] = []

    def stop_at(*steps: int) -> Callable[[int], bool]:
        def stop(done: int) -> bool:
            asked.append(done)
            return done in steps

        return stop

    parts = tmp_path / "parts"
    # Before the first step, in the midst of an interval, at its end, and in the midst again.
    for resume, step in ((False, 0), (True, 2), (True, 4), (True, 7)):
        last = train(recipe_of(), pictures, parts, resume=resume, stop=stop_at(step), say=quiet)
        assert load_checkpoint(last)["step"] == step
    train(recipe_of(), pictures, parts, resume=True, stop=stop_at(), say=quiet)
    assert_same_runs(tmp_path / "whole", parts)
    # It is asked before the first step and after each but the last, where there is nothing to stop.
    assert asked == [0, 0, 1, 2, 2, 3, 4, 4, 5, 6, 7, 7, 8, 9, 10, 11]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seed = 7", "seed = 8", r"seed was 7 and is now 8; use .*recipe\.toml, or, for a longer"),
        ("steps = 12", "steps = 24", r"optim\.steps was 12 and is now 24"),
        ("depth = 3", "depth = 4", r"network\.params\.depth was 3 and is now 4"),
        (
            "[20, 30]",
            "[20, 31]",
            r"data\.variants\[1\]\.steps\[1\]\.crf\[1\] was 30\.0 and is now 31",
        ),
        ('{ kind = "jpeg", quality', '{ kind = "webp", quality', r"s\[1\] was Jpeg\(.* now Webp\("),
        ("l1 = 1", "l1 = 1\nssim = 1", r"loss was \{'l1': 1\.0\} and is now \{'l1': 1\.0, 'ssim'"),
        (
            "full_range",
            'exclude = ["a"]\nfull_range',
            r"data\.exclude\[0\] was nothing and is now 'a'",
        ),
    ],
)
def test_another_recipe_is_refused_and_the_difference_named(
    recipe_of: RecipeOf, old: str, new: str, message: str
) -> None:
    before = {"recipe": recipe_of().text}
    with pytest.raises(InputError, match=f"another recipe than the one given: .*{message}"):
        check_recipe(before, recipe_of((old, new)), Path("run/last.pt"))


def test_a_recipe_that_says_the_same_in_other_words_resumes(
    recipe_of: RecipeOf, pictures: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    train(recipe_of(), pictures, run, stop_after=1, say=quiet)
    with pytest.raises(InputError, match="seed was 7"):
        train(recipe_of(("seed = 7", "seed = 8")), tmp_path / "none", run, resume=True, say=quiet)
    other = recipe_of(("seed = 7", "# lucky\nseed = 7"), ("1e-2", "0.01"))
    train(other, pictures, run, stop_after=2, resume=True, say=quiet)
    assert (run / "recipe.toml").read_text() == other.text


def test_a_recipe_of_a_former_version_is_told_apart(recipe_of: RecipeOf) -> None:
    before = {"recipe": recipe_of().text.replace("seed", "sed")}
    with pytest.raises(
        InputError,
        match=r"this version does not read: unknown key .sed.*; begin another run with --start",
    ):
        check_recipe(before, recipe_of(), Path("run/last.pt"))


def test_another_number_of_threads_is_said() -> None:
    lines: list[str] = []
    before = {"device": "cpu", "dtype": "float32", "threads": 1}
    say_what_changed(before, before, lines.append)
    on_gpu = before | {"device": "cuda"}
    say_what_changed(on_gpu, on_gpu | {"threads": 2}, lines.append)
    assert lines == []
    say_what_changed(before, before | {"threads": 2}, lines.append)
    (line,) = lines
    assert line.startswith(
        "it ran on cpu in float32 with 1 thread before, now on cpu in float32 with 2 threads: "
    )


def test_the_number_of_threads_is_kept(recipe_of: RecipeOf, pictures: Path, tmp_path: Path) -> None:
    last = train(recipe_of(), pictures, tmp_path / "run", stop_after=1, say=quiet)
    content = load_checkpoint(last)
    assert content["threads"] == torch.get_num_threads()
    save_checkpoint(last, content | {"threads": 99})
    lines: list[str] = []
    train(recipe_of(), pictures, last.parent, stop_after=2, resume=True, say=lines.append)
    assert any("with 99 threads before, now on cpu" in line for line in lines)


def test_a_run_killed_between_its_checkpoints_keeps_its_best(
    recipe_of: RecipeOf, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(recipe_of(), pictures, tmp_path / "whole", say=quiet)
    written = 0

    def killed(path: Path, content: dict[str, Any]) -> None:
        nonlocal written
        written += 1
        if written == 4:
            raise KeyboardInterrupt
        save_checkpoint(path, content)

    monkeypatch.setattr(trainer, "save_checkpoint", killed)
    with pytest.raises(KeyboardInterrupt):
        train(recipe_of(), pictures, tmp_path / "parts", say=quiet)
    train(recipe_of(), pictures, tmp_path / "parts", resume=True, say=quiet)
    whole, parts = (load_checkpoint(tmp_path / run / "best.pt") for run in ("whole", "parts"))
    assert whole["step"] == parts["step"]
    assert same(whole["average"], parts["average"])


def test_a_run_in_bfloat16_resumes_exactly_and_says_what_changed(
    recipe_of: RecipeOf, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "cpu_has_bf16", lambda: True)
    recipe = recipe_of(("ema = 0.9", 'ema = 0.9\nprecision = "mixed"'))
    whole = load_checkpoint(train(recipe, pictures, tmp_path / "whole", say=quiet))
    assert (whole["device"], whole["dtype"]) == ("cpu", "bfloat16")
    lines: list[str] = []
    train(recipe, pictures, tmp_path / "parts", stop_after=6, say=quiet)
    parts = train(recipe, pictures, tmp_path / "parts", stop_after=9, resume=True, say=lines.append)
    assert not any("before, now on" in line for line in lines)
    parts = train(recipe, pictures, tmp_path / "parts", resume=True, say=quiet)
    assert same(whole, load_checkpoint(parts))

    train(recipe, pictures, tmp_path / "other", stop_after=6, say=quiet)
    monkeypatch.setattr(precision, "cpu_has_bf16", lambda: False)
    train(recipe, pictures, tmp_path / "other", resume=True, say=lines.append)
    said = [line for line in lines if "result will not be that of an unbroken run" in line]
    assert len(said) == 1
    assert re.match("it ran on cpu in bfloat16 .* before, now on cpu in float32 ", said[0])


def test_an_adversarial_run_resumes_exactly(
    recipe_of: RecipeOf, pictures: Path, tmp_path: Path
) -> None:
    recipe = recipe_of(
        ("patch = 12", "patch = 16"), ("l1 = 1\n", "l1 = 1\n" + ADVERSARY.format(kind="hinge"))
    )
    whole = train(recipe, pictures, tmp_path / "whole", say=quiet)
    train(recipe, pictures, tmp_path / "parts", stop_after=6, say=quiet)
    parts = train(recipe, pictures, tmp_path / "parts", resume=True, say=quiet)
    expected, actual = load_checkpoint(whole), load_checkpoint(parts)
    assert same(expected, actual)
    tables = [
        json.loads((tmp_path / run / "metrics.json").read_text()) for run in ("whole", "parts")
    ]
    assert tables[0] == tables[1]
    # The generator is judged after four steps.
    assert ["adversarial_loss" in row for row in tables[0]] == [False, True, True]
    assert all(row["discriminator_loss"] > 0 for row in tables[0])
    # PSNR does not judge such a run: the best is the latest.
    assert load_checkpoint(tmp_path / "whole" / "best.pt")["step"] == 12


def test_a_checkpoint_of_before_these_figures_were_kept_resumes_exactly(
    recipe_of: RecipeOf, pictures: Path, tmp_path: Path
) -> None:
    whole = load_checkpoint(train(recipe_of(), pictures, tmp_path / "whole", say=quiet))
    last = train(recipe_of(), pictures, tmp_path / "parts", stop_after=6, say=quiet)
    content = load_checkpoint(last)
    for later in ("device", "dtype", "threads", "sides"):
        del content[later]
    save_checkpoint(last, content)
    lines: list[str] = []
    parts = load_checkpoint(
        train(recipe_of(), pictures, tmp_path / "parts", resume=True, say=lines.append)
    )
    assert same(whole, parts)
    assert not any("before, now" in line for line in lines)


def test_a_finished_run_has_nothing_left_to_do(
    recipe_of: RecipeOf, pictures: Path, tmp_path: Path
) -> None:
    last = train(recipe_of(), pictures, tmp_path / "run", stop_after=5, say=quiet)
    before = last.read_bytes()
    lines: list[str] = []
    # The pictures are not there, so nothing is read.
    again = train(
        recipe_of(), tmp_path / "none", last.parent, resume=True, stop_after=5, say=lines.append
    )
    assert again == last
    assert last.read_bytes() == before
    (line,) = lines
    assert line.startswith("nothing left to do")


def test_other_pictures_than_before_are_refused(
    recipe_of: RecipeOf, pictures: Path, tmp_path: Path
) -> None:
    train(recipe_of(), pictures, tmp_path / "run", stop_after=1, say=quiet)
    Image.fromarray(picture(99)).save(pictures / "patterns" / "99.png")
    with pytest.raises(InputError, match=r"the pictures in .* are not those"):
        train(recipe_of(), pictures, tmp_path / "run", resume=True, say=quiet)


def test_other_fonts_than_before_are_refused(
    recipe_of: RecipeOf, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fonts = tmp_path / "fonts"
    fonts.mkdir()
    recipe = dataclasses.replace(
        recipe_of(("full_range", 'lettering = { share = 0.5, fonts = ["fonts"] }\nfull_range')),
        folder=tmp_path,
    )
    (fonts / "old.ttf").write_bytes(b"font")
    monkeypatch.setattr("restore_rt.training.lettering.fonts._fit", lambda path: True)
    monkeypatch.setattr(
        "restore_rt.training.data.regions.Lettering", lambda fonts, **rest: Lettering([])
    )
    last = train(recipe, pictures, tmp_path / "run", stop_after=1, say=quiet)
    assert "fonts" in load_checkpoint(last)
    (fonts / "new.ttf").write_bytes(b"font")
    with pytest.raises(InputError, match=r"the fonts of data\.lettering are not those"):
        train(recipe, pictures, tmp_path / "run", resume=True, say=quiet)
    # A recipe without lettering keeps nothing of them.
    plain = train(recipe_of(), pictures, tmp_path / "plain", stop_after=1, say=quiet)
    assert not {"fonts", "features"} & load_checkpoint(plain).keys()


def test_other_features_than_before_are_refused(
    recipe_of: RecipeOf, pictures: Path, tmp_path: Path
) -> None:
    recipe = dataclasses.replace(
        recipe_of(
            (
                "l1 = 1\n",
                (
                    'l1 = 1\nperceptual = 0.1\n[perceptual]\nlayer = "conv1_1"\n'
                    'weights = "my.safetensors"\n'
                ),
            )
        ),
        folder=tmp_path,
    )
    with pytest.raises(InputError, match=r"no file at .*my\.safetensors"):
        train(recipe, tmp_path / "none", tmp_path / "run", say=quiet)
    save_features(FeatureNet(degradations=3), tmp_path / "my.safetensors")
    train(recipe, pictures, tmp_path / "run", stop_after=1, say=quiet)
    save_features(FeatureNet(degradations=3), tmp_path / "my.safetensors", overwrite=True)
    with pytest.raises(InputError, match=r"the weights of \[perceptual\] are not those"):
        train(recipe, pictures, tmp_path / "run", resume=True, say=quiet)
    weights = "my.safetensors"
    wrong = dataclasses.replace(recipe, perceptual=Perceptual(layer="conv5_1", weights=weights))
    with pytest.raises(InputError, match=r"perceptual\.layer is 'conv5_1'; allowed are conv1_1, "):
        train(wrong, tmp_path / "none", tmp_path / "other", say=quiet)
