"""A process that computes a reference or measures one round; ``running.py`` starts it.

The task comes as JSON on standard input, and the answer goes to the file that the task names. Each
round thus starts with a new process, heap and memory layout, and holds nothing but the model.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from restore_rt.bench.measuring import load_case, measure_case
from restore_rt.bench.reading import case_of
from restore_rt.bench.subject import test_frame
from restore_rt.bench.verification import Reference, reference_for
from restore_rt.errors import RestoreError

__all__: list[str] = []


def main() -> None:
    """Do the task on standard input."""
    task = json.loads(sys.stdin.readline())
    try:
        answer = _answer(task)
    except RestoreError as error:
        answer = {"error": str(error)}
    except MemoryError:
        answer = {"error": "out of memory; give smaller frames or a smaller --tile"}
    except Exception as error:  # the parent reports it with the case
        answer = {"error": f"unexpected {type(error).__name__}: {error}"}
    Path(task["answer"]).write_text(json.dumps(answer), encoding="utf-8")


def _answer(task: dict[str, Any]) -> dict[str, Any]:
    case, path = case_of(task["case"]), Path(task["reference"])
    restorer, seconds, memory = load_case(case)
    with restorer:
        if not path.exists():
            frame = test_frame(restorer.manifest, case.height, case.width)
            reference_for(restorer.path, restorer.manifest, frame).write(path)
            return {}
        made = measure_case(
            restorer,
            case,
            seconds=task["seconds"],
            sustain=task["sustain"],
            load_seconds=seconds,
            gpu_memory_before=memory,
            reference=Reference.read(path),
            folder=str(path.parent),
        )
    return made.as_dict()


if __name__ == "__main__":
    main()
