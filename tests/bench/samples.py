"""Reports as a benchmark might have made them, of times that a seed gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from restore_rt.bench.report import Case, Measurement, Report, Round, Sustained, Verified
from restore_rt.bench.statistics import Histogram

# What means something to HTML, to Rich, to Markdown and to a terminal.
NASTY = "<b>|[red]x"
ESCAPES = "\x1b[31mred\x1b[0m\r\n| `a` | </table><script>alert(1)</script>"

FAST, SLOW, LONG = Case(), Case(model="photo-x2", threads=2), Case(model="video-x2-fast")
UNSTABLE, ONCE = Case(model=NASTY), Case(model="comic-x2")
BROKEN = Case(model="photo-x4", provider="cuda")
ALL = {"24": True, "30": True, "60": True}


def measurement(
    case: Case, median_ms: float, *, rounds: int = 5, seed: int = 0, **other: Any
) -> Measurement:
    """Return a measurement of about so many ms; ``other`` replaces its fields."""
    rng = np.random.default_rng(seed)
    parts = [
        median_ms * (1 + 0.02 * rng.standard_normal(200) + rng.exponential(0.03, 200))
        for _ in range(rounds)
    ]
    times = np.concatenate(parts)
    fields: dict[str, Any] = {
        "case": case,
        "description": f"{case.model} on native backend, fp32, avx512, 2 threads",
        "backend": "native",
        "precision": "fp32",
        "model": {"name": case.model, "version": "1.2", "sha256": "0" * 64, "parameters": 23_940},
        "verified": Verified("ONNX Runtime 1.32.0, fp32, without tiles", 1, 71.25, 36_864),
        "warm_runs": 12 * rounds,
        "warm_seconds": 0.4,
        "stable": True,
        "rounds": tuple(
            Round(float(np.median(part)), 2.5, len(part), 1e3 / float(part.mean()), 0.21)
            for part in parts
        ),
        "mean_ms": float(times.mean()),
        "min_ms": float(times.min()),
        "max_ms": float(times.max()),
        "jitter_ms": float(np.abs(np.diff(times)).mean()),
        "samples": Histogram.of(times),
        "load_seconds": 0.214,
        "host_peak_mb": 181.4,
        "host_frames_mb": 33.0,
    }
    return Measurement(**{**fields, **other})


def split_of(median_ms: float) -> dict[str, float]:
    """Return the stages of a tiled frame that takes so long."""
    return {"split": 0.04 * median_ms, "network": 0.9 * median_ms, "merge": 0.06 * median_ms}


def report(measurements: Sequence[Measurement], **other: Any) -> Report:
    """Return a report of some measurements; ``other`` replaces its fields."""
    fields: dict[str, Any] = {
        "created": "2026-11-28T14:51:00+00:00",
        "machine": {
            "processor": "AMD EPYC 9B14",
            "cores": 2,
            "threads": 2,
            "instructions": "avx512",
            "memory_mb": 8190,
            "gpus": [],
            "clocks": {"load": 0.35, "mhz": {"min": 2400.0, "max": 3100.5}},
        },
        "software": {"restore_rt": "0.1.0", "python": "3.11.7", "onnxruntime": "1.32.0"},
        "control": {"median_ms": 2.5, "spread": 1.04},
        "measurements": tuple(measurements),
    }
    return Report(**{**fields, **other})


def varied() -> Report:
    """Return one with all that is rare: see the tests for what."""
    return report(
        [
            measurement(
                FAST,
                15.0,
                seed=1,
                stages={**split_of(15.0), "chroma": 0.9},
                joules={"cpu 0": 0.52},
                sustained=Sustained(60.2, 3800, 21.34, 44.1, {"24": True, "30": True, "60": False}),
            ),
            measurement(
                SLOW,
                88.0,
                seed=2,
                stages=split_of(88.0),
                verified=Verified("ONNX Runtime 1.32.0, fp32, without tiles", 0, None, 36_864),
                sustained=Sustained(10.0, 110, 95.0, 101.0, {}),
            ),
            measurement(LONG, 6.5, seed=3, sustained=Sustained(60.0, 8000, 8.25, 12.0, ALL)),
            measurement(
                UNSTABLE,
                31.0,
                seed=4,
                stable=False,
                verified=None,
                not_verified=f"no file {ESCAPES}",
                stages={"network": 30.0, "<i>|": 2.5},
            ),
            measurement(ONCE, 41.0, seed=5, rounds=1, host_peak_mb=None),
        ],
        failures=((BROKEN, f"provider 'cuda' cannot be used: {ESCAPES}"),),
        control={"median_ms": 2.5, "spread": 1.234},
    )


def many(count: int = 12) -> Report:
    """Return one of so many cases, with stages, on a machine with a GPU."""
    names = ("video-x2", "video-x2-fast", "photo-x2", "comic-x2")
    cases = [
        Case(model=names[at % 4], provider=("cpu", "cuda", "tensorrt")[at // 4 % 3], batch=1)
        for at in range(count)
    ]
    made = [
        measurement(
            case,
            3.0 * 1.35**at,
            seed=at,
            stages=split_of(3.0 * 1.35**at),
            device_peak_mb=512.0 + at,
        )
        for at, case in enumerate(cases)
    ]
    gpus = [{"name": "NVIDIA H100 80GB HBM3", "driver_version": "570.1"}]
    return report(made, machine={"processor": "AMD EPYC 9B14", "cores": 16, "gpus": gpus})
