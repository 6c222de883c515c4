"""Runs that go on with what others left, in a process for each, and die at a chosen moment.

Called with the source, the target, the options as JSON, and the moments: how many things a run does
before it is killed, 0 for one that is not. Prints for each run how its process ended (-9 if it was
killed), and how many frames it took over. A target that was finished is renamed, to begin anew.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from restore_rt.video import journal, restore_video, segments
from tests.video.clips import Enlarger

SEGMENT = 6


class Countdown:
    """Kills the process when it has been called so many times."""

    def __init__(self, moment: int) -> None:
        self._left = moment

    def __call__(self, *_: object) -> None:
        self._left -= 1
        if not self._left:
            os.kill(os.getpid(), signal.SIGKILL)


def _counted(function: Callable[..., Any], tick: Countdown) -> Callable[..., Any]:
    def called(*arguments: Any, **options: Any) -> Any:
        tick()
        result = function(*arguments, **options)
        tick()
        return result

    return called


def _half(keep: Callable[..., Any], tick: Countdown) -> Callable[..., Any]:
    """Write packets one by one, and bring each to the disk: a kill leaves what came before."""

    def called(sink: Any, packets: list[Any]) -> list[Any]:
        records = []
        for packet in packets:
            records += keep(sink, [packet])
            sink._file.flush()
            tick()
        return records

    return called


def run(source: str, target: str, options: dict[str, Any], moment: int) -> int:
    """Go on with what is there; return the number of frames that were taken over."""
    journal.SEGMENT = SEGMENT
    tick = Countdown(moment)
    os.fsync = _counted(os.fsync, tick)
    os.unlink = _counted(os.unlink, tick)
    journal.Journal.add = _counted(journal.Journal.add, tick)  # type: ignore[method-assign]
    segments._Sink.keep = _half(segments._Sink.keep, tick)  # type: ignore[method-assign]
    return restore_video(source, target, Enlarger(hook=tick), **options).taken_over


def main() -> None:
    source, target, options, *moments = sys.argv[1:]
    for number, moment in enumerate(map(int, moments)):
        if (whole := Path(target)).exists():
            whole.rename(whole.with_stem(f"before-{number}"))
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            print(run(source, target, json.loads(options), moment), end=" ", flush=True)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main()
