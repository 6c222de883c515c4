"""``restore_live``: from a live source to a sink."""

from __future__ import annotations

import math
import time
import tomllib
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import get_args

from restore_rt.errors import InputError
from restore_rt.live.clock import RunClock
from restore_rt.live.governor import Governor
from restore_rt.live.report import LiveReport
from restore_rt.live.running import LateFrames, LiveRun, measure_ladder
from restore_rt.live.sinks import WINDOW, muxer_of, open_sink
from restore_rt.live.sources import open_live
from restore_rt.model.registry import models, path_of
from restore_rt.restorer import Restorer
from restore_rt.video.reader import VideoReader

__all__ = ["ladder_names", "restore_live"]

# Parts of a recipe that make results sharper than fidelity alone does.
_SHARPENING = frozenset({"sharpen", "adversary"})
_LONGEST_LATENCY = 10.0


def ladder_names() -> list[str]:
    """Return the shipped models that a live run chooses from, the best and slowest first.

    They are those that double video's luma; a network with more weights is better and slower.
    Models that sharpen look different, so that a change to one could be seen: they are left out.
    """
    names = [
        each.name
        for each in models()
        if (each.task, each.content, each.colour, each.scale) == ("upscale", "video", "luma", 2)
        and _SHARPENING.isdisjoint(tomllib.loads(each.recipe))
    ]
    return sorted(names, key=lambda name: path_of(name).stat().st_size, reverse=True)


def restore_live(
    source: str,
    sink: str,
    ladder: Mapping[str, Restorer],
    *,
    latency: float = 0.1,
    late: LateFrames = "drop",
    pace: bool = False,
    format_name: str | None = None,
    threads: int = 2,
    overwrite: bool = False,
    on_start: Callable[[LiveRun], None] | None = None,
    on_note: Callable[[str], None] | None = None,
) -> LiveReport:
    """Restore a live source with the best model that keeps pace.

    Parameters
    ----------
    source
        A file, an address, ``/dev/video0``, ``x11grab::0.0``, or ``-`` for standard input.
    sink
        A file, ``tcp://``, ``udp://`` or ``rtmp://``, ``-`` for standard output, ``window``, or
        ``null``. A window belongs to the main thread; files and pipes play in it at their pace.
    ladder
        The models to choose from by name, the best and slowest first; all of one scale.
    latency
        Seconds from a frame's arrival to its delivery that are allowed.
    late
        What becomes of frames that would be later than that: ``drop`` leaves them out, ``show``
        restores them all the same. Without ``pace``, files and pipes wait: none of their frames
        is late, and the model stays the one that was chosen at the start.
    pace
        Give out frames at the times that the source states, as a camera would.
    format_name
        Of the stream to ``-`` or an address: see ``StreamFormat``.
    threads
        For the encoder.
    overwrite
        Replace a file.
    on_start
        Called with the run, which can be stopped, before its first frame.
    on_note
        Called with what the user should know, as soon as it is known.

    Raises
    ------
    InputError
        An option has a value that is not allowed.
    MediaError
        The source cannot be read.
    OutputError
        The sink cannot be written.
    """
    if not 0 < latency <= _LONGEST_LATENCY:
        raise InputError(
            f"latency is {latency:g} s; it must be above 0 and at most {_LONGEST_LATENCY:g} s"
        )
    if late not in get_args(LateFrames):
        raise InputError(f"late is {late!r}; allowed are {', '.join(get_args(LateFrames))}")
    kinds = {(each.scale, each.manifest.colour) for each in ladder.values()}
    if len(kinds) != 1:
        raise InputError(f"the ladder has {sorted(kinds)}; all models must have one scale and kind")
    muxer_of(sink, format_name)
    begin = time.perf_counter()
    opened = open_live(source)
    # A decoder with several threads holds frames back.
    reader = VideoReader(Path(source), threads=1, opened=opened.opened)
    note = on_note or (lambda text: None)
    clock = RunClock()
    with ExitStack() as undo:
        undo.callback(reader.close)
        scale = next(iter(ladder.values())).scale
        target, notes = open_sink(
            sink,
            reader,
            format_name=format_name,
            scale=scale,
            threads=threads,
            overwrite=overwrite,
            clock=clock,
        )
        undo.callback(target.abort)
        for text in (*reader.notes, *notes):
            note(text)
        reader.notes.clear()
        work = measure_ladder(ladder, reader, target.layout)
        interval = float(1 / reader.rate)
        governor = Governor(
            list(ladder),
            interval=interval,
            budget=latency,
            work=work,
            on_change=lambda change: note(str(change)),
        )
        if len(ladder) > 1:
            note(f"{governor.rung} is the best model that keeps pace")
        run = LiveRun(
            reader,
            ladder,
            target,
            governor,
            late=late,
            pace=pace or (sink == WINDOW and opened.waits),
            waits=opened.waits,
            queue=max(2, math.ceil(latency / interval) + 1),
            behind=math.ceil((time.perf_counter() - begin) / interval) + 1,
            clock=clock,
        )
        undo.pop_all()  # the run closes both
    if on_start is not None:
        on_start(run)
    report = run.run()
    for text in reader.notes:
        note(text)
    return report
