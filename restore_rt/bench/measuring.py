"""Measures a Restorer in this process."""

from __future__ import annotations

import hashlib
import math
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import restore_rt
from restore_rt.bench.machine import Memory, control_loop, gpu_memory_in_use
from restore_rt.bench.report import Case, Measurement, Pixels, Report, Round, Scope, Sustained
from restore_rt.bench.sampling import Step, sample, warm_up
from restore_rt.bench.subject import open_subject, pixels_of
from restore_rt.bench.verification import Reference, reference_for, verify
from restore_rt.errors import InputError
from restore_rt.gpu import missing_pieces, open_device
from restore_rt.model.manifest import parameter_count
from restore_rt.model.reading import read_model
from restore_rt.options import LoadOptions
from restore_rt.restorer import Restorer

if TYPE_CHECKING:
    from restore_rt.video import VideoReport

__all__ = ["load_and_measure", "measure", "measure_case"]

_MOST_WARM_SECONDS = 10.0
_MOST_SECONDS = 86_400.0
# Seconds between two runs of the control loop.
_CONTROL_EVERY = 0.5


class Timed(NamedTuple):
    """Frames that one process timed: ms of each, frames per second, and busy ms by stage."""

    times_ms: NDArray[np.float64]
    median_ms: float
    rate: float
    stages: dict[str, float]


def measure(
    restorer: Restorer,
    *,
    size: tuple[int, int] = (360, 640),
    scope: Scope = "end_to_end",
    pixels: Pixels = "auto",
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
    scope, pixels, streams
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
        pixels=pixels,
    )
    if not (0 < seconds <= _MOST_SECONDS and 0 <= sustain <= _MOST_SECONDS):
        raise InputError(
            f"seconds is {seconds} and sustain {sustain}; seconds must be above 0, sustain 0 or "
            f"more, and both at most {_MOST_SECONDS:.0f}"
        )
    return Report(measurements=(measure_case(restorer, case, seconds=seconds, sustain=sustain),))


def load_and_measure(case: Case, **options: Any) -> Measurement:
    """Load the model of a case and measure it; the options are those of ``measure_case``."""
    in_use, chosen = None, LoadOptions(**case.options)
    if not chosen.on_cpu and not missing_pieces(chosen.gpu):
        in_use = gpu_memory_in_use(open_device(chosen.gpu))
    begin = time.perf_counter()
    with restore_rt.load(case.model, **case.options) as restorer:
        loading = time.perf_counter() - begin
        return measure_case(restorer, case, load_seconds=loading, gpu_memory=in_use, **options)


def measure_case(
    restorer: Restorer,
    case: Case,
    *,
    seconds: float,
    sustain: float = 0.0,
    reference: Reference | None = None,
    load_seconds: float = 0.0,
    gpu_memory: int | None = None,
) -> Measurement:
    """Verify a result, warm up, and time frames or a clip.

    The reference is computed in this process if it is None. ``gpu_memory`` are the GPU's bytes in
    use before loading, if known.
    """
    manifest, lane = restorer.manifest, restorer.lane
    # Bytes of the GPU in use before, and then between frames, which keep theirs.
    on_gpu: list[int] = []
    if lane is not None:
        on_gpu.append(gpu_memory_in_use(lane.device) if gpu_memory is None else gpu_memory)
    subject = open_subject(restorer, case)
    memory, controls = Memory(), list[float]()
    subject.first()
    added, stable = memory.added(), True
    reference = reference or reference_for(restorer.path, manifest, subject.frame)
    out = subject.out if isinstance(subject.out, np.ndarray) else subject.out.to_host()
    verified = verify(out, reference, manifest, restorer.precision)

    def between() -> None:
        controls.append(control_loop())
        if lane is not None:
            on_gpu.append(gpu_memory_in_use(lane.device))

    if case.clip is None:
        for step in subject.steps[1:]:
            step()
        stable = warm_up(subject.steps[0], most=_MOST_WARM_SECONDS)
        timed = _time_frames(restorer, subject.steps, case, seconds, between)
    else:
        timed = _time_clip(restorer, case, seconds, between)
        added = memory.added()
    sustained = Sustained.of(*sample(subject.steps, seconds=sustain)) if sustain > 0 else None
    median, frames = statistics.median(controls), len(timed.times_ms)
    return Measurement(
        case=case,
        description=restorer.description,
        device=restorer.device,
        backend=restorer.backend,
        precision=restorer.precision,
        pixels="" if case.clip else pixels_of(case, manifest),
        model=_model(restorer),
        verified=verified,
        not_verified="" if verified else reference.name,
        stable=stable,
        rounds=(Round(timed.median_ms, median, frames, timed.rate, load_seconds),),
        times_ms=timed.times_ms,
        stages=timed.stages,
        host_peak_mb=memory.peak(),
        # Of several streams only the first has restored a frame.
        host_frames_mb=added if case.streams == 1 else None,
        device_peak_mb=(max(on_gpu) - on_gpu[0]) / 1e6 if on_gpu else None,
        sustained=sustained,
    )


