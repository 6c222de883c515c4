"""The whole `restore-rt video` command on a clip: decode, restore, encode.

With the native engine, in its two precisions, and with ONNX Runtime, in turn.

A control loop of plain arithmetic runs before, between and after: where it varies, the machine
was busy with something else, and the figures say so.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from results_file import write

from restore_rt import _ext

CLIP = Path(__file__).parent.parent / "examples" / "panels.mp4"
WAYS = {
    "native": [],
    "bf16": ["--precision", "bf16"],
    "onnxruntime": ["--backend", "onnxruntime"],
}


def main() -> None:
    """Measure, print, write ``clip.json`` (``clip_NAME.json`` for another clip)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--clip", type=Path, default=CLIP)
    options = parser.parse_args()
    ways = {name: way for name, way in WAYS.items() if name != "bf16" or _ext.has_bf16()}
    reports: dict[str, list[dict[str, Any]]] = {name: [] for name in ways}
    controls = [_control()]
    for _ in range(options.runs):
        for name, way in ways.items():
            reports[name].append(_run(options.clip, way))
            controls.append(_control())
    rates = {name: [report["fps"] for report in made] for name, made in reports.items()}
    usual = statistics.median(rates["native"])
    middle = min(reports["native"], key=lambda report: abs(report["fps"] - usual))
    noise = max(controls) / min(controls)
    for name, values in rates.items():
        print(f"{name}: {statistics.median(values):.1f} frames/s, {min(values)} to {max(values)}")
    print(f"control loop: slowest over fastest {noise:.2f}")
    path = write(
        "clip" if options.clip == CLIP else f"clip_{options.clip.stem}",
        {
            "what": (
                f"restore-rt video {options.clip.name}: decode, restore, "
                f"encode as {middle['codec']} at {middle['width']}x{middle['height']}"
            ),
            "options": {name: " ".join(way) for name, way in ways.items()},
            "frames_per_second": {
                name: {
                    "median": statistics.median(values),
                    "min": min(values),
                    "max": max(values),
                    "runs": len(values),
                }
                for name, values in rates.items()
            },
            "control_slowest_over_fastest": round(noise, 3),
            "median_run": middle,
        },
    )
    print(f"written: {path}")


def _run(clip: Path, way: list[str]) -> dict[str, Any]:
    command = Path(sys.executable).with_name("restore-rt")
    with tempfile.TemporaryDirectory() as folder:
        target = str(Path(folder, "out.mp4"))
        arguments = [str(command), "video", str(clip), "-o", target, "--json", *way]
        finished = subprocess.run(arguments, check=True, stdout=subprocess.PIPE, text=True)
    report: dict[str, Any] = json.loads(finished.stdout)
    return {key: value for key, value in report.items() if key not in ("source", "target")}


def _control() -> float:
    """Seconds for a fixed piece of arithmetic."""
    values = np.linspace(0, 1, 1 << 16)
    begin = time.perf_counter()
    for _ in range(2000):
        values = np.sqrt(values * values + 1e-9)
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
