"""One process that measures one case once; ``running.py`` talks to it in lines of JSON.

It is given a task on standard input, says what its first result is, waits to be told that the
result is right, measures, and says what it found. So nothing but the model is in its memory, and
each round meets a process, a heap and a place in memory of its own.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import os
import sys
import time
from typing import Any

from restore_rt.bench.clip import measure_clip
from restore_rt.bench.measuring import measure_case
from restore_rt.bench.report import Verified, case_of
from restore_rt.bench.subject import U8, Judged
from restore_rt.errors import RestoreError


def main() -> None:
    """Measure the case that standard input names."""
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


def _measure(task: dict[str, Any], say: Any) -> None:
    import restore_rt

    case = case_of(task["case"])
    if case.graphs is not None:
        os.environ["RESTORE_RT_ORT_GRAPHS"] = str(int(case.graphs))
    begin = time.perf_counter()
    restorer = restore_rt.load(
        case.model,
        provider=case.provider,  # type: ignore[arg-type]
        backend=case.backend,  # type: ignore[arg-type]
        precision=case.precision,  # type: ignore[arg-type]
        batch=case.batch,
        threads=case.threads,
        tile=case.tile,
    )
    load_seconds = time.perf_counter() - begin

    def check(frame: U8, parts: list[U8]) -> Judged:
        packed = [
            {"shape": part.shape, "bytes": base64.b64encode(part.tobytes()).decode()}
            for part in parts
        ]
        say(
            parts=packed,
            path=str(restorer.path),
            manifest=dataclasses.asdict(restorer.manifest),
            description=restorer.description,
        )
        answer = json.loads(sys.stdin.readline())
        verified = answer["verified"]
        return None if verified is None else Verified(**verified), answer["reason"]

    with restorer:
        made = (measure_case if case.clip is None else measure_clip)(
            restorer,
            case,
            seconds=task["seconds"],
            sustain=task["sustain"],
            load_seconds=load_seconds,
            check=check,
        )
    say(measurement=made.as_dict())


if __name__ == "__main__":
    main()
