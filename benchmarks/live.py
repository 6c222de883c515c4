"""Live video with the governor: how old frames are, what is dropped, and how load is answered.

Four parts, each with a clip of 25 frames/s made of the demo's: what each model does alone; a minute
at the pace of a camera; a larger clip through a model that is too slow for it; and a load on all
cores for ten seconds. Under four minutes, on a machine that does nothing else.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import av
import harness
import imageio_ffmpeg

import restore_rt
from restore_rt import Restorer
from restore_rt.live import LiveReport, LiveRun, ladder_names, restore_live

RATE, LATENCY = 25, 0.1
# A rung counts as one that holds the rate if it does so many times as much alone.
ROOM = 1.3
SIZE, LARGER = "640:360", "960:540"
CALM, LOADED, AFTER = 10.0, 10.0, 20.0
BURN = f"import time\nend = time.monotonic() + {LOADED}\nwhile time.monotonic() < end: pass"


def main() -> None:
    """Measure and write JSON."""
    parser = harness.options(__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="of the part at a camera's pace")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, ExitStack() as opened:
        folder = Path(name)
        ladder = {
            rung: opened.enter_context(restore_rt.load(rung, allow_bf16=True))
            for rung in ladder_names()
        }
        clip = make_clip(folder / "clip.mkv", SIZE, max(chosen.seconds, 41))
        short = make_clip(folder / "short.mkv", SIZE, 4)
        alone = {rung: rate_alone(short, {rung: ladder[rung]}) for rung in reversed(ladder)}
        holding = [rung for rung in ladder if alone[rung] >= ROOM * RATE]
        record = {
            "what": f"live video at {RATE} frames/s with a latency of {LATENCY * 1000:.0f} ms",
            "size": SIZE,
            "models": [harness.model_entry(rung) for rung in ladder],
            "frames_per_second_alone": alone,
            "highest_rung_that_holds": holding[0] if holding else None,
            "paced": paced(clip, ladder, chosen.seconds, holding[:1]),
            "too_slow": too_slow(make_clip(folder / "larger.mkv", LARGER, 15), ladder, folder),
            "load": loaded(clip, ladder),
        }
    harness.write("live", record, alone=True)
    print({name: record[name] for name in ("frames_per_second_alone", "paced", "too_slow", "load")})


def make_clip(path: Path, size: str, seconds: int) -> Path:
    """Make a clip with sound of the demo's."""
    source = ["-stream_loop", "-1", "-i", str(harness.ROOT / "examples" / "panels.mp4")]
    tone = ["-f", "lavfi", "-i", "sine=f=440:r=48000", "-map", "0:v", "-map", "1:a"]
    form = ["-t", str(seconds), "-r", str(RATE), "-vf", f"scale={size}", "-c:a", "flac"]
    program = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y"]
    subprocess.run([*program, *source, *tone, *form, "-crf", "20", str(path)], check=True)
    return path


def run(
    clip: Path, ladder: dict[str, Restorer], sink: str = "null", seconds: float = 0, **options: Any
) -> tuple[LiveReport, float]:
    """Run a clip; return the report, and when it began by ``time.perf_counter``."""
    begun: list[float] = []

    def start(live: LiveRun) -> None:
        begun.append(time.perf_counter())
        if seconds:
            timer = threading.Timer(seconds, live.stop)
            timer.daemon = True
            timer.start()

    report = restore_live(
        str(clip), sink, ladder, latency=LATENCY, overwrite=True, on_start=start, **options
    )
    for longest, size in report.queues.values():
        if longest > size:
            raise SystemExit(f"a queue held {longest}; its bound is {size}")
    return report, begun[0]


def rate_alone(clip: Path, ladder: dict[str, Restorer]) -> float:
    """Return the frames per second of one model, decoding included."""
    report, _ = run(clip, ladder)
    return round(report.delivered / report.seconds, 1)


def figures(report: LiveReport) -> dict[str, Any]:
    """Return what is told of every run."""
    told = report.as_dict()
    names = ("frames", "delivered", "dropped", "late", "age", "waited", "queues", "rungs")
    return {name: told[name] for name in names}


def paced(
    clip: Path, ladder: dict[str, Restorer], seconds: int, holding: list[str]
) -> dict[str, Any]:
    """Measure a run at the pace of a camera; the share is that of the rung or of better ones."""
    report, _ = run(clip, ladder, pace=True, seconds=seconds)
    names = list(ladder)
    good = names[: names.index(holding[0]) + 1] if holding else []
    share = sum(report.rungs[name] for name in good) / max(1, report.delivered)
    changes = [str(change) for change in report.changes]
    return {**figures(report), "share_on_it_or_better": round(share, 4), "changes": changes}


def too_slow(clip: Path, ladder: dict[str, Restorer], folder: Path) -> dict[str, Any]:
    """Force the slowest model; compare the policy's count with the file, and the sound's times."""
    name, restorer = next(iter(ladder.items()))
    target = folder / "slow.mkv"
    report, _ = run(clip, {name: restorer}, str(target), pace=True)
    written, sound = packet_times(target, "video"), packet_times(target, "audio")
    frames, expected = packet_times(clip, "video"), packet_times(clip, "audio")
    missing = len(frames) - len(written)
    off = max(abs(a - b) for a, b in zip(sound, expected, strict=True))
    if missing != report.dropped or not set(written) <= set(frames):
        raise SystemExit(f"{report.dropped} frames were dropped, and {missing} are missing")
    return {
        "model": name,
        "size": LARGER,
        **figures(report),
        "missing_in_the_file": missing,
        "sound_off_ms": round(off * 1000, 3),
    }


def packet_times(path: Path, kind: str) -> list[float]:
    """Return the times of a stream's packets, in seconds."""
    with av.open(str(path)) as container:
        stream = next(each for each in container.streams if each.type == kind)
        return sorted(
            round(float(packet.pts * packet.time_base), 3)
            for packet in container.demux(stream)
            if packet.pts is not None and packet.time_base is not None
        )


def loaded(clip: Path, ladder: dict[str, Restorer]) -> dict[str, Any]:
    """Burn all cores for a while; tell when the rung goes down, and when it comes back."""
    times: list[float] = []

    def burn() -> None:
        times.append(time.perf_counter())
        cores = os.cpu_count() or 1
        processes = [subprocess.Popen([sys.executable, "-c", BURN]) for _ in range(cores)]
        for process in processes:
            process.wait()
        times.append(time.perf_counter())

    timer = threading.Timer(CALM, burn)
    timer.start()
    report, begin = run(clip, ladder, pace=True, seconds=CALM + LOADED + AFTER)
    timer.join()
    load, end = (each - begin for each in times)
    names = list(ladder)
    worse = [
        change.time for change in report.changes
        if load < change.time and names.index(change.after) > names.index(change.before)
    ]  # fmt: skip
    before = [change.after for change in report.changes if change.time < load][-1:]
    first = [change.before for change in report.changes][:1]
    (usual,) = before or first or [max(report.rungs, key=lambda name: report.rungs[name])]
    back = [each.time for each in report.changes if each.time > end and each.after == usual]
    return {
        "cores": os.cpu_count(),
        "load": [round(load, 3), round(end, 3)],
        "usual": usual,
        "down_after_s": round(worse[0] - load, 3) if worse else None,
        "back_after_s": round(back[0] - end, 3) if back else None,
        "changes": [[round(each.time, 3), str(each)] for each in report.changes],
        **figures(report),
    }


if __name__ == "__main__":
    main()
