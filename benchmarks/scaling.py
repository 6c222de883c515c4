"""Time and memory of video-x2 by the size of the frame, up to 7680x4320 made of 3840x2160.

Each case is a process of its own, whose memory is what it holds at most while it restores, beyond
what it held with the model loaded and both frames in memory. On Linux alone, which tells the most
that a process held since it was asked to forget.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from native import picture
from results_file import describe_model, milliseconds, write
from rich.console import Console
from rich.table import Table

import restore_rt

MODEL = "video-x2"
SIZES = ((360, 640), (720, 1280), (1080, 1920), (2160, 3840))
BACKENDS = ("native", "onnxruntime")
MEGABYTE = 1e6


def main() -> None:
    """Measure, print a table, write ``scaling.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--case", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case is not None:
        print(json.dumps(_measure_here(**json.loads(options.case), runs=options.runs)))
        return
    if not Path("/proc/self/clear_refs").exists():
        print("scaling: not measured, Linux alone tells what memory a process held at most")
        return
    cases = [
        {"height": height, "width": width, "backend": backend, "threads": threads}
        for height, width in SIZES
        for threads in options.threads
        for backend in BACKENDS
    ]
    for case in cases:
        command = [sys.executable, __file__, "--runs", str(options.runs), "--case"]
        made = subprocess.run(
            [*command, json.dumps(case)], check=True, stdout=subprocess.PIPE, text=True
        )
        case.update(json.loads(made.stdout))
    _print(cases)
    what = (
        f"{MODEL}, 8-bit luma, one frame at a time; MB are millions of bytes: of the frame and its "
        "result together, and what is held at most beside them while a frame is restored"
    )
    found = {"what": what, "model": describe_model(MODEL), "cases": cases}
    print(f"written: {write('scaling', found)}")


def _measure_here(
    *, height: int, width: int, backend: Any, threads: int, runs: int
) -> dict[str, Any]:
    restorer = restore_rt.load(MODEL, provider="cpu", backend=backend, threads=threads)
    frame = picture(height, width)
    # Written, so that it is in memory.
    out = np.full((restorer.scale * height, restorer.scale * width), 1, np.uint8)
    before = _reset_peak()
    restorer(frame, out=out)
    held = _status("VmHWM") - before
    seconds = []
    for _ in range(runs):
        begin = time.perf_counter()
        restorer(frame, out=out)
        seconds.append(time.perf_counter() - begin)
    return {
        "description": restorer.description,
        "milliseconds": milliseconds(seconds),
        "frames_mb": round((frame.nbytes + out.nbytes) / MEGABYTE, 1),
        "beside_them_mb": round(held / MEGABYTE, 1),
    }


def _reset_peak() -> int:
    """Forget the most that this process held; return what it holds, in bytes."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return _status("VmRSS")


def _status(key: str) -> int:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024
    raise SystemExit(f"/proc/self/status says nothing of {key}")


def _print(cases: list[dict[str, Any]]) -> None:
    table = Table("frame", "backend", "threads", "median ms", "frames, MB", "beside them, MB")
    for case in cases:
        table.add_row(
            f"{case['width']}x{case['height']}",
            case["backend"],
            str(case["threads"]),
            f"{case['milliseconds']['median']:.1f}",
            f"{case['frames_mb']:.1f}",
            f"{case['beside_them_mb']:.1f}",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
