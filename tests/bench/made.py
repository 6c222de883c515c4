"""Measurements and reports made up of numbers."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from restore_rt.bench import Case, Measurement, Report
from restore_rt.bench.report import Round, Sustained
from restore_rt.bench.statistics import Histogram
from tests.bench.samples import measurement

MACHINE: dict[str, Any] = {
    "processor": "A processor",
    "cores": 4,
    "threads": 2,
    "instructions": "avx2",
    "system": "Linux x86_64",
    "kernel": "6.1",
    "memory_mb": 16_000,
    "gpus": [],
    "clocks": {"load": 0.1},
}


def measured(
    medians: Sequence[float],
    controls: Sequence[float] | None = None,
    *,
    case: Case | None = None,
    **more: Any,
) -> Measurement:
    """Return a measurement of rounds with these medians, in ms."""
    controls = controls or [5.0] * len(medians)
    values: dict[str, Any] = {
        "rounds": tuple(
            Round(median, control, 100, 1e3 / median, 0.25)
            for median, control in zip(medians, controls, strict=True)
        ),
        "min_ms": min(medians),
        "max_ms": max(medians),
        "samples": Histogram.of(np.asarray(medians, np.float64)),
        "stages": {"network": 9.0},
        "sustained": Sustained(60.0, 4000, 20.5, 30.0, {"24": True, "30": True, "60": False}),
    }
    return dataclasses.replace(measurement(case or Case(), medians[0]), **{**values, **more})


def reported(*measurements: Measurement, **more: Any) -> Report:
    """Return a report of them."""
    controls = [each.control_ms for made in measurements for each in made.rounds]
    values: dict[str, Any] = {
        "created": "2026-01-02T03:04:05+00:00",
        "machine": MACHINE,
        "software": {"restore_rt": "0.1.0", "numpy": "2.0"},
        "control": {
            "median_ms": 5.0,
            "spread": max(controls, default=1) / min(controls, default=1),
        },
        "measurements": measurements,
    }
    return Report(**{**values, **more})


def other_case(**changes: Any) -> Case:
    """Return the usual case, changed."""
    return dataclasses.replace(Case(), **changes)
