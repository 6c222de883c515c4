"""Runs what ``make bench`` measures (``--quality``: ``make bench-quality``), or some of it.

Cases of `restore-rt bench` become parts of the file of this processor, named as in ``BENCH``.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import harness

HERE = Path(__file__).parent
BENCH = {
    "bench": "--sweep benchmarks/models.toml --rounds 5 --seconds 0.3 --sustain 0",
    "scaling": "--sweep benchmarks/scaling.toml --rounds 2 --seconds 0.5 --sustain 0",
    "clip": "--sweep benchmarks/clip.toml --rounds 2 --seconds 5",
    "pixels": "--sweep benchmarks/pixels.toml --rounds 5 --seconds 0.5 --sustain 0",
}
SPEED = (
    *("startup", "kernels.py --runs 5", "bench", "scaling", "engines.py --runs 3"),
    *("engines.py --masked --runs 5", "clip", "pixels"),
)
QUALITY = ("models.py", "precisions.py", "quality_cost.py")
# CPUID cannot be masked on every machine.
MAY_FAIL = "engines.py --masked --runs 5"
# A larger clip: the demo's beside and above its mirror image.
CLIP, LARGER = "examples/panels.mp4", "out/benchmarks/panels_960x540.mp4"
MIRROR = "pad=960:540,fillborders=right=320:bottom=180:mode=mirror"


def main() -> None:
    """Run one step after another."""
    parser = harness.options(__doc__)
    parser.add_argument("steps", nargs="*", metavar="STEP", help="such as bench, or engines.py")
    parser.add_argument("--quality", action="store_true", help="how good the models are")
    chosen, begin = parser.parse_args(), time.monotonic()
    for step in chosen.steps or (QUALITY if chosen.quality else SPEED):
        print(f"\n{step}", flush=True)
        if step == "startup":
            harness.write(step, startup())
        elif step in BENCH:
            bench(step)
        else:
            script, *rest = step.split()
            command = [sys.executable, str(HERE / script), *rest]
            subprocess.run(command, check=step != MAY_FAIL)
    if not chosen.steps and not chosen.quality:
        harness.update(minutes_of_make_bench=round((time.monotonic() - begin) / 60, 1))
    subprocess.run([sys.executable, str(HERE / "figures.py")], check=True)


def bench(name: str) -> None:
    """Run a command of ``restore-rt bench`` and write its report as a part."""
    if name == "clip" and not (harness.ROOT / LARGER).exists():
        make_larger_clip(harness.ROOT / LARGER)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.json"
        ours = Path(sys.executable).with_name("restore-rt")
        command = [str(ours), "bench", *BENCH[name].split(), "-o", str(path)]
        subprocess.run(command, cwd=harness.ROOT, check=True)
        record = json.loads(path.read_text(encoding="utf-8"))
    harness.write(name, {"what": f"restore-rt bench {BENCH[name]}", **record})


def make_larger_clip(path: Path) -> None:
    """Make the larger clip by FFmpeg."""
    import imageio_ffmpeg

    path.parent.mkdir(parents=True, exist_ok=True)
    source = ["-v", "error", "-i", str(harness.ROOT / CLIP), "-frames:v", "240", "-an"]
    part = path.with_name(f"part-{path.name}")
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", *source, "-vf", MIRROR, "-crf", "18"]
    subprocess.run([*command, str(part)], check=True)
    part.replace(path)


def startup(runs: int = 5) -> dict[str, object]:
    """Return how long imports take in fresh processes; the first fills the disk cache."""
    code = "import time; begin = time.perf_counter(); import {}; print(time.perf_counter() - begin)"
    seconds: dict[str, list[float]] = {"numpy": [], "restore_rt": []}
    for _ in range(runs + 1):
        for module, values in seconds.items():
            command = [sys.executable, "-c", code.format(module)]
            values.append(float(subprocess.check_output(command, text=True)))
    times = {module: harness.milliseconds(values[1:]) for module, values in seconds.items()}
    return {"what": "import in a fresh process", "milliseconds": times}


if __name__ == "__main__":
    main()
