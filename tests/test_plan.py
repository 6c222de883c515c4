"""The planner's choices against what ``benchmarks/plan.py`` measured of all algorithms."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

import pytest

RESULTS = Path(__file__).parent.parent / "benchmarks" / "results"
# The processor on which there is the most to choose from.
MACHINE = "intel-xeon-avx512-amx-bf16-vnni"
PLAN = json.loads((RESULTS / f"{MACHINE}.json").read_text("utf-8"))["parts"]["plan"]
ALLOWED = {
    "fp32": ("direct", "tail", "winograd"),
    "bf16": ("direct", "tail", "winograd", "winograd_bf16", "direct_amx"),
}


def loss(shape: dict[str, Any], precision: str) -> float:
    """Return the time of the choice over the least."""
    times = {
        way: shape["nanoseconds"][way] for way in ALLOWED[precision] if way in shape["nanoseconds"]
    }
    return float(times[shape["picked"][precision]] / min(times.values()))


@pytest.mark.parametrize("precision", ALLOWED)
def test_the_choices_are_nearly_the_fastest(precision: str) -> None:
    losses = [loss(shape, precision) for shape in PLAN["shapes"]]
    assert len(losses) == 98
    assert statistics.mean(losses) < 1.05
    assert sorted(losses)[int(0.9 * len(losses))] < 1.1


def test_the_rings_are_nearly_the_best() -> None:
    for network in PLAN["rings"]:
        times = network["milliseconds"]
        assert times[str(network["picked"])] < 1.1 * min(times.values())
