"""Whole commands beside what one would run instead: a clip, and a picture of 1024x768.

`restore-rt` against loops of PyAV, NumPy and ONNX Runtime or ncnn (`user_loops.py`), in tiles as
others' tools have them and on whole frames; against OpenCV's dnn_superres with an FSRCNN of others,
which makes other pictures; and against a Lanczos filter with no network, which is what decoding and
encoding alone take. All encode with the same options and number of threads. The filter is that of
the `ffmpeg` command where there is one, else the same one through PyAV. FFmpeg's own filters that
run networks are looked for.

Each is a process of its own, from its start to its end, in turn. What each makes first is compared
with restore-rt's, and nothing is reported unless all agree: clips by the PSNR of luma, at least
40 dB, since what encodes slightly different frames makes other choices; pictures to 1 of 255.
Memory is the most that a process held (VmHWM), which Linux alone tells.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
from clips import CLIP, remade
from data_option import add_data_option
from native import picture
from numpy.typing import NDArray
from other_engines import Unavailable, need, pnnx_param
from PIL import Image
from results_file import write
from rich.console import Console
from rich.table import Table
from user_loops import plane_samples

from restore_rt.model import registry as zoo
from restore_rt.threads import available_threads

OURS = str(Path(sys.executable).with_name("restore-rt"))
LOOPS = str(Path(__file__).with_name("user_loops.py"))
VIDEO_MODEL, PICTURE_MODEL = "video-x2", "photo-x2"
PICTURE_SIZE = (768, 1024)
TILE = 256
SUPERRES = "weights/FSRCNN_Tensorflow__FSRCNN-small_x2.pb"
# What it may run networks with.
FFMPEG_NETWORKS = ("libtensorflow", "libopenvino", "libtorch")
LEAST_PSNR, MOST_OFF = 40.0, 1

Record = dict[str, Any]


@dataclass(frozen=True)
class Way:
    """A command without its source and target, and whether it should make what restore-rt makes."""

    command: Callable[[Path, Path], list[str]]
    same: bool = True


@dataclass
class Run:
    """What one run of a command took."""

    seconds: float
    own_seconds: float | None
    peak: int | None
    model: str | None
    size: int = 0


def main() -> None:
    """Measure, print tables, write ``systems.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=available_threads())
    parser.add_argument("--clip", type=Path, default=CLIP)
    parser.add_argument("--frames", type=int, default=90, help="of the clip, at most")
    add_data_option(parser, SUPERRES, required=False)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip_file = remade(options.clip, folder, frames=options.frames)
        ways, absent = video_ways(folder, options.threads, options.data)
        clip = measure(clip_file, ".mp4", ways, options.runs, folder, compare_clips)
        source = folder / "picture.png"
        Image.fromarray(coloured(*PICTURE_SIZE)).save(source)
        ways = picture_ways(options.threads)
        still = measure(source, ".png", ways, options.runs, folder, compare_pictures)
        frames = frame_count(clip_file)
    for found in clip.values():
        found["frames_per_second"] = round(frames / found["seconds"]["median"], 2)
    show(f"{options.clip.name}, {frames} frames, {options.threads} threads", clip)
    show(f"a picture of 1024x768, {options.threads} threads", still)
    for who, reason in absent.items():
        print(f"{who}: not measured, {reason}")
    record = {
        "what": (
            f"{options.clip.name} by {VIDEO_MODEL} to H.264 (CRF 18, veryfast) of twice its size; "
            f"a PNG of 1024x768 by {PICTURE_MODEL}; whole processes"
        ),
        "threads": options.threads,
        "frames": frames,
        "least_psnr_allowed": LEAST_PSNR,
        "most_off_allowed": MOST_OFF,
        "video": clip,
        "picture": still,
        "absent": absent,
    }
    print(f"written: {write('systems', record)}")


