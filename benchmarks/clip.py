"""The whole `restore-rt video` command on a clip: decode, restore, encode.

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

CLIP = Path(__file__).parent.parent / "examples" / "panels.mp4"


def main() -> None:
    """Measure, print, write ``clip.json`` (``clip_NAME.json`` for another clip)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--clip", type=Path, default=CLIP)
    options = parser.parse_args()
    reports, controls = [], [_control()]
    for _ in range(options.runs):
        reports.append(_run(options.clip))
        controls.append(_control())
    rates = [report["fps"] for report in reports]
    middle = min(reports, key=lambda report: abs(report["fps"] - statistics.median(rates)))
    noise = max(controls) / min(controls)
    print(f"frames/s: median {statistics.median(rates):.1f}, from {min(rates)} to {max(rates)}")
    print(f"control loop: slowest over fastest {noise:.2f}")
    path = write(
        "clip" if options.clip == CLIP else f"clip_{options.clip.stem}",
        {
            "what": (
                f"restore-rt video {options.clip.name} with its default options: decode, restore, "
                f"encode as {middle['codec']} at {middle['width']}x{middle['height']}"
            ),
            "frames_per_second": {
                "median": statistics.median(rates),
                "min": min(rates),
                "max": max(rates),
                "runs": len(rates),
            },
            "control_slowest_over_fastest": round(noise, 3),
            "median_run": middle,
        },
    )
    print(f"written: {path}")


def _run(clip: Path) -> dict[str, Any]:
    command = Path(sys.executable).with_name("restore-rt")
    with tempfile.TemporaryDirectory() as folder:
        target = str(Path(folder, "out.mp4"))
        arguments = [str(command), "video", str(clip), "-o", target, "--json"]
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
