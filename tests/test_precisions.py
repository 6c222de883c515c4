"""What the guide says of precisions was measured, and is what a precision must give."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import restore_rt
from tests.shipped import restoring

ROOT = Path(__file__).parent.parent
NAMES = sorted(manifest.name for manifest in restoring())
# What the export itself asks for.
LEAST_FP16 = 60
# In dB on Set14, and times as fast as fp32 on a CPU with VNNI.
MOST_LOST, LEAST_FASTER = 0.15, 1.5
MOST_LOST_BF16 = 0.03
MOST_SECONDS = 60


@pytest.fixture(scope="module")
def record() -> Any:
    """Return what the benchmark measured."""
    return json.loads((ROOT / "benchmarks" / "results" / "precisions.json").read_text("utf-8"))


@pytest.mark.parametrize("name", NAMES)
def test_fp16_costs_little(record: Any, name: str) -> None:
    figures = record["fp16"][name]
    assert min(figures["simulated"], figures["onnxruntime"]) >= LEAST_FP16
    assert figures["sha256"] == {m.name: m.sha256 for m in restore_rt.models()}[name]
    measured = json.loads(
        (ROOT / "benchmarks" / "results" / f"model_{name}.json").read_text("utf-8")
    )
    parameters = measured["model"]["parameters"]
    # Of the two bytes that each could save.
    assert figures["bytes_fp32"] - figures["bytes"] > 1.7 * parameters
    # In the smallest file the manifest, which stays as it is, weighs more than the network.
    if parameters > 3000:
        assert figures["bytes"] < 0.6 * figures["bytes_fp32"]


@pytest.mark.parametrize("name", ["photo-x2", "video-x2"])
def test_int8_costs_little_and_gains_much(record: Any, name: str) -> None:
    figures = record["int8"][name]
    assert figures["sha256"] == {m.name: m.sha256 for m in restore_rt.models()}[name]
    assert figures["psnr_y_fp32"] - figures["psnr_y"] <= MOST_LOST
    assert 1 / figures["time_ratio"]["median"] >= LEAST_FASTER


def test_an_export_is_quick(record: Any) -> None:
    assert record["fp16"]["photo-x2"]["export_s"] <= MOST_SECONDS


def test_bf16_costs_nearly_nothing(record: Any) -> None:
    assert record["bf16"].keys() == {
        manifest.name for manifest in restore_rt.models() if runs_natively(manifest.name)
    }
    shipped = {manifest.name: manifest.sha256 for manifest in restore_rt.models()}
    for name, figures in record["bf16"].items():
        assert figures["sha256"] == shipped[name]
        assert figures["psnr_y"].keys() == {"Set5", "Set14"}
        for psnr in figures["psnr_y"].values():
            assert len(psnr) > 1
            assert psnr["fp32"] - min(psnr.values()) <= MOST_LOST_BF16


def runs_natively(name: str) -> bool:
    with restore_rt.load(name, device="cpu") as restorer:
        return "native backend" in restorer.description
