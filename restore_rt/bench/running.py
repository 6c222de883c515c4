"""Measures cases in rounds: in each round every case runs once, in a process of its own."""

from __future__ import annotations

import dataclasses
import pickle
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from restore_rt.bench.measuring import report
from restore_rt.bench.report import Case, Failure, Measurement, Report
from restore_rt.bench.statistics import Histogram
from restore_rt.bench.verification import Reference
from restore_rt.bench.worker import Task
from restore_rt.errors import BackendError, RestoreError

__all__ = ["Effort", "run"]

_WORKER = (sys.executable, "-c", "from restore_rt.bench.worker import main; main()")


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
        work = _Work(Path(folder), done)
        for number in range(effort.most_rounds):
            for case, made in found.items():
                if case in failures or (number >= effort.rounds and _is_known(made, effort)):
                    continue
                try:
                    made.append(work.measure(case, effort.seconds))
                except RestoreError as error:
                    failures[case] = str(error)
        for case, made in found.items():
            if case in failures:
                continue
            whole = _merged(made)
            # A clip has an end, and the network alone makes no frames.
            if effort.sustain > 0 and case.clip is None and case.scope != "network":
                try:
                    last = work.measure(case, 0.0, sustain=effort.sustain)
                    whole = dataclasses.replace(whole, sustained=last.sustained)
                except RestoreError as error:
                    # The rounds were measured and stay in the report.
                    failures[case] = f"without a pause: {error}"
            measured.append(whole)
    return report(measured, [Failure(*each) for each in failures.items()])


def _is_known(made: list[Measurement], effort: Effort) -> bool:
    whole = _merged(made)
    return len(whole.quiet_rounds) >= effort.rounds and whole.p50_ms.spread <= effort.within


def _merged(made: Sequence[Measurement]) -> Measurement:
    """Return the measurement of several rounds from those of single rounds."""
    stages = dict.fromkeys(stage for each in made for stage in each.stages)
    peaks = {
        name: max(
            (value for each in made if (value := getattr(each, name)) is not None), default=None
        )
        for name in ("host_peak_mb", "host_frames_mb", "device_peak_mb")
    }
    return dataclasses.replace(
        made[0],
        stable=all(each.stable for each in made),
        rounds=tuple(each for one in made for each in one.rounds),
        min_ms=min(each.min_ms for each in made),
        max_ms=max(each.max_ms for each in made),
        samples=sum((each.samples for each in made), Histogram()),
        stages={
            name: statistics.fmean(each.stages.get(name, 0) for each in made) for name in stages
        },
        **peaks,
    )


class _Work:
    """Runs worker processes, with their files in ``folder``."""

    def __init__(self, folder: Path, done: Callable[[int], None]) -> None:
        self._folder, self._done = folder, done
        self._references: dict[tuple[str, int, int], Reference] = {}

    def measure(self, case: Case, seconds: float, *, sustain: float = 0.0) -> Measurement:
        """Measure a case once; its reference comes first, in a process of its own."""
        key, task = (case.model, case.height, case.width), Task(case, seconds, sustain)
        if key not in self._references:
            self._references[key] = self._answer(task)
        made: Measurement = self._answer(task._replace(reference=self._references[key]))
        self._done(1)
        return made

    def _answer(self, task: Task) -> Any:
        path = self._folder / "answer"
        path.unlink(missing_ok=True)
        ended = subprocess.run(
            [*_WORKER, str(path)],
            input=pickle.dumps(task),
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
