"""A process that computes a reference or measures one round; ``running.py`` starts it.

The task comes as JSON on standard input, and the answer goes to the file that the task names. Each
round thus starts with a new process, heap and memory layout, and holds nothing but the model.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from restore_rt.bench.measuring import load_case, measure_case
from restore_rt.bench.reading import typed
from restore_rt.bench.report import Case
from restore_rt.bench.subject import test_frame
from restore_rt.bench.verification import NO_FILE, Reference, reference_for
from restore_rt.errors import RestoreError
from restore_rt.loading import read_loaded
from restore_rt.model.reading import find_model
from restore_rt.options import LoadOptions

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
    case, path = typed(Case, task["case"]), Path(task["reference"])
    # The parent removes this folder, even if this process is killed.
    tempfile.tempdir = str(path.parent)
    if not path.exists():
        _reference(case).write(path)
        return {}
    loaded = load_case(case)
    with loaded.restorer:
        made = measure_case(
            loaded,
            case,
            seconds=task["seconds"],
            sustain=task["sustain"],
            reference=Reference.read(path),
        )
    return made.as_dict()


def _reference(case: Case) -> Reference:
    """Compute the reference of a case; only the model's file is read, no backend is opened."""
    path = find_model(case.model)
    if path.suffix != ".onnx":
        return NO_FILE
    model = read_loaded(path, LoadOptions())
    return reference_for(path, model.manifest, test_frame(model.manifest, case.height, case.width))


if __name__ == "__main__":
    main()
