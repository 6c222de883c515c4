"""Results as JSON that name the machine and the libraries they were measured with."""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import os
import statistics
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from restore_rt.bench.machine import clocks, describe_machine, describe_software
from restore_rt.model import registry as zoo

__all__ = ["describe_model", "folder", "machine_now", "milliseconds", "path_of", "write"]

# Beside what the runtime itself needs.
_OPENCV = ("opencv-contrib-python-headless", "opencv-python-headless", "opencv-python")
_LIBRARIES = ("openvino", "ncnn", "pnnx", *_OPENCV, "torch")


def write(name: str, measured: dict[str, Any]) -> Path:
    """Write ``measured`` with a description of this machine to ``<name>.json``.

    What the README claims stands in ``benchmarks/results``.
    """
    path = path_of(name)
    record = {
        "benchmark": name,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": machine_now(),
        "software": describe_software() | _versions(),
        **measured,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return path


def machine_now() -> dict[str, Any]:
    """Return what measures, with its clocks and its load, as in a report of the benchmark."""
    return {**describe_machine(), "clocks": clocks()}


def milliseconds(seconds: Sequence[float]) -> dict[str, float]:
    """Median and spread of repeated timings."""
    ordered = sorted(value * 1e3 for value in seconds)
    return {
        "median": round(statistics.median(ordered), 3),
        "p10": round(ordered[len(ordered) // 10], 3),
        "p90": round(ordered[-1 - len(ordered) // 10], 3),
        "runs": len(ordered),
    }


def describe_model(name: str) -> dict[str, Any]:
    """Return which model was measured: what is shipped under a name changes."""
    manifest = next(each for each in zoo.models() if each.name == name)
    return {"name": name, "version": manifest.version, "sha256": manifest.sha256}


def folder() -> Path:
    """Return where records lie: ``out/benchmarks``, or what ``RESTORE_RT_RESULTS`` names."""
    return Path(os.environ.get("RESTORE_RT_RESULTS", "out/benchmarks"))


def path_of(name: str) -> Path:
    """Return where a record of that name lies."""
    return folder() / f"{name}.json"


def _versions() -> dict[str, str]:
    # Some benchmarks measure the runtime alone, and work without what only training needs.
    found = {}
    for name in _LIBRARIES:
        with suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found
