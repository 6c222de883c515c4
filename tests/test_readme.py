"""Every figure in the README and in the guides' tables stands in a file of benchmarks/results."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

import restore_rt
from tests.shipped import restoring

ROOT = Path(__file__).parent.parent


def results(name: str) -> Any:
    return json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text("utf-8"))


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return what writes the figures of the README and the cards."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("figures")


def test_the_figures_are_those_that_were_measured(figures: Any) -> None:
    """`python benchmarks/figures.py` writes them."""
    for path in figures.documents():
        assert figures.written(path) == path.read_text(encoding="utf-8"), path


def test_unknown_and_broken_blocks_are_errors(
    figures: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "ROOT", tmp_path)
    path = tmp_path / "guide.md"
    path.write_text("<!-- figures: sped -->\n\nold\n\n<!-- end of figures -->\n", "utf-8")
    with pytest.raises(SystemExit, match=r"guide\.md has the block 'sped'; it may have "):
        figures.written(path)
    path.write_text("<!-- figures: quality -->\nold\n", "utf-8")
    with pytest.raises(SystemExit, match=r"guide\.md: a block is '<!-- figures: NAME -->'"):
        figures.written(path)


def test_a_misspelt_name_in_a_block_is_an_error(figures: Any) -> None:
    rows: dict[str, Any] = {"": [{"model": {"name": "a"}, "derived": None}]}
    with pytest.raises(KeyError, match="backend"):
        figures.render("frame_speed", figures.Found(rows))
    rows = {"": [{"model": {"name": "a"}, "derived": None, "backend": "native", "host_peak_mb": 2}]}
    # What is not known is blank.
    assert "| `a` | native backend |  |  |  | 2 |" in figures.render(
        "frame_speed", figures.Found(rows)
    )


def test_every_model_is_in_the_readme_and_has_a_card_with_figures(figures: Any) -> None:
    names = {manifest.name for manifest in restoring()}
    assert figures.MODELS.keys() == names
    for name in names:
        card = (figures.ZOO / f"{name}.md").read_text(encoding="utf-8")
        for block in ("quality", "speed"):
            assert f"<!-- figures: {block} -->" in card


def typed_figures(path: Path) -> list[str]:
    """Return the figures in a document that nothing writes."""
    text = path.read_text(encoding="utf-8")
    typed = re.sub(r"<!-- figures:.*?<!-- end of figures -->", "", text, flags=re.DOTALL)
    typed = re.sub(r"```.*?```", "", typed, flags=re.DOTALL)
    return re.findall(r"(?<![\w.])\d[\d,.]*\s?(?:ms|MB|GB|dB|%|times|fps|frames/s)(?!\w)", typed)


def test_no_figure_is_typed_into_the_readmes() -> None:
    assert typed_figures(ROOT / "README.md") == []
    assert typed_figures(ROOT / "benchmarks" / "README.md") == []


def test_figures_that_are_typed_into_cards_stand_in_the_models_files() -> None:
    for manifest in restore_rt.models():
        # What the inputs went through while it was trained, and PSNR on held-out pictures.
        shares = re.findall(r"^share = ([\d.]+)$", manifest.recipe, re.MULTILINE)
        known = [f"{float(share):.0%}" for share in shares]
        known += [f"{value:.1f} dB" for key, value in manifest.metrics.items() if "psnr" in key]
        typed = typed_figures(ROOT / "restore_rt" / "zoo" / f"{manifest.name}.md")
        assert set(typed) <= set(known), manifest.name


def test_the_guide_says_how_fast_data_comes() -> None:
    guide = " ".join((ROOT / "docs" / "training.md").read_text(encoding="utf-8").split())
    recipes = results("loader")["recipes"]
    assert f"({max(r['waited'] for r in recipes.values()):.1%} of the time with each of" in guide
    assert f"`video-x2` takes {recipes['video-x2']['steps_per_second']:.1f} batches/s" in guide


def test_the_guide_says_what_attention_is_worth() -> None:
    guide = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    runs = results("attention")["runs"]
    for name, of_seeds in runs.items():
        means = [sum(run[key] for run in of_seeds) / len(of_seeds) for key in of_seeds[0]]
        assert f"| `{name}` | {' | '.join(f'{mean:.2f}' for mean in means)} |" in guide
    ahead = [
        [none[key] - patch[key] for none, patch in zip(runs["none"], runs["patch"], strict=True)]
        for key in ("clean", "passed_on")
    ]
    assert [f"{max(figures):.2f}" for figures in ahead] == ["0.15", "0.01"]
