"""Times a whole video: decoded, restored and encoded as ``restore-rt video`` does it."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from restore_rt.bench.report import Case
from restore_rt.bench.sampling import Timed
from restore_rt.errors import InputError, MediaError

if TYPE_CHECKING:
    from restore_rt.restorer import Restorer
    from restore_rt.video import VideoReport

__all__ = ["clip_size", "time_clip"]


def clip_size(path: Path) -> tuple[int, int]:
    """Return the height and width of a video."""
    try:
        from restore_rt.video.opening import choose_stream, open_video
    except ImportError as error:
        raise MediaError("video needs PyAV: pip install 'restore-rt[video]'") from error
    with open_video(path) as container:
        stream = choose_stream(container, path)
        return stream.height, stream.width


def time_clip(restorer: Restorer, case: Case, seconds: float, between: Callable[[], None]) -> Timed:
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
