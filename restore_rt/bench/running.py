"""Measures cases in rounds: in each round every case runs once, in a process of its own.

Each round thus starts with a new process, heap and memory layout, and holds nothing but the model.
"""

from __future__ import annotations

import dataclasses
import functools
import pickle
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from restore_rt.bench.measuring import load_and_measure
from restore_rt.bench.report import Case, Failure, Measurement, Report
from restore_rt.bench.subject import scene
from restore_rt.bench.verification import NO_FILE, Reference, reference_for
from restore_rt.errors import BackendError, RestoreError
from restore_rt.loading import read_loaded
from restore_rt.model.reading import find_model
from restore_rt.options import LoadOptions

__all__ = ["Effort", "run", "work"]

_WORKER = (sys.executable, "-c", "from restore_rt.bench.running import work; work()")


@dataclasses.dataclass(frozen=True)
class Effort:
    """How much to measure.

    Attributes
    ----------
    rounds, seconds
        Least number of rounds with a quiet machine, and how long each times frames.
    within, most_rounds
        Rounds continue, up to ``most_rounds``, until half the median's confidence interval is at
        most this share of it.
    sustain
        Seconds of frames without a pause in a last process of each case; 0 for none.
    """

    rounds: int = 5
    seconds: float = 1.5
    within: float = 0.02
    most_rounds: int = 20
    sustain: float = 60.0


def run(
    cases: Sequence[Case], effort: Effort, *, done: Callable[[int], None] = lambda count: None
) -> Report:
    """Measure cases; ``done`` is called with 1 whenever one process has measured.

    Rounds alternate between the cases, so that a machine that slows down slows all of them. A case
    that fails is left out of further rounds and reported.
    """
    found: dict[Case, list[Measurement]] = {case: [] for case in cases}
    failures: dict[Case, str] = {}
    measured = []
    with tempfile.TemporaryDirectory() as folder:
        work = _Work(Path(folder))
        for number in range(effort.most_rounds):
            for case, made in found.items():
                if case in failures or (number >= effort.rounds and _is_known(made, effort)):
                    continue
                try:
                    made.append(work.measure(case, seconds=effort.seconds))
                    done(1)
                except RestoreError as error:
                    failures[case] = str(error)
        for case, made in found.items():
            if case in failures:
                continue
            whole = _merged(made)
            # A clip has an end, and the network alone makes no frames.
            if effort.sustain > 0 and case.clip is None and case.scope != "network":
                try:
                    last = work.measure(case, seconds=0.0, sustain=effort.sustain)
                    whole = dataclasses.replace(whole, sustained=last.sustained)
                    done(1)
                except RestoreError as error:
                    # The rounds were measured and stay in the report.
                    failures[case] = f"without a pause: {error}"
            measured.append(whole)
    return Report(
        measurements=tuple(measured), failures=tuple(Failure(*each) for each in failures.items())
    )


def _is_known(made: list[Measurement], effort: Effort) -> bool:
    whole, most = _merged(made), 2 * effort.within
    width = whole.p50_ms.high - whole.p50_ms.low
    return len(whole.quiet_rounds) >= effort.rounds and width <= most * whole.p50_ms.value


def _merged(made: Sequence[Measurement]) -> Measurement:
    """Return the measurement of several rounds from those of single rounds."""
    stages = dict.fromkeys(stage for each in made for stage in each.stages)
    peaks: dict[str, Any] = {}
    for name in ("host_peak_mb", "host_frames_mb", "device_peak_mb"):
        found = [getattr(each, name) for each in made]
        peaks[name] = None if None in found else max(found)
    return dataclasses.replace(
        made[0],
        stable=all(each.stable for each in made),
        rounds=tuple(each for one in made for each in one.rounds),
        times_ms=np.concatenate([each.times_ms for each in made]),
        stages={
            name: statistics.fmean(each.stages.get(name, 0) for each in made) for name in stages
        },
        **peaks,
    )


class _Work:
    """Runs worker processes, with their files in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._references: dict[tuple[Any, ...], Reference] = {}

    def measure(self, case: Case, **options: float) -> Measurement:
        """Measure a case once; its reference comes first, in a process of its own."""
        key = (case.model, case.height, case.width, case.pixels)
        if key not in self._references:
            self._references[key] = self.answer(_reference, case)
        made = self.answer(load_and_measure, case, reference=self._references[key], **options)
        return cast(Measurement, made)

    def answer(self, function: Callable[..., Any], case: Case, **options: Any) -> Any:
        """Return what a function returns in a process of its own."""
        path = self._folder / "answer"
        path.unlink(missing_ok=True)
        ended = subprocess.run(
            [*_WORKER, str(path)],
            input=pickle.dumps(functools.partial(function, case, **options)),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            check=False,
        )
        if not path.exists():
            said = ended.stderr.decode(errors="replace").strip().splitlines()
            raise BackendError(
                f"the measuring process ended with {ended.returncode}"
                + (f": {said[-1]}" if said else ", as if it was killed for lack of memory")
            )
        answer = pickle.loads(path.read_bytes())
        if isinstance(answer, RestoreError):
            raise answer
        return answer


def _reference(case: Case) -> Reference:
    """Compute the reference of a case from the model's file, without any backend."""
    path = find_model(case.model)
    if path.suffix != ".onnx":
        return NO_FILE
    manifest = read_loaded(path, LoadOptions()).manifest
    return reference_for(path, manifest, scene(case, manifest))


def work() -> None:
    """Call the pickled function on standard input; write the answer to the file named."""
    path = Path(sys.argv[1])
    # The parent removes this folder, even if this process is killed.
    tempfile.tempdir = str(path.parent)
    try:
        answer = pickle.load(sys.stdin.buffer)()
    except RestoreError as error:
        answer = BackendError(str(error))
    except MemoryError:
        answer = BackendError("out of memory; give smaller frames or a smaller --tile")
    except Exception as error:  # the parent reports it with the case
        answer = BackendError(f"unexpected {type(error).__name__}: {error}")
    path.write_bytes(pickle.dumps(answer))
