"""What docs/training.md says: its commands work, and it names all that a recipe may say."""

from __future__ import annotations

import dataclasses
import re
import shlex
import typing
from pathlib import Path

import pytest

from restore_rt.cli import run
from restore_rt.model.manifest import COLOURS, CONTENTS, TASKS
from restore_rt.training.degradations import optics, printing, resizing
from restore_rt.training.degradations.steps import STEPS
from restore_rt.training.loop.checkpoint import load_checkpoint
from restore_rt.training.losses import ADVERSARIES, LOSSES
from restore_rt.training.networks import NETWORKS
from restore_rt.training.recipes import load_recipe, parse_recipe, recipe
from tests.training.dataset.scenes import save, scene

ROOT = Path(__file__).parent.parent.parent
GUIDE = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
SHIPPED = sorted(path.stem for path in (ROOT / "training" / "recipes").glob("*.toml"))


def block(kind: str) -> str:
    """Return the guide's first block of code of a kind."""
    found = re.search(rf"^```{kind}\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
    assert found
    return found.group(1)


@pytest.fixture
def pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Go to a folder in which the folder ``pages`` has pictures, flat ones and in folders."""
    monkeypatch.chdir(tmp_path)
    for number in range(30):
        comic = f"E{number // 2:02}"
        place = tmp_path / "pages" / ("" if number % 2 else f"{comic}/deep")
        save(place / f"{comic}P{number:02}.png", scene(number, 160, 171))
    return tmp_path / "pages"


def command(line: str, *more: str) -> int:
    program, *arguments = shlex.split(line, comments=True)
    assert program == "restore-rt"
    return run([*arguments, *more])


@pytest.mark.parametrize("group", [None, r"E\d+"])
def test_a_user_who_follows_the_guide_trains_a_model(pages: Path, group: str | None) -> None:
    text = block("toml")
    split, duplicates, start, resume = (
        line for line in block("sh").splitlines() if re.match("restore-rt (dataset|train)", line)
    )
    options = []
    if group:
        assert f"--group '{group}'" in GUIDE
        assert f"groups = '{group}'" in GUIDE
        text = text.replace("[data]\n", f"[data]\ngroups = '{group}'\n")
        options = ["--group", group]
    Path("my-recipe.toml").write_text(text, encoding="utf-8")
    assert command(split, *options) == 0
    assert command(duplicates) == 0
    assert command(start, "--stop-after", "1", "--device", "cpu") == 0
    assert command(resume, "--stop-after", "2", "--device", "cpu") == 0
    assert load_checkpoint(Path("runs/mine/last.pt"), needs=("step",))["step"] == 2


def test_the_guide_names_every_key_with_its_default() -> None:
    tables = [
        kind
        for kind in vars(recipe).values()
        if dataclasses.is_dataclass(kind) and kind.__module__ == recipe.__name__
    ]
    assert recipe.Optim in tables
    for kind in [*tables, *STEPS.values()]:
        for field in dataclasses.fields(typing.cast("type", kind)):
            if field.metadata.get("hidden"):
                continue
            # A table is called by its path.
            written = rf"`(\[*(data\.)?{field.name}\]*)`"
            assert re.search(written, GUIDE), (kind, field.name)
    for kind, heading in (
        (recipe.Cache, "[data.cache]"),
        (recipe.LetteringData, "[data.lettering]"),
        (recipe.Data, "[data]"),
        (recipe.Optim, "[optim]"),
        (recipe.Adversary, "[adversary]"),
        (recipe.Variant, "[[data.variants]]"),
    ):
        section = GUIDE.split(f"\n`{heading}`: ", 1)[1].split("\n`[", 1)[0]
        for field in dataclasses.fields(kind):
            row = re.search(rf"^\|[^|]*`{field.name}`[^|]*\|([^|]*)\|", section, re.MULTILINE)
            # What is a table itself stands elsewhere.
            assert row or field.name in ("folders", "variants", "cache", "lettering"), field.name
            if row and isinstance(field.default, (int, float)):
                assert float(row.group(1)) == field.default, field.name
            elif row and field.default is dataclasses.MISSING:
                assert not row.group(1).strip(), field.name


def test_the_guide_names_every_word_that_a_recipe_may_use() -> None:
    words = [*TASKS, *CONTENTS, *COLOURS, *NETWORKS, *LOSSES, "perceptual", *ADVERSARIES]
    words += [*STEPS, *recipe.PRECISIONS]
    for word in words:
        assert f"`{word}`" in GUIDE, word
    for word in (*optics.SHAPES, *printing.INKS, *resizing.FILTERS):
        assert re.search(rf"[:,] {word}\b", GUIDE), word


def test_the_guide_says_which_folders_the_shipped_recipes_expect() -> None:
    assert parse_recipe(block("toml")).data.folders == {"train": 1}
    for name in SHIPPED:
        (row,) = re.findall(rf"^\|[^|]*`{name}`[^|]*\|[^|]*\|$", GUIDE, re.MULTILINE)
        for folder in load_recipe(name).data.folders:
            before = GUIDE[: GUIDE.index(row) + len(row)]
            assert f"`{folder}`" in before, (name, folder)


def test_what_the_guide_links_to_is_there() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", GUIDE)
    assert links
    for link in links:
        assert (ROOT / "docs" / link).exists(), link
