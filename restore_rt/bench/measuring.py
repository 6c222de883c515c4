"""Measures a Restorer in this process."""

from __future__ import annotations

import datetime
import hashlib
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from restore_rt.bench.device import RUNS_ALONE
from restore_rt.bench.energy import Energy
from restore_rt.bench.loading import Loading, is_for_cpus
from restore_rt.bench.machine import Control, clocks, describe_machine, describe_software
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
)
from restore_rt.bench.sampling import Samples, Step, WarmUp, sample, sample_streams, warm_up
from restore_rt.bench.statistics import Histogram
from restore_rt.bench.subject import Check, Judged, Measurable, Subject
from restore_rt.errors import InputError
from restore_rt.model.manifest import parameter_count

__all__ = ["Part", "check_case", "measure", "measure_case", "put_together", "report"]

_MEGABYTE = 1e6
_MOST_WARM_SECONDS = 10.0
_MOST_SECONDS = 86_400.0


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
    seconds
        How long frames are timed. It is one round, in one process: how much times vary between
        processes, and so whether two reports differ, takes several, as ``restore-rt bench`` and
        ``run`` have them.
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
    if not (0 < seconds <= _MOST_SECONDS and 0 <= sustain <= _MOST_SECONDS):
        raise InputError(
            f"seconds is {seconds} and sustain {sustain}; allowed are seconds above 0, and 0 or "
            f"more to sustain, {_MOST_SECONDS:.0f} at most"
        )
    before = clocks()
    made = measure_case(
        restorer,
        case,
        seconds=seconds,
        sustain=sustain,
        loading=Loading(load_seconds, gpu_memory_before=gpu_memory_before),
    )
    return report([made], before=before)


def report(
    measurements: Sequence[Measurement],
    failures: Sequence[tuple[Case, str]] = (),
    *,
    before: dict[str, Any],
) -> Report:
    """Put together what was measured on this machine, whose clocks were read before, too."""
    control = [each.control_ms for made in measurements for each in made.rounds]
    return Report(
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        machine={**describe_machine(), "clocks": {"before": before, "after": clocks()}},
        software=describe_software(),
        control={
            "median_ms": statistics.median(control) if control else 0.0,
            "spread": max(control) / min(control) if control else 1.0,
        },
        measurements=tuple(measurements),
        failures=tuple(failures),
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
    for name in ("height", "width", "streams", "batch"):
        value = getattr(case, name)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise InputError(f"{name} is {value!r}; it must be a whole number of at least 1")
    if case.scope == "network" and case.streams > 1:
        raise InputError("scope is 'network', which is measured with one stream; leave one out")
    if case.clip is not None and (case.scope, case.streams) != ("end_to_end", 1):
        raise InputError(
            "a clip is measured end to end, one at a time; leave scope and streams out"
        )


def measure_case(
    restorer: Measurable,
    case: Case,
    *,
    seconds: float,
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
    seconds
        How long frames are timed.
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
    for step in subject.steps[1:]:
        step()
    warm = warm_up(subject.steps[0], most=_MOST_WARM_SECONDS)
    energy, before = Energy(), restorer.stages.seconds
    part = _sampled(subject, seconds)
    spent, timed = energy.joules(), len(part.seconds)
    runs = timed * RUNS_ALONE if subject.alone else timed
    spent_in = restorer.stages.seconds
    gpu, ratio = subject.gpu, None
    if gpu is not None and not subject.alone:
        ratio = gpu.events_over_wall(subject.steps[0])
    return put_together(
        subject,
        judged=judged,
        warm=warm,
        part=part,
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
        # The network alone makes no frames, of which real time would say something.
        sustained=(
            _sustained(subject.steps, sustain) if sustain > 0 and case.scope != "network" else None
        ),
    )


def put_together(
    subject: Subject,
    *,
    judged: Judged,
    warm: WarmUp,
    part: Part,
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
    times = np.asarray(part.seconds) * 1e3
    steps = np.abs(np.diff(times))
    peak, gpu = memory.peak(), subject.gpu
    return Measurement(
        case=subject.case,
        description=restorer.description,
        backend=restorer.backend,
        precision=restorer.precision,
        model=_model(restorer),
        verified=verified,
        not_verified=why,
        warm_runs=warm.runs,
        warm_seconds=warm.seconds,
        stable=warm.stable,
        rounds=(
            Round(
                median_ms=part.median_ms,
                control_ms=part.control_ms,
                frames=len(part.seconds),
                frames_per_second=part.frames_per_second,
                load_seconds=loading.seconds,
            ),
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


def _run_all(steps: Sequence[Step], seconds: float) -> Samples:
    """Run one stream on this thread, several on their own."""
    if len(steps) == 1:
        return sample(steps[0], seconds=seconds)
    return sample_streams(steps, seconds=seconds)


def _sustained(steps: Sequence[Step], seconds: float) -> Sustained:
    """Run for some seconds without a break, and judge by the slowest frames."""
    samples = _run_all(steps, seconds)
    times = samples.seconds * 1e3
    p99 = float(np.percentile(times, 99))
    holds = {}
    if samples.wall >= JUDGED_SECONDS:
        holds = {str(rate): p99 <= 1e3 / rate for rate in RATES}
    return Sustained(samples.wall, len(times), p99, float(times.max()), holds)


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
