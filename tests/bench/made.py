"""Measurements and reports made up of numbers."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from restore_rt.bench import Case, Measurement, Report
from restore_rt.bench.report import Round, Sustained, Verified

MACHINE: dict[str, Any] = {
    "processor": "A processor",
    "cores": 4,
    "threads": 2,
    "instructions": "avx2",
    "system": "Linux x86_64",
    "gpus": [],
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
    case = case or Case()
    values: dict[str, Any] = {
        "case": case,
        "description": f"{case.model} on native backend, fp32, avx512, 2 threads",
        "device": "cpu",
        "backend": "native",
        "precision": "fp32",
        "model": {"name": case.model, "version": "1.2", "sha256": "0" * 64, "parameters": 23_940},
        "verified": Verified("ONNX Runtime 1.32.0, fp32, without tiles", 1, 71.25, 36_864),
        "stable": True,
        "rounds": tuple(
            Round(median, control, 100, 1e3 / median, 0.25)
            for median, control in zip(medians, controls, strict=True)
        ),
        "times_ms": np.asarray(medians, np.float64),
        "stages": {"network": 9.0},
        "host_peak_mb": 181.4,
        "sustained": Sustained(60.0, 4000, 20.5, 30.0, {24: True, 30: True, 60: False}),
    }
    return Measurement(**{**values, **more})


def reported(*measurements: Measurement, **more: Any) -> Report:
    """Return a report of them."""
    values: dict[str, Any] = {
        "created": "2026-01-02T03:04:05+00:00",
        "machine": MACHINE,
        "software": {"restore_rt": "0.1.0", "numpy": "2.0"},
        "measurements": measurements,
    }
    return Report(**{**values, **more})


def other_case(**changes: Any) -> Case:
    """Return the usual case, changed."""
    return dataclasses.replace(Case(), **changes)
