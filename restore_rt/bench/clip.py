"""Measures a whole video on its way: decoded, restored, encoded."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from restore_rt.bench.energy import Energy
from restore_rt.bench.loading import Loading
from restore_rt.bench.machine import Control
from restore_rt.bench.measuring import Part, put_together
from restore_rt.bench.memory import Memory
from restore_rt.bench.report import Case, Measurement
from restore_rt.bench.sampling import WarmUp
from restore_rt.bench.subject import Check, Subject
from restore_rt.errors import InputError, MediaError

if TYPE_CHECKING:
    from restore_rt.restorer import Restorer
    from restore_rt.video import VideoReport

__all__ = ["clip_size", "measure_clip"]


def clip_size(path: Path) -> tuple[int, int]:
    """Return the height and width of a video.

    Raises
    ------
    MediaError
        It cannot be read, or PyAV is missing.
    """
    try:
        from restore_rt.video.opening import choose_stream, open_video
    except ImportError as error:
        raise MediaError("video needs PyAV: pip install 'restore-rt[video]'") from error
    with open_video(path) as container:
        stream = choose_stream(container, path)
        return stream.height, stream.width


def measure_clip(
    restorer: Restorer,
    case: Case,
    *,
    seconds: float,
    loading: Loading | None = None,
    check: Check | None = None,
    folder: str | None = None,
) -> Measurement:
    """Restore a video once, then again and again until the time is over, and time its frames.

    A frame's time is that from the one before to it, at the end of its way; the whole video's time,
    opening and closing included, gives the median of its passes and the frames per second. What
    is written goes to ``folder`` for a while.
    """
    from restore_rt.video import restore_video

    assert case.clip is not None
    clip = case.clip
    loading = loading or Loading()
    subject = Subject(restorer, case, gpu_memory_before=loading.gpu_memory_before)
    memory = Memory()
    subject.first()
    judged = subject.verified(check)
    passes: list[VideoReport] = []
    times: list[float] = []
    control = Control()
    stages: dict[str, float] = {}
    with tempfile.TemporaryDirectory(dir=folder) as here:
        # Matroska holds whatever the clip has.
        target = Path(here) / "restored.mkv"

        def restore() -> tuple[VideoReport, list[float]]:
            done: list[float] = []
            made = restore_video(
                clip,
                target,
                restorer,
                threads=case.threads,
                overwrite=True,
                on_frame=lambda: done.append(time.perf_counter()),
            )
            if made.frames < 2:
                raise InputError(f"{clip} has {made.frames} frames; at least 2 are needed")
            return made, done

        warm, _ = restore()
        energy = Energy()
        control()
        while sum(each.seconds for each in passes) < seconds or not passes:
            made, done = restore()
            control()
            subject.look()
            passes.append(made)
            times += np.diff(done).tolist()
            for row in made.table:
                stages[row.stage] = stages.get(row.stage, 0.0) + row.milliseconds
    frames = sum(each.frames for each in passes)
    return put_together(
        subject,
        judged=judged,
        warm=WarmUp(warm.frames, warm.seconds, True),
        part=Part(
            seconds=times,
            median_ms=1e3 / statistics.median(each.fps for each in passes),
            frames_per_second=frames / sum(each.seconds for each in passes),
            control_ms=control.median,
        ),
        stages={stage: total / len(passes) for stage, total in stages.items()},
        joules={name: spent / frames for name, spent in energy.joules().items()},
        memory=memory,
        added=memory.added(),
        loading=loading,
    )
