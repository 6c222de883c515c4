"""Every figure of quality in a model's card stands in a file of benchmarks/results."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest

import restore_rt
from restore_rt import zoo

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
RESULTS = BENCHMARKS / "results"
# Its card is checked by the figures in quality_video-x2.json, see test_readme.py.
NAMES = sorted({manifest.name for manifest in restore_rt.models()} - {"video-x2"})


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the benchmark that measures what the cards tell."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("models")


def test_every_shipped_model_is_measured(models: Any) -> None:
    assert {manifest.name for manifest in restore_rt.models()} <= models.CASES.keys()
    assert all(models.CASES.values())


def test_a_wrong_name_is_told_before_anything_is_measured(
    models: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(models, "measure", lambda *_: pytest.fail("it was measured"))
    monkeypatch.setattr(sys, "argv", ["models.py", "--data", ".", "video-x2", "video-x9"])
    with pytest.raises(SystemExit):
        models.main()
    assert "'video-x9' is not shipped; there are " in capsys.readouterr().err


def _record(name: str) -> Any:
    return json.loads((RESULTS / f"model_{name}.json").read_text("utf-8"))


@pytest.mark.parametrize("name", NAMES)
def test_a_cards_figures_are_measured(name: str) -> None:
    card = zoo.path_of(name).with_suffix(".md").read_text(encoding="utf-8")
    record = _record(name)
    manifests = {manifest.name: manifest for manifest in restore_rt.models()}
    assert record["model"]["sha256"] == manifests[name].sha256
    assert f"{record['model']['parameters']:,} parameters" in card
    first = next(iter(record["cases"].values()))["totals"][name]
    assert f"{first['ms_per_megapixel']:.0f} ms per megapixel of output" in card
    for label, case in record["cases"].items():
        base, ours = case["totals"][case["baseline"]], case["totals"][name]
        row = f"| {label} ({case['pictures']}) | {base['psnr_y']:.2f} | {ours['psnr_y']:.2f} |"
        assert row in card
        if case["lettered"]:
            figures = (base["cer_page"], ours["cer_page"], base["cer"], ours["cer"])
            cells = " | ".join(f"{figure:.3f}" for figure in figures)
            assert f"| {label} ({case['lettered']}) | {cells} |" in card
