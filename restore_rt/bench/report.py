"""What was measured, as an object and as a JSON file; ``docs/bench.md`` has its schema in words."""

from __future__ import annotations

import dataclasses
import json
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from restore_rt.bench.statistics import Histogram, Interval, mean_interval
from restore_rt.files import whole_file

__all__ = [
    "JUDGED_SECONDS",
    "QUIET_SPREAD",
    "RATES",
    "SCHEMA",
    "SCOPES",
    "Case",
    "Measurement",
    "Quality",
    "Report",
    "Round",
    "Scope",
    "Sustained",
    "Verified",
]

SCHEMA = "restore_rt.bench/1"
Scope = Literal["end_to_end", "device", "network"]
SCOPES: tuple[Scope, ...] = ("end_to_end", "device", "network")
# Frames per second that a verdict on real time is given for, and seconds below which none is.
RATES = (24, 30, 60)
JUDGED_SECONDS = 60.0
# A control loop that varies more says that the machine was busy with something else.
QUIET_SPREAD = 1.10
# With fewer rounds than these there is none to spare.
_LEAST_ROUNDS = 3


@dataclass(frozen=True, kw_only=True)
class Case:
    """One thing to measure.

    Attributes
    ----------
    model
        The name of a shipped model, or a file.
    provider, backend, precision, batch, threads, tile
        As `restore_rt.load` takes them; ``tile`` is the largest one's height and width.
    height, width
        Of the frames, in pixels.
    clip
        A video whose frames are decoded, restored and encoded, as `restore-rt video` does it; None
        for one frame that is restored again and again.
    streams
        Callers at once, each with a frame of its own.
    scope
        ``"end_to_end"`` is from a frame in the host's memory to its result there, ``"device"`` from
        one in the GPU's to one there, ``"network"`` what the network alone takes of it.
    graphs
        Whether CUDA graphs may be used; None where there are none to use.
    """

    model: str = "video-x2"
    provider: str = "auto"
    backend: str = "auto"
    precision: str | None = None
    height: int = 360
    width: int = 640
    clip: str | None = None
    batch: int = 1
    streams: int = 1
    threads: int | None = None
    tile: tuple[int, int] | None = None
    scope: Scope = "end_to_end"
    graphs: bool | None = None

    def __str__(self) -> str:
        """Return what tells it from others, for people."""
        parts = [f"{self.model}, {self.width}x{self.height}"]
        if self.clip is not None:
            parts.append(Path(self.clip).name)
        usual = Case()
        for name in ("provider", "backend", "precision", "batch", "streams", "threads", "tile"):
            value = getattr(self, name)
            if value != getattr(usual, name):
                text = f"{value[1]}x{value[0]}" if name == "tile" else str(value)
                parts.append(f"{name} {text}")
        if self.scope != usual.scope:
            parts.append(self.scope.replace("_", " "))
        if self.graphs is not None:
            parts.append("CUDA graphs" if self.graphs else "no CUDA graphs")
        return ", ".join(parts)


@dataclass(frozen=True)
class Verified:
    """How near a result came to what the reference makes of the same frame.

    Attributes
    ----------
    against
        The reference.
    worst
        The largest difference, in steps of 255.
    psnr
        PSNR in dB against the reference; None where the two do not differ.
    pixels
        Pixels of the result that were compared.
    """

    against: str
    worst: int
    psnr: float | None
    pixels: int


@dataclass(frozen=True)
class Quality:
    """How near the model comes to undamaged pictures, as ``restore-rt eval`` told.

    Attributes
    ----------
    psnr_y, ssim_y
        PSNR in dB and SSIM, on luma, over all pictures.
    pictures
        How many.
    damage
        What had happened to them, as the command line writes it.
    """

    psnr_y: float
    ssim_y: float
    pictures: int
    damage: str


@dataclass(frozen=True)
class Round:
    """What one process measured of a case.

    Attributes
    ----------
    median_ms
        Median time of a frame.
    control_ms
        Median time of the control loop, which ran before, after and between.
    frames
        Number of frames that were timed.
    frames_per_second
        Of all streams together.
    load_seconds
        From a model's name to what can restore.
    """

    median_ms: float
    control_ms: float
    frames: int
    frames_per_second: float
    load_seconds: float


