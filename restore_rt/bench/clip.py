"""Measures a whole video on its way: decoded, restored, encoded."""

from __future__ import annotations

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
    sustain: float = 0.0,
    loading: Loading | None = None,
    check: Check | None = None,
) -> Measurement:
    """Restore a video, again and again until the time is over, and time its frames.

    A frame's time is that from the one before to it, at the end of its way; the whole video's time,
    opening and closing included, gives the frames per second.
    """
    if sustain > 0:
        raise InputError("a clip's frames are not sustained: it has an end")
    from restore_rt.video import restore_video

    assert case.clip is not None
    loading = loading or Loading()
    subject = Subject(restorer, case, gpu_memory_before=loading.gpu_memory_before)
    memory = Memory()
    subject.first()
    judged = subject.verified(check)
    parts: list[Part] = []
    stages: dict[str, float] = {}
    energy, wall = Energy(), 0.0
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / f"restored{Path(case.clip).suffix}"
        while wall < seconds or not parts:
            done: list[float] = []
            control = Control()
            control()
            report = restore_video(
                case.clip,
                target,
                restorer,
                threads=case.threads,
                overwrite=True,
                on_frame=lambda done=done: done.append(time.perf_counter()),  # type: ignore[misc]
            )
            control()
            subject.look()
            if report.frames < 2:
                raise InputError(f"{case.clip} has {report.frames} frames; at least 2 are needed")
            wall += report.seconds
            for row in report.table:
                stages[row.stage] = stages.get(row.stage, 0.0) + row.milliseconds
            parts.append(
                Part(
                    seconds=np.diff(done).tolist(),
                    median_ms=1e3 / report.fps,
                    frames_per_second=report.fps,
                    control_ms=control.median,
                )
            )
    timed = sum(len(part.seconds) for part in parts)
    return put_together(
        subject,
        judged=judged,
        warm=WarmUp(1, 0.0, True),
        parts=parts,
        stages={stage: total / len(parts) for stage, total in stages.items()},
        joules={name: spent / timed for name, spent in energy.joules().items()},
        memory=memory,
        added=memory.added(),
        loading=loading,
    )
