"""Measures a Restorer in this process."""

from __future__ import annotations

import datetime
import hashlib
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from restore_rt.bench.device import RUNS_ALONE
from restore_rt.bench.energy import Energy
from restore_rt.bench.loading import Loading, is_for_cpus
from restore_rt.bench.machine import Control, describe_machine, describe_software
from restore_rt.bench.memory import Memory
from restore_rt.bench.report import (
    JUDGED_SECONDS,
    RATES,
    SCOPES,
    Case,
    Measurement,
    Report,
    Round,
    Sustained,
    Verified,
)
from restore_rt.bench.sampling import Step, WarmUp, sample, sample_streams, warm_up
from restore_rt.bench.statistics import Histogram
from restore_rt.bench.subject import Check, Measurable, Subject
from restore_rt.errors import InputError
from restore_rt.manifest import parameter_count

__all__ = ["Part", "check_case", "measure", "measure_case", "put_together", "report"]

_MEGABYTE = 1e6
_MOST_WARM_SECONDS = 10.0


@dataclass(frozen=True)
class Part:
    """What one round measured.

    Attributes
    ----------
    seconds
        Of frames.
    median_ms
        The time of a frame that is compared with other rounds.
    frames_per_second
        Of all streams.
    control_ms
        Of the control loop.
    """

    seconds: Sequence[float]
    median_ms: float
    frames_per_second: float
    control_ms: float


def measure(
    restorer: Measurable,
    *,
    size: tuple[int, int] = (360, 640),
    scope: str = "end_to_end",
    streams: int = 1,
    seconds: float = 5.0,
    rounds: int = 5,
    sustain: float = 0.0,
    load_seconds: float = 0.0,
    gpu_memory_before: int | None = None,
) -> Report:
    """Measure how long a frame takes.

    The first result is verified against the network's own, then frames are restored until their
    time no longer changes, and then some are timed.

    Parameters
    ----------
    restorer
        As ``restore_rt.load`` gives it; nobody else may use it meanwhile.
    size
        Height and width of the frames, in pixels.
    scope
        ``"end_to_end"``, from a frame in the host's memory to its result there; ``"device"``, from
        one in a GPU's memory to its result there; or ``"network"``, the share of it in which the
        network was at work.
    streams
        Callers at once.
    seconds, rounds
        How long frames are timed in all, and in how many parts; parts tell how much times vary.
    sustain
        Seconds for which frames are then restored without a break; a verdict on real time needs 60.
    load_seconds
        What loading took, for the report.
    gpu_memory_before
        Bytes of the GPU's memory that were in use before loading, as
        ``restore_rt.bench.device.memory_in_use`` tells; without it, what the report says of that
        memory is what was added since loading.

    Returns
    -------
    Report
        Of one measurement; ``write`` makes the file that ``restore-rt bench compare`` takes.

    Raises
    ------
    InputError
        An option has a value that is not allowed.
    VerificationError
        The result is not what the network makes of the frame.
    """
    height, width = size
    case = Case(
        model=restorer.manifest.name,
        provider=getattr(restorer, "provider", "auto"),
        height=height,
        width=width,
        streams=streams,
        scope=scope,  # type: ignore[arg-type]
    )
    check_case(case)
    if not (seconds > 0 and rounds >= 1 and sustain >= 0):
        raise InputError(
            f"seconds is {seconds}, rounds {rounds}, sustain {sustain}; allowed are seconds above "
            "0, a round or more, and 0 or more seconds to sustain"
        )
    made = measure_case(
        restorer,
        case,
        seconds=seconds / rounds,
        rounds=rounds,
        sustain=sustain,
        loading=Loading(load_seconds, gpu_memory_before=gpu_memory_before),
    )
    return report([made])


def report(
    measurements: list[Measurement], failures: list[tuple[Case, str]] | None = None
) -> Report:
    """Put together what was measured on this machine."""
    control = [each.control_ms for made in measurements for each in made.rounds]
    return Report(
        created=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        machine=describe_machine(),
        software=describe_software(),
        control={
            "median_ms": statistics.median(control) if control else 0.0,
            "spread": max(control) / min(control) if control else 1.0,
        },
        measurements=tuple(measurements),
        failures=tuple(failures or ()),
    )


def check_case(case: Case) -> None:
    """Refuse what cannot be measured.

    Raises
    ------
    InputError
        It says what is allowed.
    """
    if case.scope not in SCOPES:
        raise InputError(f"scope is {case.scope!r}; allowed are {', '.join(SCOPES)}")
    for name, asked in (("scope", case.scope == "device"), ("graphs", case.graphs is not None)):
        if asked and is_for_cpus(case):
            raise InputError(
                f"{name} is {getattr(case, name)!r}, which is for GPUs, and provider, backend or "
                "precision are for CPUs: leave one of them out"
            )
    if case.clip is not None and case.scope != "end_to_end":
        raise InputError(f"scope is {case.scope!r}, and a clip goes end to end: leave scope out")
    for name in ("height", "width", "streams", "batch"):
        value = getattr(case, name)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise InputError(f"{name} is {value!r}; it must be a whole number of at least 1")
    if case.scope == "network" and case.streams > 1:
        raise InputError("scope is 'network', which is measured with one stream; leave one out")


