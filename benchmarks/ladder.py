"""The luma models for video: how good each is, and how long a frame takes.

PSNR is what ``models.py`` measured; the times are taken here, all in one process in turn. Draws
``docs/ladder.svg``.
"""

from __future__ import annotations

import argparse
import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from native import interleaved, picture
from results_file import milliseconds, write
from rich.console import Console
from rich.table import Table

import restore_rt
from restore_rt import _ext, zoo

ROOT = Path(__file__).parent.parent
MODELS = ("video-x2-fast", "video-x2")
SIZE = (360, 640)
QUALITY = ("Set14", "clips, H.264 CRF 28")
WAYS: dict[str, dict[str, Any]] = {
    "fp32": {"precision": "fp32"},
    "bf16": {"precision": "bf16"},
    "onnxruntime": {"backend": "onnxruntime"},
}


def main() -> None:
    """Measure, print a table, write ``ladder.json``, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=25)
    parser.add_argument("--picture", type=Path, default=ROOT / "docs" / "ladder.svg")
    options = parser.parse_args()
    times = _times(options.runs)
    models = {}
    for name in ("bicubic", *MODELS):
        cases = _record(MODELS[0] if name == "bicubic" else name)["cases"]
        models[name] = {
            "parameters": 0 if name == "bicubic" else _record(name)["model"]["parameters"],
            "psnr": {label: cases[label]["totals"][name]["psnr_y"] for label in QUALITY},
            "milliseconds": times[name],
        }
    _print(models)
    _draw(models, options.picture)
    what = f"{SIZE[1]}x{SIZE[0]} luma to twice the size, 8 bits, one frame at a time, 2 threads"
    print(f"written: {write('ladder', {'what': what, 'models': models})}")


def _record(name: str) -> dict[str, Any]:
    path = ROOT / "benchmarks" / "results" / f"model_{name}.json"
    record: dict[str, Any] = json.loads(path.read_text("utf-8"))
    if record["model"]["sha256"] != _manifest(name).sha256:
        raise SystemExit(f"{path} is of another {name}: run benchmarks/models.py {name}")
    return record


def _manifest(name: str) -> restore_rt.Manifest:
    return next(manifest for manifest in zoo.models() if manifest.name == name)


def _times(runs: int) -> dict[str, dict[str, dict[str, float]]]:
    frame = picture(*SIZE)
    out = np.empty((2 * SIZE[0], 2 * SIZE[1]), np.uint8)
    steps: dict[str, Callable[[], object]] = {
        "bicubic/fp32": lambda: _ext.upsample_plane_into(
            out, frame, scale=2, phase=(0.0, 0.0), threads=2
        )
    }
    for name in MODELS:
        for way, chosen in WAYS.items():
            if way == "bf16" and not _ext.has_bf16():
                continue
            restorer = restore_rt.load(name, threads=2, provider="cpu", **chosen)
            steps[f"{name}/{way}"] = functools.partial(restorer, frame, out=out)
    found: dict[str, dict[str, dict[str, float]]] = {}
    for key, seconds in interleaved(steps, runs).items():
        name, way = key.split("/")
        found.setdefault(name, {})[way] = milliseconds(seconds)
    return found


def _print(models: dict[str, Any]) -> None:
    table = Table("model", "parameters", *QUALITY, *WAYS, title="PSNR in dB, median ms")
    for name, model in models.items():
        quality = (f"{model['psnr'][label]:.2f}" for label in QUALITY)
        times = model["milliseconds"]
        cells = (f"{times[way]['median']:.2f}" if way in times else "" for way in WAYS)
        table.add_row(name, f"{model['parameters']:,}", *quality, *cells)
    Console().print(table)


def _draw(models: dict[str, Any], path: Path) -> None:
    import matplotlib

    matplotlib.use("svg")
    # The same figures give the same file.
    matplotlib.rcParams["svg.hashsalt"] = "ladder"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4.2), layout="constrained")
    for way in WAYS:
        points = [
            (model["milliseconds"][way]["median"], model["psnr"]["Set14"])
            for name, model in models.items()
            if name != "bicubic" and way in model["milliseconds"]
        ]
        if points:
            label = "ONNX Runtime fp32" if way == "onnxruntime" else f"native {way}"
            axes.plot(*zip(*points, strict=True), marker="o", label=label)
    for name, model in models.items():
        at = (model["milliseconds"]["fp32"]["median"], model["psnr"]["Set14"])
        if name == "bicubic":
            axes.plot(*at, marker="s", linestyle="none", color="grey")
        axes.annotate(name, at, xytext=(6, -12), textcoords="offset points", fontsize=9)
    axes.axvline(1000 / 60, color="grey", linestyle=":", label="60 frames/s")
    axes.set_xscale("log")
    axes.set_xlabel(f"ms for a frame of {SIZE[1]}x{SIZE[0]} on 2 threads")
    axes.set_ylabel("PSNR on Set14 in dB")
    axes.grid(alpha=0.3, which="both")
    axes.legend()
    figure.savefig(path, metadata={"Date": None})
    print(f"drawn: {path}")


if __name__ == "__main__":
    main()
