"""The shipped in-painting model, and what was measured of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import restore_rt
from restore_rt.inpaint import fill
from restore_rt.model import registry

pytest.importorskip("onnxruntime")

NAME = "inpaint"
RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"
RECORD = json.loads((RESULTS / f"model_{NAME}.json").read_text(encoding="utf-8"))


def test_stripes_go_on_through_a_scratch_and_all_else_stays() -> None:
    rows, columns = np.mgrid[:96, :130]
    stripes = (120 + 90 * np.sin((rows + 0.6 * columns) / 4)).astype(np.uint8)
    frame = np.stack([stripes, stripes // 2 + 60, 255 - stripes], axis=-1)
    mask = np.abs(columns - 60 - rows // 5) <= 2
    damaged = frame.copy()
    damaged[mask] = 255
    with restore_rt.load(NAME, threads=2) as restorer:
        for picture, original in ((damaged, frame), (damaged[..., 0].copy(), frame[..., 0])):
            out = restorer(picture, mask=mask)
            assert np.array_equal(out[~mask], original[~mask])
            error, before = (
                float(np.abs(each[mask].astype(float) - original[mask]).mean())
                for each in (out, fill(picture, mask))
            )
            assert error < 0.7 * before


def test_what_was_measured_is_the_shipped_model() -> None:
    (manifest,) = (each for each in restore_rt.models() if each.name == NAME)
    card = registry.path_of(NAME).with_suffix(".md").read_text(encoding="utf-8")
    assert RECORD["model"]["sha256"] == manifest.sha256
    assert f"{RECORD['model']['parameters']:,} parameters" in card
    assert f"| version | {manifest.version} |" in card
    assert f"means over {RECORD['pictures']} pictures" in card
    for block in ("holes", "filling"):
        assert f"<!-- figures: {block} -->" in card


@pytest.mark.parametrize("kind", ["scratches", "patches", "strokes", "centre"])
def test_it_is_better_than_what_needs_no_seconds(kind: str) -> None:
    cases: dict[str, Any] = RECORD["cases"][kind]
    for method in ("push-pull", "telea", "ns"):
        assert cases[NAME]["psnr"] > cases[method]["psnr"]
        assert cases[NAME]["ssim"] > cases[method]["ssim"]
    if kind in ("patches", "strokes"):
        assert cases[NAME]["psnr"] > cases["fsr"]["psnr"]
    assert cases[NAME]["seconds"] < cases["fsr"]["seconds"]