def video_ways(
    folder: Path, threads: int, data: Path | None
) -> tuple[dict[str, Way], dict[str, str]]:
    """Return what is run on the clip, restore-rt first, and why the rest is not."""
    halo = halo_of(VIDEO_MODEL)
    model = zoo.path_of(VIDEO_MODEL)
    tiles = ["--tile", str(TILE), "--context", str(halo)]
    onnxruntime = ["--engine", "onnxruntime", "--model", str(model)]
    ways = {
        "restore-rt video": _ours("video", threads),
        "restore-rt video, fp32": _ours("video", threads, "--precision", "fp32"),
    }
    absent = {}
    try:
        need("onnxruntime", "onnxruntime")
    except Unavailable as reason:
        absent["PyAV and ONNX Runtime"] = str(reason)
    else:
        name = f"PyAV and ONNX Runtime, tiles of {TILE}"
        ways[name] = _loop("video", threads, *onnxruntime, *tiles)
        ways["PyAV and ONNX Runtime, whole frames"] = _loop("video", threads, *onnxruntime)
    name = f"PyAV and ncnn, tiles of {TILE}"
    try:
        need("ncnn", "ncnn")
        param = pnnx_param(Path(model).read_bytes(), folder)
    except Unavailable as reason:
        absent[name] = str(reason)
    else:
        ncnn = ["--engine", "ncnn", "--model", str(param)]
        ways[name] = _loop("video", threads, *ncnn, *tiles)
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        command = _loop("video", threads, "--engine", "lanczos").command
        ways["Lanczos, FFmpeg's filter through PyAV, no network"] = Way(command, same=False)
    else:
        ways["Lanczos, ffmpeg, no network"] = Way(_ffmpeg(ffmpeg, threads), same=False)
    try:
        ways["PyAV and OpenCV dnn_superres, FSRCNN-small"] = _superres(data, threads)
    except Unavailable as reason:
        absent["PyAV and OpenCV dnn_superres, FSRCNN-small"] = str(reason)
    absent["FFmpeg's filters sr and dnn_processing"] = why_no_networks(ffmpeg)
    return ways, absent


def _superres(data: Path | None, threads: int) -> Way:
    cv2 = need("cv2", "opencv-contrib-python-headless")
    if not hasattr(cv2, "dnn_superres"):
        raise Unavailable("OpenCV without contrib: pip install opencv-contrib-python-headless")
    if data is None or not (data / SUPERRES).is_file():
        raise Unavailable(f"there is no {SUPERRES} in what --data or RESTORE_RT_DATA names")
    command = _loop("video", threads, "--engine", "opencv", "--model", str(data / SUPERRES)).command
    return Way(command, same=False)


def why_no_networks(ffmpeg: str | None) -> str:
    """Return why no network runs in FFmpeg."""
    if ffmpeg is None:
        return "there is no ffmpeg command"
    said = subprocess.run([ffmpeg, "-hide_banner", "-buildconf"], capture_output=True, text=True)
    built = [name for name in FFMPEG_NETWORKS if f"--enable-{name}" in said.stdout]
    if not built:
        return f"this ffmpeg is built with none of {', '.join(FFMPEG_NETWORKS)}"
    return f"built with {', '.join(built)}, for which there is no model of the same network here"


def picture_ways(threads: int) -> dict[str, Way]:
    """Return what is run on the picture."""
    model = ["--engine", "onnxruntime", "--model", str(zoo.path_of(PICTURE_MODEL))]
    tiles = ["--tile", str(TILE), "--context", str(halo_of(PICTURE_MODEL))]
    ways = {"restore-rt image": _ours("image", threads, "--model", PICTURE_MODEL)}
    # The clip's loop says why it is not there.
    if importlib.util.find_spec("onnxruntime") is not None:
        name = f"Pillow and ONNX Runtime, tiles of {TILE}"
        ways[name] = _loop("picture", threads, *model, *tiles)
    lanczos = _loop("picture", threads, "--engine", "lanczos").command
    ways["Lanczos, Pillow, no network"] = Way(lanczos, same=False)
    return ways


def halo_of(name: str) -> int:
    """Return the pixels that a shipped model looks at around one."""
    return next(manifest.halo for manifest in zoo.models() if manifest.name == name)


def _ours(verb: str, threads: int, *more: str) -> Way:
    rest = [*more, "--threads", str(threads), "--json"]
    return Way(lambda source, target: [OURS, verb, str(source), "-o", str(target), *rest])


def _loop(what: str, threads: int, *more: str) -> Way:
    rest = [*more, "--threads", str(threads)]
    command = [sys.executable, LOOPS, what]
    return Way(lambda source, target: [*command, str(source), str(target), *rest])


def _ffmpeg(ffmpeg: str, threads: int) -> Callable[[Path, Path], list[str]]:
    options = (
        f"-vf scale=iw*2:ih*2:flags=lanczos -c:v libx264 -crf 18 -preset veryfast "
        f"-threads {threads} -c:a copy -y"
    )
    quiet = [ffmpeg, "-v", "error", "-threads", str(threads), "-i"]
    return lambda source, target: [*quiet, str(source), *options.split(), str(target)]


def measure(
    source: Path,
    suffix: str,
    ways: dict[str, Way],
    runs: int,
    folder: Path,
    compare: Callable[[str, Path, Path, bool], Record],
) -> dict[str, Record]:
    """Run all ways in turn, and compare what each makes first with what the first way makes."""
    reference = folder / f"reference{suffix}"
    target = folder / f"made{suffix}"
    compared: dict[str, Record] = {}
    timed: dict[str, list[Run]] = {name: [] for name in ways}
    for _ in range(runs):
        for name, way in ways.items():
            made = run(way.command(source, target))
            made.size = target.stat().st_size
            timed[name].append(made)
            if not compared:
                shutil.copy(target, reference)
            if name not in compared:
                compared[name] = compare(name, target, reference, way.same)
            target.unlink()
    return {name: {**_figures(timed[name]), **compared[name]} for name in ways}


