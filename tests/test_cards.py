"""Every figure of quality in a model's card stands in a file of benchmarks/results."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import restore_rt
from restore_rt import zoo

RESULTS = Path(__file__).parent.parent / "benchmarks" / "results"
# Its card is checked by the figures in quality_video-x2.json, see test_readme.py.
NAMES = sorted({manifest.name for manifest in restore_rt.models()} - {"video-x2"})


@pytest.mark.parametrize("name", NAMES)
def test_a_cards_figures_are_measured(name: str) -> None:
    card = zoo.path_of(name).with_suffix(".md").read_text(encoding="utf-8")
    record = json.loads((RESULTS / f"model_{name}.json").read_text("utf-8"))
    manifests = {manifest.name: manifest for manifest in restore_rt.models()}
    assert record["model"]["sha256"] == manifests[name].sha256
    assert f"{record['model']['parameters']:,} parameters" in card
    for label, case in record["cases"].items():
        base, ours = case["totals"][case["baseline"]], case["totals"][name]
        row = f"| {label} ({case['pictures']}) | {base['psnr_y']:.2f} | {ours['psnr_y']:.2f} |"
        assert row in card
        if case["lettered"]:
            figures = (base["cer_page"], ours["cer_page"], base["cer"], ours["cer"])
            cells = " | ".join(f"{figure:.3f}" for figure in figures)
            assert f"| {label} ({case['lettered']}) | {cells} |" in card
