"""A long run of the command, watched: memory, threads and open files from time to time."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cli.command import START

__all__ = ["SHORT", "Watched", "listed", "make_source", "watch"]

SHORT = 10  # seconds of the clip that is repeated
# Of resident memory, from the first tenth of the samples to the last: in an hour, 180 bytes for
# each frame.
MOST_GROWTH_MEGABYTES = 16.0
# Seconds from when the file is begun until threads, buffers and caches are there.
_WARMING = 3.0


@dataclass(frozen=True)
class Sample:
    """What a process had at a moment."""

    megabytes: float
    threads: int
    files: int
    children: int


@dataclass(frozen=True)
class Watched:
    """How a run went."""

    told: dict[str, Any]
    seconds: float
    samples: list[Sample]

    def _parts(self, name: str) -> list[float]:
        """Return a figure at the start, in the middle and at the end.

        Medians, as the last samples may be of when its threads had ended.
        """
        samples = self.samples
        tenth, half = len(samples) // 10, len(samples) // 2
        parts = (samples[:tenth], samples[half : half + tenth], samples[-tenth:])
        return [statistics.median(getattr(sample, name) for sample in part) for part in parts]

    def __str__(self) -> str:
        return (
            f"at the start, in the middle and at the end {listed(self._parts('megabytes'), '.1f')} "
            f"MB, {listed(self._parts('threads'))} threads, {listed(self._parts('files'))} open "
            f"files; peak {max(sample.megabytes for sample in self.samples):.1f} MB, "
            f"{max(sample.children for sample in self.samples)} children"
        )

    def check_steady(self) -> None:
        """Check that nothing grew."""
        memory = self._parts("megabytes")
        assert max(memory) - memory[0] < MOST_GROWTH_MEGABYTES
        for name in ("threads", "files"):
            assert len(set(self._parts(name))) == 1, name
        assert max(sample.children for sample in self.samples) == 0


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


def watch(line: Sequence[object], target: Path, *, limit: float) -> Watched:
    """Run ``restore-rt`` with ``--json`` until it has written a file, in ``limit`` seconds."""
    command = [sys.executable, "-c", START, *map(str, line), "--json"]
    said = target.parent / "said.txt"
    samples: list[Sample] = []
    begin = time.monotonic()
    warm = float("inf")
    said.touch()
    known = set(target.parent.iterdir())
    with said.open("wb") as file, subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=file
    ) as process:  # fmt: skip
        try:
            while process.poll() is None:
                now = time.monotonic()
                assert now - begin < limit
                if warm == float("inf") and set(target.parent.iterdir()) != known:
                    warm = now + _WARMING
                sample = take_sample(process.pid)
                if now > warm and sample is not None and not target.exists():
                    samples.append(sample)
                time.sleep(0.1)
        finally:
            process.kill()
        assert process.stdout is not None
        told = process.stdout.read()
    took = time.monotonic() - begin
    assert process.returncode == 0, said.read_text()
    assert len(samples) >= 20, "too few samples: let a larger part be run"
    return Watched(json.loads(told), took, samples)


def make_source(folder: Path, seconds: int, *, size: str, rate: int) -> Path:
    """Repeat a short clip with sound, without encoding it again."""
    short, source = folder / "short.mp4", folder / "source.mp4"
    program = ["ffmpeg", "-v", "error", "-y"]
    picture = ["-f", "lavfi", "-i", f"testsrc2=s={size}:r={rate}:d={SHORT}"]
    sound = ["-f", "lavfi", "-i", f"sine=f=440:r=48000:d={SHORT}"]
    codecs = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "30", "-c:a", "aac"]
    subprocess.run([*program, *picture, *sound, *codecs, str(short)], check=True)
    again = ["-stream_loop", str(seconds // SHORT - 1), "-i", str(short), "-c", "copy"]
    subprocess.run([*program, *again, str(source)], check=True)
    return source


def listed(figures: list[float], form: str = "g") -> str:
    """Return figures as a list for people."""
    return ", ".join(format(figure, form) for figure in figures)