def run(command: list[str]) -> Run:
    """Run a command to its end, and watch what memory it holds."""
    begin = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        peak = None
        while process.poll() is None:
            peak = peak_of(process.pid) or peak
            time.sleep(0.01)
        seconds = time.perf_counter() - begin
        assert process.stdout is not None
        said = process.stdout.read()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed with {process.returncode}")
    report = json.loads(said) if said.strip() else {}
    return Run(seconds, report.get("seconds"), peak, report.get("model"))


def peak_of(process: int) -> int | None:
    """Return the most memory that a process held, in bytes, where the system tells."""
    try:
        text = Path(f"/proc/{process}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    for line in text.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return None


def _figures(runs: list[Run]) -> Record:
    seconds = [one.seconds for one in runs]
    own = [one.own_seconds for one in runs if one.own_seconds is not None]
    peaks = [one.peak for one in runs if one.peak is not None]
    return {
        "seconds": {
            "median": round(statistics.median(seconds), 3),
            "min": round(min(seconds), 3),
            "max": round(max(seconds), 3),
            "runs": len(seconds),
        },
        "seconds_without_start": round(statistics.median(own), 3) if own else None,
        "peak_mb": round(statistics.median(peaks) / 1e6, 1) if peaks else None,
        "model": runs[0].model,
        "output_bytes": round(statistics.median(one.size for one in runs)),
    }


def compare_clips(name: str, path: Path, first: Path, same: bool) -> Record:
    """Stop if a clip has other frames, or looks otherwise where it should look the same."""
    errors = []
    with av.open(str(path)) as one, av.open(str(first)) as other:
        pairs = zip(one.decode(video=0), other.decode(video=0), strict=True)
        try:
            for ours, theirs in pairs:
                difference = _luma(ours).astype(np.float32) - _luma(theirs)
                errors.append(float(np.mean(difference * difference)))
        except ValueError as error:
            raise SystemExit(f"{name}: not the frames that restore-rt made: {error}") from error
    mean = statistics.fmean(errors)
    psnr = None if mean == 0 else round(10 * float(np.log10(255**2 / mean)), 2)
    if same and psnr is not None and psnr < LEAST_PSNR:
        raise SystemExit(f"{name} is at {psnr} dB to restore-rt; allowed are {LEAST_PSNR}")
    return {"psnr_to_restore_rt": psnr}


def _luma(frame: av.VideoFrame) -> NDArray[np.uint8]:
    # A conversion would ask what range the file says that its samples have.
    return plane_samples(frame.planes[0])


def compare_pictures(name: str, path: Path, first: Path, same: bool) -> Record:
    """Stop if a picture has another size, or looks otherwise where it should look the same."""
    with Image.open(path) as one, Image.open(first) as other:
        ours, theirs = np.asarray(one).astype(int), np.asarray(other).astype(int)
    if ours.shape != theirs.shape:
        raise SystemExit(f"{name} is {ours.shape}, restore-rt's is {theirs.shape}")
    off = int(np.abs(ours - theirs).max())
    if same and off > MOST_OFF:
        raise SystemExit(f"{name} is off by {off} of 255; allowed are {MOST_OFF}")
    return {"most_off": off}


def coloured(height: int, width: int) -> NDArray[np.uint8]:
    """Return a picture in colour."""
    grey = picture(height, width)
    return np.stack([grey, np.roll(grey, 5, 0), 255 - np.roll(grey, 9, 1)], -1)


def frame_count(clip: Path) -> int:
    """Count a clip's frames."""
    with av.open(str(clip)) as file:
        return sum(1 for _ in file.decode(video=0))


def show(title: str, figures: dict[str, Record]) -> None:
    """Print what the ways came to."""
    head = ("", "s", "min", "max", "frames/s", "peak MB", "output MB", "to restore-rt")
    table = Table(*head, title=title)
    for name, one in figures.items():
        rate, psnr = one.get("frames_per_second"), one.get("psnr_to_restore_rt")
        off = one.get("most_off")
        table.add_row(
            name,
            *(f"{one['seconds'][key]:.2f}" for key in ("median", "min", "max")),
            "" if rate is None else f"{rate:.1f}",
            "" if one["peak_mb"] is None else f"{one['peak_mb']:.0f}",
            f"{one['output_bytes'] / 1e6:.2f}",
            f"off by {off}" if off is not None else "same" if psnr is None else f"{psnr:.1f} dB",
        )
    Console(width=130).print(table)


if __name__ == "__main__":
    main()
