"""Measures a Restorer in this process."""

from __future__ import annotations

import datetime
import hashlib
import math
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

import restore_rt
from restore_rt.bench.clip import time_clip
from restore_rt.bench.machine import Control, clocks, describe_machine, describe_software
from restore_rt.bench.memory import GpuMemory, Memory, memory_in_use
from restore_rt.bench.report import Case, Failure, Measurement, Report, Round, Scope, Sustained
from restore_rt.bench.sampling import Step, Timed, sample, warm_up
from restore_rt.bench.statistics import Histogram
from restore_rt.bench.subject import open_subject
from restore_rt.bench.verification import Reference, reference_for, verify
from restore_rt.errors import InputError
from restore_rt.gpu import missing_pieces, open_device
from restore_rt.model.manifest import parameter_count
from restore_rt.model.reading import read_model
from restore_rt.options import LoadOptions
from restore_rt.restorer import Restorer

__all__ = ["Loaded", "load_case", "measure", "measure_case", "report"]

_MOST_WARM_SECONDS = 10.0
_MOST_SECONDS = 86_400.0
# Seconds between two runs of the control loop.
_CONTROL_EVERY = 0.5


class Loaded(NamedTuple):
    """A Restorer, the seconds that loading took, and the GPU's bytes in use before, if known."""

    restorer: Restorer
    seconds: float = 0.0
    gpu_memory: int | None = None


def measure(
    restorer: Restorer,
    *,
    size: tuple[int, int] = (360, 640),
    scope: Scope = "end_to_end",
    streams: int = 1,
    seconds: float = 5.0,
    sustain: float = 0.0,
) -> Report:
    """Verify a result, restore frames until their time is steady, and time them.

    This is one round in one process. How much times vary between processes, and so whether two
    reports differ, takes several rounds: see ``run`` and ``restore-rt bench``.

    Parameters
    ----------
    restorer
        As ``restore_rt.load`` returns it; nothing else may use it meanwhile.
    size
        Height and width of the frames in pixels.
    scope, streams
        See ``Case``.
    seconds, sustain
        How long frames are timed, and then restored without a pause, which the real-time verdict
        needs for 60 seconds.

    Raises
    ------
    InputError
        An option has a value that is not allowed.
    VerificationError
        The result differs from what the network computes.
    """
    case = Case(
        model=restorer.manifest.name,
        device=restorer.device,
        backend=restorer.backend,
        height=size[0],
        width=size[1],
        streams=streams,
        scope=scope,
    )
    if not (0 < seconds <= _MOST_SECONDS and 0 <= sustain <= _MOST_SECONDS):
        raise InputError(
            f"seconds is {seconds} and sustain {sustain}; seconds must be above 0, sustain 0 or "
            f"more, and both at most {_MOST_SECONDS:.0f}"
        )
    return report([measure_case(Loaded(restorer), case, seconds=seconds, sustain=sustain)])


def report(measurements: Sequence[Measurement], failures: Sequence[Failure] = ()) -> Report:
    """Return a report of measurements on this machine."""
    control = [each.control_ms for made in measurements for each in made.rounds] or [1.0]
    return Report(
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        machine={**describe_machine(), "clocks": clocks()},
        software=describe_software(),
        control={
            "median_ms": statistics.median(control),
            "spread": max(control) / min(control),
        },
        measurements=tuple(measurements),
        failures=tuple(failures),
    )


def load_case(case: Case) -> Loaded:
    """Load the model of a case."""
    memory, options = None, LoadOptions(**case.options)
    if not options.on_cpu and not missing_pieces(options.gpu):
        memory = memory_in_use(open_device(options.gpu))
    begin = time.perf_counter()
    restorer = restore_rt.load(case.model, **case.options)
    return Loaded(restorer, time.perf_counter() - begin, memory)


def measure_case(
    loaded: Loaded,
    case: Case,
    *,
    seconds: float,
    sustain: float = 0.0,
    reference: Reference | None = None,
) -> Measurement:
    """Verify a result, warm up, and time frames or a clip.

    The reference is computed in this process if it is None.
    """
    restorer = loaded.restorer
    manifest, lane = restorer.manifest, restorer.lane
    gpu = None if lane is None else GpuMemory(lane.device, loaded.gpu_memory)
    subject = open_subject(restorer, case)
    memory, control = Memory(), Control()
    subject.first()
    added = memory.added()
    reference = reference or reference_for(restorer.path, manifest, subject.frame)
    out = subject.out if isinstance(subject.out, np.ndarray) else subject.out.to_host()
    verified = verify(out, reference, manifest, (case.height, case.width), restorer.precision)

    def between() -> None:
        control()
        if gpu is not None:
            gpu.look()

    if case.clip is None:
        timed = _time_frames(restorer, subject.steps, case, seconds, between)
    else:
        timed = time_clip(restorer, case, seconds, between)
        added = memory.added()
    sustained = Sustained.of(sample(subject.steps, seconds=sustain)) if sustain > 0 else None
    times = timed.seconds * 1e3
    return Measurement(
        case=case,
        description=restorer.description,
        device=restorer.device,
        backend=restorer.backend,
        precision=restorer.precision,
        model=_model(restorer),
        verified=verified,
        not_verified="" if verified else reference.name,
        stable=timed.stable,
        rounds=(Round(timed.median_ms, control.median, len(times), timed.rate, loaded.seconds),),
        min_ms=float(times.min()),
        max_ms=float(times.max()),
        samples=Histogram.of(times),
        stages=timed.stages,
        host_peak_mb=memory.peak(),
        # Of several streams only the first has restored a frame.
        host_frames_mb=added if case.streams == 1 else None,
        device_peak_mb=None if gpu is None else gpu.added(),
        sustained=sustained,
    )


def _time_frames(
    restorer: Restorer,
    steps: Sequence[Step],
    case: Case,
    seconds: float,
    between: Callable[[], None],
) -> Timed:
    for step in steps[1:]:
        step()
    stable = warm_up(steps[0], most=_MOST_WARM_SECONDS)
    before = restorer.stages.seconds
    # Streams are not interrupted, since the last of them would wait for the others each time.
    every = _CONTROL_EVERY if len(steps) == 1 else math.inf
    samples = sample(steps, seconds=seconds, between=between, every=every)
    frames = len(samples.seconds)
    after = restorer.stages.seconds.items()
    spent = {stage: total - before.get(stage, 0.0) for stage, total in after}
    return Timed(
        seconds=samples.seconds,
        median_ms=float(np.median(samples.seconds)) * 1e3,
        # Of the network alone, other work comes between the timed runs.
        rate=1 / float(samples.seconds.mean()) if case.scope == "network" else samples.rate,
        stages={stage: busy / frames * 1e3 for stage, busy in spent.items() if busy > 0},
        stable=stable,
    )


def _model(restorer: Restorer) -> dict[str, Any]:
    manifest, path = restorer.manifest, restorer.path
    found = {"name": manifest.name, "version": manifest.version, "sha256": manifest.sha256}
    if path is None or path.suffix != ".onnx":
        return found
    sha256 = manifest.sha256 or hashlib.sha256(path.read_bytes()).hexdigest()
    return {**found, "sha256": sha256, "parameters": parameter_count(read_model(path))}
