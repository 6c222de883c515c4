"""A tiny run of the recipe of every network: the loss falls, a resumed run matches, it exports."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from statistics import fmean
from typing import Any

import onnx
import pytest
import torch

from restore_rt.export import export_onnx
from restore_rt.model.manifest import read_manifest
from restore_rt.training.loop.checkpoint import load_checkpoint
from restore_rt.training.loop.trainer import train
from restore_rt.training.recipes import Recipe, load_recipe, parse_recipe
from tests.training.conftest import write_pictures

STEPS = 24
# What makes each recipe's network small.
SMALL: dict[str, dict[str, int]] = {
    "comic-x1": {"width": 6},
    "comic-x2": {"width": 6},
    "comic-x2-next": {"width": 4, "coarse": 1},
    "inpaint": {"half": 6, "fine": 1, "width": 8, "blocks": 1},
    "photo-x2": {"width": 8, "depth": 3},
    "photo-x4": {"blocks": 1, "filters": 8},
    "photo-x4-gan": {"blocks": 1, "filters": 8},
    "repair-x1": {"width": 6},
    "video-x2-chroma": {"width": 4},
    "video-x2-fast": {"width": 4, "depth": 3},
    "video-x2-sharp": {"width": 4, "depth": 3},
    "video-x2-tiny": {"width": 4, "depth": 2},
    "video-x2": {"width": 4, "depth": 3},
    "video-x2-quality": {"width": 8, "depth": 3},
}
# `make test` tries these, of which one trains against a discriminator, and `make test-all` all.
QUICK = ("photo-x4-gan", "video-x2-fast")


def small(name: str) -> Recipe:
    """Return a shipped recipe with everything that takes long made small."""
    table = tomllib.loads(load_recipe(name).text)
    table["network"]["params"] |= SMALL[name]
    table["model"]["tile"] = [32, 32]
    table["data"] |= {"batch": 2, "patch": 32, "holdout": 3, "folders": {"patterns": 1}}
    # Its names are not those of the comics.
    table["data"]["groups"] = ""
    table["data"]["cache"] = {"region": 32, "count": 8, "renew": 2}
    table["optim"] |= {"steps": STEPS, "validation_interval": STEPS // 3, "warmup": 1, "ema": 0.8}
    table["optim"] |= {"rate": 3e-3, "rate_end": 1e-4}
    for variant in table["data"]["variants"]:
        variant["frames"] = min(2, variant.get("frames", 1))
    if "adversary" in table:
        table["adversary"] |= {"size": 4, "adversarial_start": STEPS // 2}
    return parse_recipe("\n".join(f"{key} = {toml(value)}" for key, value in table.items()))


def toml(value: Any) -> str:
    """Write a value as TOML, in one line."""
    if isinstance(value, dict):
        inner = ", ".join(f"{json.dumps(key)} = {toml(entry)}" for key, entry in value.items())
        return f"{{ {inner} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    return json.dumps(value)


def psnr_of(row: dict[str, float]) -> float:
    """Return the mean over the variants."""
    return fmean(value for key, value in row.items() if key.startswith("psnr_"))


def quiet(line: str) -> None:
    pass


def same(a: Any, b: Any) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of pictures that are large enough for every recipe."""
    root = tmp_path_factory.mktemp("data")
    write_pictures(root, side=256)
    return root


@pytest.fixture(autouse=True)
def no_fonts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Letter with Pillow's own font: another machine has others, and draws other pictures."""
    monkeypatch.setattr("restore_rt.training.lettering.fonts.FOLDERS", ())


def test_every_shipped_recipe_is_tried() -> None:
    folder = Path(load_recipe.__code__.co_filename).parent
    assert sorted(SMALL) == sorted(path.stem for path in folder.glob("*.toml"))


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name in QUICK else pytest.mark.long) for name in sorted(SMALL)],
)
def test_a_tiny_run_learns_resumes_and_exports(name: str, pictures: Path, tmp_path: Path) -> None:
    recipe = small(name)
    whole = load_checkpoint(train(recipe, pictures, tmp_path / "whole", say=quiet))
    recorded = json.loads((tmp_path / "whole" / "metrics.json").read_text())
    assert [row["step"] for row in recorded] == [8, 16, 24]
    if name in ("comic-x2-next", "inpaint"):
        # So few steps gain less than pages in ink and screentone, or holes that are drawn anew,
        # differ; the validation's stay.
        first, *_, last = (psnr_of(row) for row in recorded)
        assert last > first
    # So few steps on streams that were coded so low gain less than the losses of batches differ.
    elif recipe.adversary is None and name != "video-x2":
        assert recorded[-1]["loss"] < recorded[0]["loss"]

    train(recipe, pictures, tmp_path / "parts", stop_after=STEPS // 2 + 1, say=quiet)
    parts = load_checkpoint(train(recipe, pictures, tmp_path / "parts", resume=True, say=quiet))
    assert same(whole["average"], parts["average"])
    assert whole["losses"] == parts["losses"]
    assert whole["metrics"] == parts["metrics"]

    out = tmp_path / f"{name}.onnx"
    manifest = export_onnx(tmp_path / "whole" / "last.pt", out, say=quiet)
    model = onnx.load(out)
    assert read_manifest(model) == manifest
    assert (manifest.scale, manifest.colour) == (recipe.network.scale, recipe.network.colour)
    assert not {node.domain for node in model.graph.node} - {"", "ai.onnx"}