def measure_case(
    restorer: Measurable,
    case: Case,
    *,
    seconds: float,
    rounds: int = 1,
    sustain: float = 0.0,
    loading: Loading | None = None,
    check: Check | None = None,
) -> Measurement:
    """Verify a result, warm up, and take samples.

    Parameters
    ----------
    restorer
        What was loaded as ``case`` says.
    case
        What is measured.
    seconds, rounds
        Of a round, and how many follow each other in this process.
    sustain
        Seconds of frames without a break.
    loading
        What that took, for the report.
    check
        Judges a frame's result; by default it is compared with what the model's file makes of the
        frame, in this process.
    """
    loading = loading or Loading()
    subject = Subject(restorer, case, gpu_memory_before=loading.gpu_memory_before)
    memory = Memory()
    subject.first()
    subject.look()
    added = memory.added()
    judged = subject.verified(check)
    warm = warm_up(subject.steps[0], most=_MOST_WARM_SECONDS)
    energy, before = Energy(), restorer.stages.seconds
    parts = [_sampled(subject, seconds) for _ in range(rounds)]
    spent = energy.joules()
    timed = sum(len(part.seconds) for part in parts)
    runs = timed * RUNS_ALONE if subject.alone else timed
    spent_in = restorer.stages.seconds
    gpu, ratio = subject.gpu, None
    if gpu is not None and not subject.alone:
        ratio = gpu.events_over_wall(subject.steps[0])
    return put_together(
        subject,
        judged=judged,
        warm=warm,
        parts=parts,
        stages={
            stage: (total - before.get(stage, 0.0)) / timed * 1e3
            for stage, total in spent_in.items()
            if total > before.get(stage, 0.0)
        },
        joules={name: value / runs for name, value in spent.items()},
        memory=memory,
        added=added,
        loading=loading,
        ratio=ratio,
        # Tiles alone are no frames, of which real time would say something.
        sustained=(
            _sustained(subject.steps[0], sustain) if sustain > 0 and not subject.alone else None
        ),
    )


def put_together(
    subject: Subject,
    *,
    judged: tuple[Verified | None, str],
    warm: WarmUp,
    parts: Sequence[Part],
    stages: dict[str, float],
    joules: dict[str, float],
    memory: Memory,
    added: int | None,
    loading: Loading,
    ratio: float | None = None,
    sustained: Sustained | None = None,
) -> Measurement:
    """Return what was found, with what follows from it."""
    (verified, why), restorer = judged, subject.restorer
    times = np.concatenate([part.seconds for part in parts]) * 1e3
    steps = np.concatenate([np.abs(np.diff(part.seconds)) for part in parts]) * 1e3
    peak, gpu = memory.peak(), subject.gpu
    return Measurement(
        case=subject.case,
        description=restorer.description,
        model=_model(restorer),
        verified=verified,
        not_verified=why,
        warm_runs=warm.runs,
        warm_seconds=warm.seconds,
        stable=warm.stable,
        rounds=tuple(
            Round(
                median_ms=part.median_ms,
                control_ms=part.control_ms,
                frames=len(part.seconds),
                frames_per_second=part.frames_per_second,
                load_seconds=loading.seconds,
            )
            for part in parts
        ),
        mean_ms=float(times.mean()),
        min_ms=float(times.min()),
        max_ms=float(times.max()),
        jitter_ms=float(steps.mean()) if len(steps) else 0.0,
        samples=Histogram.of(times),
        stages=stages,
        load_seconds=loading.seconds,
        build_seconds=loading.builds.seconds,
        host_peak_mb=None if peak is None else peak / _MEGABYTE,
        host_frames_mb=None if added is None else added / _MEGABYTE,
        device_peak_mb=None if gpu is None else gpu.added() / _MEGABYTE,
        joules=joules,
        events_over_wall=ratio,
        sustained=sustained,
    )


def _sampled(subject: Subject, seconds: float) -> Part:
    control = Control()

    def between() -> None:
        control()
        subject.look()

    if len(subject.steps) == 1:
        samples = sample(subject.steps[0], seconds=seconds, between=between)
    else:
        between()
        samples = sample_streams(subject.steps, seconds=seconds)
        between()
    return Part(
        seconds=samples.seconds.tolist(),
        median_ms=float(np.median(samples.seconds)) * 1e3,
        # What runs before those that are timed is no part of them.
        frames_per_second=1 / float(samples.seconds.mean()) if subject.alone else samples.rate,
        control_ms=control.median,
    )


def _sustained(step: Step, seconds: float) -> Sustained:
    """Run for some seconds without a break, and judge by the slowest frames."""
    begin = last = time.perf_counter()
    times = []
    while last - begin < seconds:
        step()
        now = time.perf_counter()
        times.append((now - last) * 1e3)
        last = now
    p99, elapsed = float(np.percentile(times, 99)), last - begin
    holds = {}
    if elapsed >= JUDGED_SECONDS:
        holds = {str(rate): p99 <= 1e3 / rate for rate in RATES}
    return Sustained(elapsed, len(times), p99, max(times), holds)


def _model(restorer: Measurable) -> dict[str, Any]:
    manifest = restorer.manifest
    found: dict[str, Any] = {
        "name": manifest.name,
        "version": manifest.version,
        "sha256": manifest.sha256,
    }
    if restorer.path is not None and restorer.path.suffix == ".onnx":
        import onnx

        found["parameters"] = parameter_count(onnx.load(restorer.path))
        if not manifest.sha256:
            found["sha256"] = hashlib.sha256(restorer.path.read_bytes()).hexdigest()
    return found
