"""One process that measures one case once; ``running.py`` talks to it in lines of JSON.

It is given a task on standard input, says what its first result is, waits to be told that the
result is right, measures, and says what it found. So nothing but the model is in its memory, and
each round meets a process, a heap and a place in memory of its own.
"""

from __future__ import annotations

import base64
import ctypes
import dataclasses
import json
import os
import signal
import sys
from contextlib import suppress
from typing import Any

from restore_rt.bench.clip import measure_clip
from restore_rt.bench.loading import graph_variables, load_case
from restore_rt.bench.measuring import measure_case
from restore_rt.bench.reading import case_of
from restore_rt.bench.report import Verified
from restore_rt.bench.subject import U8, Judged
from restore_rt.errors import RestoreError

# Of prctl(2).
_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Measure the case that standard input names."""
    _end_with_parent()
    # What libraries print must not come between the lines that are said here.
    said = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def say(**found: Any) -> None:
        said.write(json.dumps(found) + "\n")
        said.flush()

    try:
        _measure(json.loads(sys.stdin.readline()), say)
    except RestoreError as error:
        say(error=str(error))
    except MemoryError:
        say(error="out of memory: give smaller frames, or a smaller --tile")
    except Exception as error:  # the one that started this process tells the user
        say(error=f"unexpected {type(error).__name__}: {error}")


def _end_with_parent() -> None:
    """Die when the process that waits for the answer does, where the system can be asked to."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _measure(task: dict[str, Any], say: Any) -> None:
    case = case_of(task["case"])
    os.environ.update(graph_variables(case.graphs))
    restorer, loading = load_case(case)

    def check(frame: U8, parts: list[U8]) -> Judged:
        packed = [
            {"shape": part.shape, "bytes": base64.b64encode(part.tobytes()).decode()}
            for part in parts
        ]
        say(
            parts=packed,
            path=str(restorer.path),
            manifest=dataclasses.asdict(restorer.manifest),
            precision=restorer.precision,
        )
        answer = json.loads(sys.stdin.readline())
        verified = answer["verified"]
        return None if verified is None else Verified(**verified), answer["reason"]

    options: dict[str, Any] = {"seconds": task["seconds"], "loading": loading, "check": check}
    with restorer:
        if case.clip is None:
            made = measure_case(restorer, case, sustain=task["sustain"], **options)
        else:
            made = measure_clip(restorer, case, folder=task["folder"], **options)
    say(measurement=made.as_dict())


if __name__ == "__main__":
    main()
