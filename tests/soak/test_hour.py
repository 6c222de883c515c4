"""An hour of video: memory, threads and open files stay as they were after the first minutes."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import pytest

from tests.cli.command import START
from tests.networks import nearest, save_model
from tests.soak.factor import factor

pytestmark = [pytest.mark.soak, pytest.mark.usefixtures("ffmpeg")]

SECONDS, RATE = 3600, 25
SHORT = 10  # seconds of the clip that is repeated
# Of resident memory, from the first tenth of the samples to the last: 180 bytes for each frame.
MOST_GROWTH_MEGABYTES = 16.0
# The network is small and the encoder fast: slower than this, something waits for something.
LEAST_FRAMES_PER_SECOND = 10.0


@dataclass(frozen=True)
class Sample:
    """What a process had at a moment."""

    megabytes: float
    threads: int
    files: int
    children: int


def take_sample(process: int) -> Sample | None:
    """Return what a process has now; nothing if it is ending."""
    place = Path(f"/proc/{process}")
    try:
        status = dict(line.split(":", 1) for line in (place / "status").read_text().splitlines())
        children = (place / "task" / str(process) / "children").read_text().split()
        files = len(list((place / "fd").iterdir()))
        memory = int(status["VmRSS"].split()[0]) / 1024
    except (OSError, KeyError):
        return None
    return Sample(memory, int(status["Threads"]), files, len(children))


def make_source(folder: Path, seconds: int) -> Path:
    """Repeat a short clip with sound, without encoding it again."""
    short, source = folder / "short.mp4", folder / "source.mp4"
    program = ["ffmpeg", "-v", "error", "-y"]
    picture = ["-f", "lavfi", "-i", f"testsrc2=s=320x180:r={RATE}:d={SHORT}"]
    sound = ["-f", "lavfi", "-i", f"sine=f=440:r=48000:d={SHORT}"]
    codecs = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "30", "-c:a", "aac"]
    subprocess.run([*program, *picture, *sound, *codecs, str(short)], check=True)
    again = ["-stream_loop", str(seconds // SHORT - 1), "-i", str(short), "-c", "copy"]
    subprocess.run([*program, *again, str(source)], check=True)
    return source


def test_an_hour(tmp_path: Path, record_property: Callable[[str, Any], None]) -> None:
    seconds = max(1, round(SECONDS * factor() / SHORT)) * SHORT
    frames = seconds * RATE
    source, target = make_source(tmp_path, seconds), tmp_path / "out.mkv"
    model = save_model(tmp_path / "small-x2.onnx", nearest(1, 2), scale=2, content="video")
    line = [
        "video",
        source,
        "-o",
        target,
        "--model",
        model,
        "--preset",
        "ultrafast",
        "--quality",
        "40",
    ]
    command = [sys.executable, "-c", START, *map(str, line), "--threads", "2", "--json"]
    said = tmp_path / "said.txt"
    samples: list[Sample] = []
    begin = time.monotonic()
    with said.open("wb") as file, subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=file
    ) as process:  # fmt: skip
        try:
            while process.poll() is None:
                warm = said.stat().st_size > 0  # it has told of its progress
                sample = take_sample(process.pid)
                if warm and sample is not None and not target.exists():
                    samples.append(sample)
                assert time.monotonic() - begin < frames / LEAST_FRAMES_PER_SECOND
                time.sleep(0.1)
        finally:
            process.kill()
        assert process.stdout is not None
        told = process.stdout.read()
    took = time.monotonic() - begin
    assert process.returncode == 0, said.read_text()
    assert len(samples) >= 20, "too few samples: let more of the hour be restored"
    tenth, half = len(samples) // 10, len(samples) // 2
    parts = (samples[:tenth], samples[half : half + tenth], samples[-tenth:])
    # Medians, as the last samples may be of when its threads had ended.
    memory, threads, files = (
        [statistics.median(getattr(sample, name) for sample in part) for part in parts]
        for name in ("megabytes", "threads", "files")
    )
    children = max(sample.children for sample in samples)
    peak = max(sample.megabytes for sample in samples)
    record_property(
        "soak",
        f"{seconds / 60:g} minutes of video: {frames} frames in {took:.0f} s, {frames / took:.0f} "
        f"frames/s; at the start, in the middle and at the end {_listed(memory, '.1f')} MB, "
        f"{_listed(threads)} threads, {_listed(files)} open files; peak {peak:.1f} MB, {children} "
        "children",
    )
    assert json.loads(told)["frames"] == frames
    with av.open(str(target)) as result:
        # Sound is repeated in whole packets, which makes it a little longer than the picture.
        assert (result.duration or 0) / 1e6 == pytest.approx(seconds, rel=2e-3)
    target.unlink()
    assert max(memory) - memory[0] < MOST_GROWTH_MEGABYTES
    assert len(set(threads)) == len(set(files)) == 1
    assert children == 0


def _listed(figures: list[float], form: str = "g") -> str:
    return ", ".join(format(figure, form) for figure in figures)