@dataclass(frozen=True)
class Sustained:
    """Frames one after another for a time, as in real use.

    Attributes
    ----------
    seconds, frames
        How long, and how many.
    p99_ms, max_ms
        Time of a frame.
    holds
        By frames per second, whether 99 of 100 frames were made within the time that it leaves.
    """

    seconds: float
    frames: int
    p99_ms: float
    max_ms: float
    holds: dict[str, bool]


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """What was measured of a case; times in ms.

    Attributes
    ----------
    case
        What was asked for.
    description
        What ran: model, backend, precision, kernels, threads.
    backend, precision
        Of that, what ran the network (``native``, ``onnxruntime``, ``tensorrt``), and the least
        that any layer computed in.
    model
        Name, version, checksum of the weights (``sha256``) and number of parameters.
    verified
        Made before anything was timed; None where there was nothing to compare with, and
        ``not_verified`` says why.
    not_verified
        Empty if it was.
    warm_runs, warm_seconds, stable
        Of the warm-up, in all rounds; whether each ended in a steady state.
    rounds
        One for each process.
    mean_ms, min_ms, max_ms
        Of all frames.
    jitter_ms
        Mean distance of a frame's time from the one before.
    samples
        All times, in ms.
    stages
        Mean ms of a frame that each stage was busy.
    load_seconds, build_seconds
        Median time to get the model ready; and what a process took beside that to build engines,
        at most, None where none was built.
    host_peak_mb, host_frames_mb
        The most memory that a process held, and what it held more with the model loaded and while
        it restored, both in MB of 10^6 bytes; None on systems that do not tell.
    device_peak_mb
        The GPU's memory in use at most between frames, less what was in use before, of which CUDA's
        context is a part; None without one.
    joules
        Energy of a frame by what measured it; empty where nothing does.
    events_over_wall
        On a GPU, the time between CUDA's events over that on the host's clock, around some frames.
    sustained
        None if it was not asked for.
    quality
        None where nothing was said of it.
    """

    case: Case
    description: str
    backend: str
    precision: str
    model: dict[str, Any]
    verified: Verified | None
    not_verified: str = ""
    warm_runs: int
    warm_seconds: float
    stable: bool
    rounds: tuple[Round, ...]
    mean_ms: float
    min_ms: float
    max_ms: float
    jitter_ms: float
    samples: Histogram
    stages: dict[str, float] = field(default_factory=dict)
    load_seconds: float
    build_seconds: float | None = None
    host_peak_mb: float | None = None
    host_frames_mb: float | None = None
    device_peak_mb: float | None = None
    joules: dict[str, float] = field(default_factory=dict)
    events_over_wall: float | None = None
    sustained: Sustained | None = None
    quality: Quality | None = None

    @property
    def quiet_rounds(self) -> tuple[Round, ...]:
        """The rounds in which nothing else kept the machine busy, or all if those are too few.

        In the others the control loop took over a tenth longer than in the fastest, or a frame over
        a tenth longer than in the middle one, since one thread does not see who takes another's
        processor.
        """
        control = QUIET_SPREAD * min(each.control_ms for each in self.rounds)
        frame = QUIET_SPREAD * statistics.median(each.median_ms for each in self.rounds)
        quiet = tuple(
            each for each in self.rounds if each.control_ms <= control and each.median_ms <= frame
        )
        return quiet if len(quiet) >= _LEAST_ROUNDS else self.rounds

    @property
    def p50_ms(self) -> Interval:
        """The median, by quiet round, with the interval in which that of others would lie."""
        return mean_interval([each.median_ms for each in self.quiet_rounds])

    @property
    def frames_per_second(self) -> float:
        """Mean of the quiet rounds, of all streams together."""
        rounds = self.quiet_rounds
        return sum(each.frames_per_second for each in rounds) / len(rounds)

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        counts = {str(at): count for at, count in self.samples.counts.items()}
        samples = {"unit": "ms", "step": Histogram.STEP, "counts": counts}
        return {**dataclasses.asdict(self), "samples": samples}

    def percentile(self, percent: float) -> float:
        """Return a percentile of all samples in ms, to half a percent, and ``max_ms`` at most."""
        return min(max(self.samples.percentile(percent), self.min_ms), self.max_ms)


@dataclass(frozen=True, kw_only=True)
class Report:
    """All that a run of ``restore-rt bench`` found.

    Attributes
    ----------
    created
        Date and time, UTC, ISO 8601.
    machine
        Processor, GPUs, memory and clocks.
    software
        Versions of what took part.
    control
        Over all rounds of all cases: the median of the control loop in ms, and by how much its
        slowest round exceeded its fastest (``spread``).
    measurements
        One for each case.
    failures
        What could not be measured: the case, and why.
    """

    created: str
    machine: dict[str, Any]
    software: dict[str, str]
    control: dict[str, float]
    measurements: tuple[Measurement, ...]
    failures: tuple[tuple[Case, str], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        found = []
        for measurement in self.measurements:
            p50 = measurement.p50_ms
            percentiles = {f"p{at}": measurement.percentile(at) for at in (90, 95, 99)}
            data = measurement.as_dict()
            # What follows from the rest, for readers that do not want to work it out.
            data["derived"] = {
                "p50_ms": p50.value,
                # Of a single round nothing is known.
                "p50_interval_ms": [p50.low, p50.high] if len(measurement.rounds) > 1 else None,
                **{f"{name}_ms": value for name, value in percentiles.items()},
                "frames_per_second": measurement.frames_per_second,
            }
            found.append(data)
        return {
            "schema": SCHEMA,
            "created": self.created,
            "machine": self.machine,
            "software": self.software,
            "control": self.control,
            "measurements": found,
            "failures": [
                {"case": dataclasses.asdict(case), "reason": reason}
                for case, reason in self.failures
            ],
        }

    def judged(self, quality: Mapping[str, Quality]) -> Report:
        """Return it with the quality of models, by ``Case.model``."""
        measurements = tuple(
            dataclasses.replace(each, quality=quality.get(each.case.model, each.quality))
            for each in self.measurements
        )
        return dataclasses.replace(self, measurements=measurements)

    def write(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write it as JSON.

        Raises
        ------
        OutputError
            The file exists and ``overwrite`` is False, or it cannot be written.
        """
        text = json.dumps(self.as_dict(), indent=1, allow_nan=False) + "\n"
        with whole_file(Path(path), overwrite=overwrite) as temporary:
            temporary.write_text(text, encoding="utf-8")
