"""A process that computes a reference or measures one round; ``running.py`` starts it.

The pickled task comes on standard input, and the answer goes to the file that the command names.
Each round thus starts with a new process, heap and memory layout, and holds nothing but the model.
"""

from __future__ import annotations

import pickle
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from restore_rt.bench.measuring import load_case, measure_case
from restore_rt.bench.report import Case, Measurement
from restore_rt.bench.subject import picture
from restore_rt.bench.verification import NO_FILE, Reference, reference_for
from restore_rt.errors import BackendError, RestoreError
from restore_rt.loading import read_loaded
from restore_rt.model.reading import find_model
from restore_rt.options import LoadOptions

__all__ = ["Task"]


class Task(NamedTuple):
    """A case to measure for some seconds, or, without a reference, to compute that."""

    case: Case
    seconds: float
    sustain: float = 0.0
    reference: Reference | None = None

    def run(self) -> Reference | Measurement:
        """Return the reference or the measurement."""
        if self.reference is None:
            return _reference(self.case)
        loaded = load_case(self.case)
        with loaded.restorer:
            return measure_case(loaded, **self._asdict())


def _reference(case: Case) -> Reference:
    """Compute the reference of a case from the model's file, without any backend."""
    path = find_model(case.model)
    if path.suffix != ".onnx":
        return NO_FILE
    manifest = read_loaded(path, LoadOptions()).manifest
    return reference_for(path, manifest, picture(case.height, case.width, manifest.channels))


def main() -> None:
    """Do the task on standard input, and write the answer to the file that is named."""
    path = Path(sys.argv[1])
    # The parent removes this folder, even if this process is killed.
    tempfile.tempdir = str(path.parent)
    answer: Reference | Measurement | RestoreError
    try:
        answer = pickle.load(sys.stdin.buffer).run()
    except RestoreError as error:
        answer = BackendError(str(error))
    except MemoryError:
        answer = BackendError("out of memory; give smaller frames or a smaller --tile")
    except Exception as error:  # the parent reports it with the case
        answer = BackendError(f"unexpected {type(error).__name__}: {error}")
    path.write_bytes(pickle.dumps(answer))
