"""Results as JSON that name the machine and the libraries they were measured with."""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import os
import platform
import statistics
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import restore_rt
from restore_rt import _ext, zoo
from restore_rt.bench.machine import processor
from restore_rt.loading import available_threads

__all__ = ["describe_machine", "describe_model", "milliseconds", "path_of", "write"]

_FOLDER = Path(os.environ.get("RESTORE_RT_RESULTS", "out/benchmarks"))
_LIBRARIES = (
    "numpy",
    "onnx",
    "onnxruntime",
    "onnxruntime-gpu",
    "openvino",
    "av",
    "pillow",
    "torch",
)


def write(name: str, measured: dict[str, Any]) -> Path:
    """Write ``measured`` with a description of this machine to ``<name>.json``.

    The folder is ``out/benchmarks``, or the one that ``RESTORE_RT_RESULTS`` names. What the README
    claims stands in ``benchmarks/results``.
    """
    path = path_of(name)
    record = {"benchmark": name, "date": _today(), "machine": describe_machine(), **measured}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return path


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


def _today() -> str:
    return datetime.datetime.now(datetime.timezone.utc).date().isoformat()


def path_of(name: str) -> Path:
    """Return where a record of that name lies."""
    return _FOLDER / f"{name}.json"


def describe_machine() -> dict[str, Any]:
    """Return what measures."""
    return {
        "cpu": processor(),
        "threads": available_threads(),
        "load_at_end": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.machine()}",
        "isa": _ext.isa(),
        "extensions": _extensions(),
        "python": platform.python_version(),
        "restore_rt": restore_rt.__version__,
        "libraries": _versions(),
    }


def _extensions() -> list[str]:
    """Return what the CPU has for networks beyond its instruction set."""
    found = {
        "amx": "direct_amx" in _ext.algorithms("bf16"),
        "bf16": _ext.has_bf16(),
        "vnni": _ext.has_vnni(),
    }
    return [name for name, there in found.items() if there]


def _versions() -> dict[str, str]:
    # Some benchmarks measure the runtime alone, and work without what only training needs.
    found = {}
    for name in _LIBRARIES:
        with suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found
