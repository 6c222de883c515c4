"""Measures cases in rounds: in each, every case has a process of its own, one after another."""

from __future__ import annotations

import base64
import dataclasses
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import numpy as np

from restore_rt.bench.machine import clocks
from restore_rt.bench.measuring import report
from restore_rt.bench.reading import measurement_of
from restore_rt.bench.report import Case, Measurement, Report
from restore_rt.bench.subject import U8, Judged, judge, test_frame
from restore_rt.errors import BackendError, RestoreError
from restore_rt.model.manifest import Manifest

__all__ = ["Effort", "run"]


@dataclasses.dataclass(frozen=True)
class Effort:
    """How much is measured.

    Attributes
    ----------
    rounds
        Processes for each case, at least, in which nothing else kept the machine busy.
    seconds
        For which each times frames.
    within
        Rounds go on, up to ``most_rounds``, until the median is known within this share of it, with
        a confidence of 95 %.
    most_rounds
        See there.
    sustain
        Seconds without a break, in the last round of each case; 0 for none.
    """

    rounds: int = 5
    seconds: float = 1.5
    within: float = 0.02
    most_rounds: int = 20
    sustain: float = 60.0


def run(
    cases: Sequence[Case], effort: Effort, *, done: Callable[[int], None] = lambda count: None
) -> Report:
    """Measure cases.

    Rounds take turns between the cases, so that a machine that slows down does so for all of them.
    A case that fails is left out of further rounds, and reported.

    Parameters
    ----------
    cases
        What to measure.
    effort
        How much.
    done
        Called with 1 whenever a process has ended.
    """
    before = clocks()
    found: dict[Case, list[Measurement]] = {case: [] for case in cases}
    failures: dict[Case, str] = {}
    for number in range(effort.most_rounds):
        for case, made in found.items():
            if case in failures or (number >= effort.rounds and _is_known(made, effort)):
                continue
            try:
                made.append(_in_process(case, effort.seconds, sustain=0.0))
            except RestoreError as error:
                failures[case] = str(error)
            done(1)
    measured = []
    for case, made in found.items():
        if case in failures:
            continue
        whole = _merged(made)
        # A clip has an end, and the network alone makes no frames.
        if effort.sustain > 0 and case.clip is None and case.scope != "network":
            try:
                last = _in_process(case, 0.0, sustain=effort.sustain)
                whole = dataclasses.replace(whole, sustained=last.sustained)
            except RestoreError as error:
                # What was measured before stands.
                failures[case] = f"without a break: {error}"
            done(1)
        measured.append(whole)
    return report(measured, list(failures.items()), before=before)


def _is_known(made: list[Measurement], effort: Effort) -> bool:
    whole = _merged(made)
    return len(whole.quiet_rounds) >= effort.rounds and whole.p50_ms.spread <= effort.within


def _merged(made: list[Measurement]) -> Measurement:
    """Put rounds together."""
    rounds = tuple(each for one in made for each in one.rounds)
    frames = np.array([sum(each.frames for each in one.rounds) for one in made], float)
    share = frames / frames.sum()
    samples = made[0].samples
    for one in made[1:]:
        samples = samples + one.samples

    def mean(values: list[float]) -> float:
        return float(np.dot(share, values))

    def means(name: str) -> dict[str, float]:
        tables: list[dict[str, float]] = [getattr(one, name) for one in made]
        keys = dict.fromkeys(key for table in tables for key in table)
        return {key: mean([table.get(key, 0.0) for table in tables]) for key in keys}

    def known(name: str) -> list[float]:
        values = [getattr(one, name) for one in made]
        return [value for value in values if value is not None]

    def most(name: str) -> float | None:
        return max(known(name), default=None)

    return dataclasses.replace(
        made[0],
        warm_runs=sum(one.warm_runs for one in made),
        warm_seconds=sum(one.warm_seconds for one in made),
        stable=all(one.stable for one in made),
        rounds=rounds,
        mean_ms=mean([one.mean_ms for one in made]),
        min_ms=min(one.min_ms for one in made),
        max_ms=max(one.max_ms for one in made),
        jitter_ms=mean([one.jitter_ms for one in made]),
        samples=samples,
        stages=means("stages"),
        load_seconds=statistics.median(each.load_seconds for each in rounds),
        build_seconds=most("build_seconds"),
        host_peak_mb=most("host_peak_mb"),
        host_frames_mb=most("host_frames_mb"),
        device_peak_mb=most("device_peak_mb"),
        joules=means("joules"),
        # The least plausible one.
        events_over_wall=max(
            known("events_over_wall"), key=lambda ratio: abs(ratio - 1), default=None
        ),
    )


def _in_process(case: Case, seconds: float, *, sustain: float) -> Measurement:
    """Measure a case once, in a process of its own.

    Raises
    ------
    RestoreError
        What the process says, or that it ended without a word.
    """
    command = [sys.executable, "-m", "restore_rt.bench.worker"]
    with (
        # Here, as the process may be killed.
        tempfile.TemporaryDirectory() as folder,
        tempfile.TemporaryFile("w+", errors="replace") as complaints,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=complaints, text=True
        ) as worker,
    ):
        try:
            task = {
                "case": dataclasses.asdict(case),
                "seconds": seconds,
                "sustain": sustain,
                "folder": folder,
            }
            verified, reason = _check(case, _said(worker, task, complaints))
            told = None if verified is None else dataclasses.asdict(verified)
            answer = _said(worker, {"verified": told, "reason": reason}, complaints)
        except BaseException:
            worker.kill()
            assert worker.stdin is not None
            # What was still to be said.
            with suppress(BrokenPipeError):
                worker.stdin.close()
            raise
    return measurement_of(answer["measurement"])


def _said(
    worker: subprocess.Popen[str], told: dict[str, Any], complaints: IO[str]
) -> dict[str, Any]:
    """Tell a process something; return its answer."""
    assert worker.stdin is not None
    assert worker.stdout is not None
    try:
        worker.stdin.write(json.dumps(told) + "\n")
        worker.stdin.flush()
        line = worker.stdout.readline()
    except BrokenPipeError:
        line = ""
    if not line:
        status = worker.wait()
        complaints.seek(0)
        said = complaints.read().strip().splitlines()
        raise BackendError(
            f"the process that measured ended with {status}"
            + (f": {said[-1]}" if said else ", as one that is killed when memory runs out")
        )
    answer: dict[str, Any] = json.loads(line)
    if "error" in answer:
        raise BackendError(answer["error"])
    return answer


def _check(case: Case, first: dict[str, Any]) -> Judged:
    """Compare the first result with the network's own, outside the process that is measured."""
    given = first["manifest"]
    pairs = {name: tuple(given[name]) for name in ("value_range", "tile")}
    manifest = Manifest(**{**given, **pairs})
    frame = test_frame(manifest, case.height, case.width)
    parts: list[U8] = [
        np.frombuffer(base64.b64decode(part["bytes"]), np.uint8).reshape(part["shape"])
        for part in first["parts"]
    ]
    try:
        return judge(Path(first["path"]), manifest, frame, parts, precision=first["precision"])
    except RestoreError:
        raise
    except Exception as error:  # a library that cannot run the file raises anything
        raise BackendError(f"the result cannot be verified: {error}") from error
