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
import time
from pathlib import Path
from typing import Any

import av
import numpy as np
from results_file import describe_model, write

from restore_rt.video.pixels import layout_of, new_frame, planes_of

CLIP = Path(__file__).parent.parent / "examples" / "panels.mp4"
LARGER = (960, 540)
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
# An encoder that does nothing does it at once, whatever its effort.
WAYS_OF = {"frames_per_second": WAYS | LIGHTER, "without_encoder": WAYS}
Report = dict[str, Any]


def main() -> None:
    """Measure, print, write ``clip.json`` (``clip_NAME.json`` for another clip)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--clip", type=Path, default=CLIP)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clips = [options.clip]
        if options.clip == CLIP:
            clips.append(_larger(CLIP, Path(folder)))
        cases = [
            (clip, kind, name) for clip in clips for kind in COMMANDS for name in WAYS_OF[kind]
        ]
        reports: dict[tuple[Path, str, str], list[Report]] = {case: [] for case in cases}
        controls = [_control()]
        for _ in range(options.runs):
            for clip, kind, name in cases:
                made = _run([*COMMANDS[kind], "video", str(clip), *WAYS_OF[kind][name]])
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
            "options": {name: " ".join(way) for name, way in (WAYS | LIGHTER).items()},
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
            "model": made[0]["model"],
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


def _larger(clip: Path, folder: Path) -> Path:
    """Return a clip continued by its own mirror image, which has more detail than an enlarged one.

    Its size is ``LARGER``.
    """
    width, height = LARGER
    made = folder / f"{clip.stem}_{width}x{height}.mp4"
    with av.open(str(clip)) as source, av.open(str(made), "w") as target:
        video = source.streams.video[0]
        stream = target.add_stream("libx264", rate=video.average_rate, options={"crf": "18"})
        stream.width, stream.height, stream.pix_fmt = width, height, video.pix_fmt
        stream.codec_context.colorspace = video.codec_context.colorspace
        for picture in source.decode(video):
            target.mux(stream.encode(_continued(picture, width, height)))
        target.mux(stream.encode(None))
    return made


def _continued(picture: av.VideoFrame, width: int, height: int) -> av.VideoFrame:
    layout = layout_of(picture.format)
    frame, larger = new_frame(width, height, layout, "left")
    frame.pts, frame.time_base = picture.pts, picture.time_base
    smaller = planes_of(picture, layout, "left")
    for new, old in ((larger.y, smaller.y), (larger.cb, smaller.cb), (larger.cr, smaller.cr)):
        assert new is not None
        assert old is not None
        beyond = [(0, n - o) for n, o in zip(new.shape, old.shape, strict=True)]
        new[...] = np.pad(old, beyond, "symmetric")
    return frame


def _control() -> float:
    """Seconds for a fixed piece of arithmetic."""
    values = np.linspace(0, 1, 1 << 16)
    begin = time.perf_counter()
    for _ in range(2000):
        values = np.sqrt(values * values + 1e-9)
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
