"""Whole commands in processes of their own: ``restore-rt video`` and ``image``, and rivals.

``clip`` runs ``restore-rt video`` in several ways, with its encoder and without: on the demo clip,
and on a larger one made of it. A control loop runs before, between and after; if it varies, other
programs kept the machine busy, and the figures say so.

``systems`` runs the ways of ``systems.toml`` on a part of the clip and on a picture. All encode
with the same options. The first result of each is compared with restore-rt's: clips by the PSNR of
luma, since an encoder answers small differences with other choices; pictures to 1 of 255. Memory is
the most that a process held (VmHWM, on Linux).

``startup`` times the import in fresh processes; ``bench`` runs ``restore-rt bench`` on all models.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import av
import benchmark_tables as page
import harness
import numpy as np
from engines import pnnx_param
from harness import Unavailable
from PIL import Image
from user_loops import plane_samples

from restore_rt.bench.machine import Control
from restore_rt.model import registry
from restore_rt.threads import available_threads

HERE = Path(__file__).parent
CLIP = harness.ROOT / "examples" / "panels.mp4"
OURS = str(Path(sys.executable).with_name("restore-rt"))
KINDS = {
    "frames_per_second": [OURS],
    "without_encoder": [sys.executable, str(HERE / "without_encoder.py")],
}
WAYS = {
    "default": "",
    "fp32": "--precision fp32",
    "onnxruntime": "--backend onnxruntime",
    "video-x2-fast": "--model video-x2-fast",
    "superfast": "--preset superfast",
    "video-x2-fast, superfast": "--model video-x2-fast --preset superfast",
}
# An encoder that does nothing is as fast with any preset.
ENCODER_ALONE = ("video-x2-fast", "superfast", "video-x2-fast, superfast")
LARGER, PICTURE_SIZE = (960, 540), (768, 1024)
LEAST_PSNR, MOST_OFF = 40.0, 1

Record = dict[str, Any]


def main() -> None:
    """Measure what is asked for, and write a part of each."""
    parser = harness.options(__doc__, runs=5, threads=available_threads())
    parts = ("startup", "bench", "clip", "systems")
    parser.add_argument("what", nargs="*", choices=[*parts, []], default=[], metavar="PART")
    parser.add_argument("--frames", type=int, default=90, help="of the shortened clips")
    parser.add_argument("--data", type=Path, default=os.environ.get("RESTORE_RT_DATA"))
    chosen = parser.parse_args()
    runs, frames = chosen.runs, chosen.frames
    for name in chosen.what or parts:
        if name == "startup":
            print(harness.write(name, measure_startup(runs))["milliseconds"])
        elif name == "bench":
            page.show("frames", page.frames(harness.write(name, measure_models(runs))))
        elif name == "clip":
            page.show(name, page.clip(harness.write(name, measure_clips(runs, frames))))
        else:
            found = measure_systems(runs, chosen.threads, frames, chosen.data)
            page.show(name, page.systems(harness.write(name, found)))


def measure_startup(runs: int) -> Record:
    """Return how long imports take in fresh processes; the first fills the disk cache."""
    code = "import time; begin = time.perf_counter(); import {}; print(time.perf_counter() - begin)"
    seconds: dict[str, list[float]] = {"numpy": [], "restore_rt": []}
    for _ in range(runs + 1):
        for module, values in seconds.items():
            command = [sys.executable, "-c", code.format(module)]
            values.append(float(subprocess.check_output(command, text=True)))
    figures = {module: harness.milliseconds(values[1:]) for module, values in seconds.items()}
    return {"what": "import in a fresh process", "milliseconds": figures}


def measure_models(rounds: int) -> Record:
    """Return the report of ``restore-rt bench`` on a frame with each model."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "bench.json"
        effort = f"--rounds {rounds} --seconds 0.3 --sustain 0"
        sweep = [OURS, "bench", "--sweep", str(HERE / "models.toml"), "-o", str(report)]
        subprocess.run([*sweep, *effort.split()], check=True, stdout=subprocess.DEVNULL)
        found: Record = json.loads(report.read_text(encoding="utf-8"))
    return found


def measure_clips(runs: int, frames: int) -> Record:
    """Return the rates of ``restore-rt video`` on both clips."""
    control = Control()

    def busy() -> float:
        for _ in range(20):
            control()
        return statistics.median(control.milliseconds[-20:])

    with tempfile.TemporaryDirectory() as folder:
        clips = (CLIP, remade(Path(folder), frames, LARGER))
        made: dict[tuple[Path, str, str], list[Record]] = {
            (clip, kind, way): []
            for clip in clips
            for kind in KINDS
            for way in WAYS
            if kind == "frames_per_second" or way not in ENCODER_ALONE
        }
        controls = [busy()]
        for (clip, kind, way), reports in [*made.items()] * runs:
            target = Path(folder) / "out.mp4"
            command = [*KINDS[kind], "video", str(clip), *WAYS[way].split(), "-o", str(target)]
            reports.append(run([*command, "--json"]).said)
            target.unlink()
            controls.append(busy())
    figures = []
    for clip in clips:
        of_clip = {(kind, way): said for (of, kind, way), said in made.items() if of == clip}
        figures.append(_clip_figures(clip, of_clip))
    return {
        "model": harness.model_entry("video-x2"),
        **figures[0],
        "larger_clip": figures[1],
        "options": WAYS,
        "control_slowest_over_fastest": round(max(controls) / min(controls), 3),
    }