def _time_frames(
    restorer: Restorer,
    steps: Sequence[Step],
    case: Case,
    seconds: float,
    between: Callable[[], None],
) -> Timed:
    before = restorer.stages.seconds
    # Streams are not interrupted, since the last of them would wait for the others each time.
    every = _CONTROL_EVERY if len(steps) == 1 else math.inf
    times, wall = sample(steps, seconds=seconds, between=between, every=every)
    after = restorer.stages.seconds.items()
    spent = {stage: total - before.get(stage, 0.0) for stage, total in after}
    # Of the network alone, other work comes between the timed runs.
    rate = 1 / float(times.mean()) if case.scope == "network" else len(times) / wall
    return Timed(
        times_ms=times * 1e3,
        median_ms=float(np.median(times)) * 1e3,
        rate=rate,
        stages={stage: busy / len(times) * 1e3 for stage, busy in spent.items() if busy > 0},
    )


def _time_clip(
    restorer: Restorer, case: Case, seconds: float, between: Callable[[], None]
) -> Timed:
    """Restore a video once untimed, then repeatedly for some seconds.

    The time of a frame runs from the end of the frame before to its own end. The median and the
    rate are of the whole video, opening and closing included. ``between`` runs after each pass.
    """
    from restore_rt.video import restore_video

    clip = str(case.clip)
    passes: list[VideoReport] = []
    ends: list[list[float]] = []
    with tempfile.TemporaryDirectory() as folder:
        while len(passes) < 2 or sum(each.seconds for each in passes[1:]) < seconds:
            ends.append([])
            made = restore_video(
                clip,
                # Matroska holds every kind of stream.
                Path(folder) / "restored.mkv",
                restorer,
                threads=case.threads,
                overwrite=True,
                on_frame=lambda: ends[-1].append(time.perf_counter()),
            )
            between()
            if made.frames < 2:
                raise InputError(f"{clip} has fewer than 2 frames; give a longer one")
            passes.append(made)
    timed, stages = passes[1:], Counter[str]()
    for made in timed:
        stages.update({row.stage: row.milliseconds for row in made.table})
    return Timed(
        times_ms=np.concatenate([np.diff(each) for each in ends[1:]]) * 1e3,
        median_ms=1e3 / statistics.median(made.fps for made in timed),
        rate=sum(made.frames for made in timed) / sum(made.seconds for made in timed),
        stages={stage: total / len(timed) for stage, total in stages.items()},
    )


def _model(restorer: Restorer) -> dict[str, Any]:
    manifest, path = restorer.manifest, restorer.path
    found = {"name": manifest.name, "version": manifest.version, "sha256": manifest.sha256}
    if path is None or path.suffix != ".onnx":
        return found
    sha256 = manifest.sha256 or hashlib.sha256(path.read_bytes()).hexdigest()
    return {**found, "sha256": sha256, "parameters": parameter_count(read_model(path))}
