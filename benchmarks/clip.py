"""The whole `restore-rt video` command on a clip: decode, restore, encode.

As it comes, in fp32, with ONNX Runtime, and in ways that take less, in turn: with an encoder, and
with one that throws the frames away, which shows what the rest takes. On the demo clip, and on a
larger one that is made of it.

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
from pathlib import Path
from typing import Any

from clips import CLIP, remade
from results_file import describe_model, write

import restore_rt
from restore_rt.bench.machine import Control

CONTROLS = 20
LARGER, LARGER_FRAMES = (960, 540), 90
COMMANDS = {
    "frames_per_second": [str(Path(sys.executable).with_name("restore-rt"))],
    "without_encoder": [sys.executable, str(Path(__file__).with_name("without_encoder.py"))],
}
WAYS = {
    "default": [],
    "fp32": ["--precision", "fp32"],
    "onnxruntime": ["--backend", "onnxruntime"],
}
# Of less effort, for frames that come faster than the default can take them.
LIGHTER = {
    "video-x2-fast": ["--model", "video-x2-fast"],
    "superfast": ["--preset", "superfast"],
    "video-x2-fast, superfast": ["--model", "video-x2-fast", "--preset", "superfast"],
}
Report = dict[str, Any]


def main() -> None:
    """Measure, print, write ``clip.json`` (``clip_NAME.json`` for another clip)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--clip", type=Path, default=CLIP)
    options = parser.parse_args()
    with restore_rt.load("video-x2", precision="auto") as restorer:
        # Where that is what the command chooses by itself, once is enough.
        ways = {name: way for name, way in WAYS.items() if name != restorer.precision}
    # An encoder that does nothing does it at once, whatever its effort.
    ways_of = {"frames_per_second": ways | LIGHTER, "without_encoder": ways}
    with tempfile.TemporaryDirectory() as folder:
        clips = [options.clip]
        if options.clip == CLIP:
            clips.append(remade(CLIP, Path(folder), frames=LARGER_FRAMES, size=LARGER))
        cases = [
            (clip, kind, name) for clip in clips for kind in COMMANDS for name in ways_of[kind]
        ]
        reports: dict[tuple[Path, str, str], list[Report]] = {case: [] for case in cases}
        controls = [_control()]
        for _ in range(options.runs):
            for clip, kind, name in cases:
                made = _run([*COMMANDS[kind], "video", str(clip), *ways_of[kind][name]])
                reports[clip, kind, name].append(made)
                controls.append(_control())
    noise = max(controls) / min(controls)
    figures = []
    for clip in clips:
        of_clip = {(kind, name): made for (of, kind, name), made in reports.items() if of == clip}
        figures.append(_figures(clip, of_clip))
    print(f"control loop: slowest over fastest {noise:.2f}")
    path = write(
        "clip" if options.clip == CLIP else f"clip_{options.clip.stem}",
        {
            "model": describe_model("video-x2"),
            **figures[0],
            **({"larger_clip": figures[1]} if len(figures) > 1 else {}),
            "options": {name: " ".join(way) for name, way in (ways | LIGHTER).items()},
            "control_slowest_over_fastest": round(noise, 3),
        },
    )
    print(f"written: {path}")


def _figures(clip: Path, reports: dict[tuple[str, str], list[Report]]) -> dict[str, Any]:
    """Return, and print, what the runs on one clip come to."""
    usual = reports["frames_per_second", "default"]
    median = statistics.median(report["fps"] for report in usual)
    middle = min(usual, key=lambda report: abs(report["fps"] - median))
    figures: dict[str, Any] = {
        "what": (
            f"restore-rt video {clip.name}: decode, restore, "
            f"encode as {middle['codec']} at {middle['width']}x{middle['height']}"
        )
    }
    print(figures["what"])
    for (kind, name), made in reports.items():
        rates = [report["fps"] for report in made]
        figures.setdefault(kind, {})[name] = {
            "median": statistics.median(rates),
            "min": min(rates),
            "max": max(rates),
            "runs": len(rates),
            **{key: made[0][key] for key in ("model", "backend", "precision")},
        }
        print(f"  {name}, {kind}: {statistics.median(rates):.1f}, {min(rates)} to {max(rates)}")
    bare = {name: rates["median"] for name, rates in figures["without_encoder"].items()}
    figures["times_as_fast_as_onnxruntime_without_encoder"] = {
        name: round(rate / bare["onnxruntime"], 2) for name, rate in bare.items()
    }
    print(f"  without encoder, over onnxruntime: {bare['default'] / bare['onnxruntime']:.2f}")
    return {**figures, "median_run": middle}


def _run(command: list[str]) -> Report:
    with tempfile.TemporaryDirectory() as folder:
        arguments = [*command, "-o", str(Path(folder, "out.mp4")), "--json"]
        finished = subprocess.run(arguments, check=True, stdout=subprocess.PIPE, text=True)
    report: Report = json.loads(finished.stdout)
    return {key: value for key, value in report.items() if key not in ("source", "target")}


def _control() -> float:
    """Return the ms of the control loop, the median of some."""
    control = Control()
    for _ in range(CONTROLS):
        control()
    return control.median


if __name__ == "__main__":
    main()