def _clip_figures(clip: Path, reports: dict[tuple[str, str], list[Record]]) -> Record:
    figures: Record = {kind: {} for kind in KINDS}
    for (kind, way), said in reports.items():
        rates = [report["fps"] for report in said]
        spread = {"median": statistics.median(rates), "min": min(rates), "max": max(rates)}
        ran = {key: said[0][key] for key in ("model", "backend", "precision")}
        figures[kind][way] = {**spread, "runs": len(rates), **ran}
    usual = reports["frames_per_second", "default"]
    middle = sorted(usual, key=lambda report: float(report["fps"]))[len(usual) // 2]
    bare = {way: rates["median"] for way, rates in figures["without_encoder"].items()}
    times = {way: round(rate / bare["onnxruntime"], 2) for way, rate in bare.items()}
    figures["what"] = f"restore-rt video {clip.name}"
    figures["times_as_fast_as_onnxruntime_without_encoder"] = times
    shown = {key: value for key, value in middle.items() if key not in ("source", "target")}
    return {**figures, "median_run": shown}


def remade(folder: Path, frames: int, size: tuple[int, int] | None = None) -> Path:
    """Return the first frames of the clip as a file; its mirror image fills a larger size."""
    with av.open(str(CLIP)) as source:
        video = source.streams.video[0]
        width, height = size or (video.width, video.height)
        beyond = f"right={width - video.width}:bottom={height - video.height}:mode=mirror"
        graph = av.filter.Graph()
        graph.link_nodes(
            graph.add_buffer(template=video),
            graph.add("pad", f"{width}:{height}"),
            graph.add("fillborders", beyond),
            graph.add("buffersink"),
        ).configure()
        made = folder / f"{CLIP.stem}_{width}x{height}.mp4"
        with av.open(str(made), "w") as target:
            stream = target.add_stream("libx264", rate=video.average_rate, options={"crf": "18"})
            stream.width, stream.height, stream.pix_fmt = width, height, video.pix_fmt
            stream.codec_context.colorspace = video.codec_context.colorspace
            for frame in itertools.islice(source.decode(video), frames):
                graph.push(frame)
                larger: Any = graph.pull()
                target.mux(stream.encode(larger))
            target.mux(stream.encode(None))
    return made


class Run(NamedTuple):
    """The seconds, the most memory and the JSON of a command."""

    seconds: float
    peak: int
    said: Record


def run(command: list[str]) -> Run:
    """Run a command to its end."""
    begin, peak = time.perf_counter(), 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        status = Path(f"/proc/{process.pid}/status")
        while process.poll() is None:
            lines = status.read_text().splitlines() if status.exists() else []
            peak = next((int(s.split()[1]) * 1024 for s in lines if "VmHWM" in s), peak)
            time.sleep(0.01)
        seconds = time.perf_counter() - begin
        assert process.stdout is not None
        said = process.stdout.read()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed with {process.returncode}")
    return Run(seconds, peak, json.loads(said) if said.strip() else {})


def measure_systems(runs: int, threads: int, frames: int, data: Path | None) -> Record:
    """Return times and memory of all ways that can be run here, on a clip and on a picture."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip, still = remade(folder, frames), folder / "picture.png"
        Image.fromarray(harness.picture(*PICTURE_SIZE, 3)).save(still)
        ways, absent = ways_here(folder, threads, data)
        video = measure(clip, ways["video"], runs, folder, compare_clips)
        stills = measure(still, ways["picture"], runs, folder, compare_pictures)
        count = sum(1 for _ in av.open(str(clip)).decode(video=0))
    for one in video.values():
        one["frames_per_second"] = round(count / one["seconds"]["median"], 2)
    size = f"{PICTURE_SIZE[1]}x{PICTURE_SIZE[0]}"
    what = (
        f"{CLIP.name} by video-x2 to H.264 (CRF 18, veryfast) of twice its size; a PNG of {size} "
        "by photo-x2; whole processes"
    )
    allowed = {"least_psnr_allowed": LEAST_PSNR, "most_off_allowed": MOST_OFF}
    found = {"what": what, "threads": threads, "frames": count, **allowed}
    return {**found, "video": video, "picture": stills, "absent": absent}


# A command's words, and whether it should make what restore-rt makes.
Way = tuple[list[str], bool]


def ways_here(
    folder: Path, threads: int, data: Path | None
) -> tuple[dict[str, dict[str, Way]], dict[str, str]]:
    """Return the ways of ``systems.toml``, and the reasons for what cannot be run here."""
    words = {"RESTORE_RT": OURS, "THREADS": str(threads), "DATA": str(data)}
    words["LOOP"] = f"{sys.executable} {HERE / 'user_loops.py'}"
    for key, name in (("VIDEO", "video-x2"), ("PHOTO", "photo-x2")):
        words[f"{key}_X2"] = str(registry.path_of(name))
        words[f"{key}_HALO"] = str(next(m.halo for m in registry.models() if m.name == name))
    found: dict[str, dict[str, Way]] = {}
    absent = {}
    for kind, ways in tomllib.loads((HERE / "systems.toml").read_text(encoding="utf-8")).items():
        found[kind] = {}
        for name, way in ways.items():
            try:
                for module, package in way.get("needs", {}).items():
                    top, _, inner = module.partition(".")
                    if inner and not hasattr(harness.need(top, package), inner):
                        raise Unavailable(f"not installed: pip install {package}")
                    harness.need(top, package)
                if "PARAM" in way["command"]:
                    model = Path(words["VIDEO_X2"]).read_bytes()
                    words["PARAM"] = str(pnnx_param(model, folder))
                command = _replaced(way["command"], words).split()
                if shutil.which(command[0]) is None:
                    raise Unavailable(f"there is no {command[0]} command")
                if "DATA" in way["command"] and data is None:
                    raise Unavailable("--data or RESTORE_RT_DATA has to name the folder of data")
                found[kind][name] = (command, not way.get("other", False))
            except Unavailable as reason:
                absent[name] = str(reason)
    return found, absent


def _replaced(text: str, words: dict[str, str]) -> str:
    # The longest first: some words begin with others.
    for word in sorted(words, key=len, reverse=True):
        text = text.replace(word, words[word])
    return text


def measure(
    source: Path,
    ways: dict[str, Way],
    runs: int,
    folder: Path,
    compare: Callable[[str, Path, Path, bool], Record],
) -> dict[str, Record]:
    """Run all ways in turn; compare the first result of each with that of the first way."""
    reference, target = (folder / f"{name}{source.suffix}" for name in ("reference", "made"))
    found: dict[str, Record] = {}
    timed: dict[str, list[Run]] = {name: [] for name in ways}
    for name, (command, same) in [*ways.items()] * runs:
        files = {"SOURCE": str(source), "TARGET": str(target)}
        timed[name].append(run([files.get(word, word) for word in command]))
        if not found:
            shutil.copy(target, reference)
        if name not in found:
            size = target.stat().st_size
            found[name] = {**compare(name, target, reference, same), "output_bytes": size}
        target.unlink()
    for name, made in timed.items():
        seconds = [one.seconds for one in made]
        figures = {"median": statistics.median(seconds), "min": min(seconds), "max": max(seconds)}
        rounded = {key: round(value, 3) for key, value in figures.items()}
        peaks = [one.peak for one in made if one.peak]
        found[name] |= {
            "seconds": {**rounded, "runs": len(made)},
            "peak_mb": round(statistics.median(peaks) / 1e6, 1) if peaks else None,
            "model": made[0].said.get("model"),
        }
    return found


def compare_clips(name: str, path: Path, first: Path, same: bool) -> Record:
    """Return the PSNR of a clip's luma; end the benchmark if it has other frames."""
    errors = []
    with av.open(str(path)) as one, av.open(str(first)) as other:
        for ours, theirs in itertools.zip_longest(one.decode(video=0), other.decode(video=0)):
            if ours is None or theirs is None:
                raise SystemExit(f"{name} has another number of frames than restore-rt's")
            # A conversion of pixels would depend on the range that the file claims.
            planes = [plane_samples(frame.planes[0]).astype(float) for frame in (ours, theirs)]
            harness.check(name, planes[0], planes[1], 255)
            errors.append(float(np.mean(np.square(planes[0] - planes[1]))))
    error = statistics.fmean(errors)
    psnr = None if error == 0 else round(10 * float(np.log10(255**2 / error)), 2)
    if same and psnr is not None and psnr < LEAST_PSNR:
        raise SystemExit(f"{name} is {psnr} dB from restore-rt's; allowed are {LEAST_PSNR}")
    return {"psnr_to_restore_rt": psnr}


def compare_pictures(name: str, path: Path, first: Path, same: bool) -> Record:
    """Return the largest difference; end the benchmark if it is too large."""
    with Image.open(path) as one, Image.open(first) as other:
        allowed = MOST_OFF if same else 255
        return {"most_off": int(harness.check(name, np.asarray(one), np.asarray(other), allowed))}


if __name__ == "__main__":
    main()
