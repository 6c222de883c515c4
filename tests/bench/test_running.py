"""Processes that measure, and what becomes of those that fail."""

from __future__ import annotations

import itertools
import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import onnx
import pytest

from restore_rt.bench import Case, Effort, run, running
from restore_rt.bench.verification import Reference
from restore_rt.errors import BackendError
from tests.bench.made import measured
from tests.networks import nearest, network, save_model
from tests.video.clips import make_clip

QUICK = Effort(rounds=2, most_rounds=2, seconds=0.02, sustain=0)


@pytest.fixture
def model(tmp_path: Path) -> str:
    return str(save_model(tmp_path / "nearest.onnx", nearest(1, 2), scale=2, colour="luma"))


def case_of(model: str, **changes: Any) -> Case:
    return Case(**{"model": model, "height": 24, "width": 32, "threads": 1, **changes})


def test_each_round_is_a_process_and_cases_take_turns(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    started = subprocess.run

    def start(*arguments: Any, **options: Any) -> Any:
        if "input" in options:
            order.append(pickle.loads(options["input"]).args[0].backend)
        return started(*arguments, **options)

    monkeypatch.setattr("restore_rt.bench.running.subprocess.run", start)
    done: list[int] = []
    cases = [case_of(model), case_of(model, backend="onnxruntime")]
    report = run(cases, QUICK, done=done.append)
    # The first computes the reference, which both cases share.
    assert order == ["auto", "auto", "onnxruntime", "auto", "onnxruntime"]
    assert done == [1, 1, 1, 1]
    assert [each.case for each in report.measurements] == cases
    for made in report.measurements:
        assert len(made.rounds) == 2
        assert made.verified is not None
        assert made.verified.worst == 0
        assert len(made.times_ms) == sum(each.frames for each in made.rounds)
        assert made.host_peak_mb is not None
        assert made.host_peak_mb > 20
    assert "native" in report.measurements[0].description
    assert report.measurements[1].stages.keys() == {"split", "network", "merge"}


def test_a_reference_needs_the_models_file_alone(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reference has no part in what is measured, and so no backend is opened for it."""
    monkeypatch.setattr("restore_rt.load", lambda *_, **__: pytest.fail("loaded"))
    reference = running._reference(case_of(model, backend="tensorrt"))
    assert isinstance(reference, Reference)
    assert reference.name.startswith("ONNX Runtime ")
    assert [part.shape for _, part in reference.parts] == [(48, 64, 1)]


def test_a_file_without_a_manifest_is_verified_by_what_was_found_out(tmp_path: Path) -> None:
    path = save_model(tmp_path / "plain.onnx", nearest(3, 2), scale=2, manifest=False)
    (made,) = run([case_of(str(path))], QUICK).measurements
    assert made.verified is not None
    assert made.verified.worst == 0


def test_a_file_of_one_size_is_measured_and_told_to_be_unverified(tmp_path: Path) -> None:
    fixed = network(nearest(3, 2), 2, size=("n", 96, 128))
    path = tmp_path / "fixed.onnx"
    onnx.save(fixed, path)
    found = run([case_of(str(path), height=96, width=128), case_of("video-x2")], QUICK)
    assert found.failures == ()
    assert found.measurements[0].verified is None
    assert "takes a single size" in found.measurements[0].not_verified


def test_what_was_measured_stands_when_the_minute_fails(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = running._Work.measure

    def fails(self: Any, case: Case, **options: float) -> Any:
        if "sustain" in options:
            raise BackendError("too hot")
        return real(self, case, **options)

    monkeypatch.setattr(running._Work, "measure", fails)
    effort = Effort(rounds=1, most_rounds=1, seconds=0.02, sustain=1)
    report = run([case_of(model)], effort)
    assert len(report.measurements) == 1
    assert report.failures[0].reason == "without a pause: too hot"


def test_nothing_is_left_of_a_clip_that_was_interrupted(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = make_clip(tmp_path / "in.mkv", frames=6)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)

    started = subprocess.run

    def interrupt(*arguments: Any, **options: Any) -> Any:
        ended = started(*arguments, **options)
        if "input" in options:
            raise KeyboardInterrupt
        return ended

    monkeypatch.setattr("restore_rt.bench.running.subprocess.run", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run([Case(model=model, clip=str(clip), height=48, width=64)], QUICK)
    # ONNX Runtime leaves a hidden file of its own.
    left = (path.name for path in tmp_path.iterdir() if not path.name.startswith("."))
    assert sorted(left) == ["in.mkv", "nearest.onnx"]


def test_rounds_go_on_until_enough_is_known(model: str) -> None:
    # Nothing is known as well as that.
    effort = Effort(rounds=2, most_rounds=4, seconds=0.02, within=1e-9, sustain=0)
    assert len(run([case_of(model)], effort).measurements[0].rounds) == 4
    effort = Effort(rounds=2, most_rounds=4, seconds=0.02, within=1e9, sustain=0)
    assert len(run([case_of(model)], effort).measurements[0].rounds) == 2


def test_frames_are_sustained_at_the_end(model: str) -> None:
    effort = Effort(rounds=1, most_rounds=1, seconds=0.02, sustain=0.2)
    (made,) = run([case_of(model)], effort).measurements
    assert made.sustained is not None
    assert made.sustained.seconds >= 0.2
    assert made.sustained.holds == {}
    assert len(made.rounds) == 1


def test_a_case_that_fails_is_told_and_the_others_measured(model: str) -> None:
    cases = [
        case_of(model, backend="tensorrt"),
        case_of(model),
        case_of(model, backend="onnxruntime", tile=(1, 10**9)),
    ]
    report = run(cases, QUICK)
    assert [each.case for each in report.measurements] == [cases[1]]
    assert [each.case for each in report.failures] == [cases[0], cases[2]]


def test_a_wrong_result_is_not_timed(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = running._Work.answer

    def wrong(self: Any, *arguments: Any, **options: Any) -> Any:
        found = answer(self, *arguments, **options)
        if isinstance(found, Reference):
            # The network that judges is not the one that runs.
            return Reference(found.name, tuple((at, 255 - part) for at, part in found.parts))
        return found

    monkeypatch.setattr(running._Work, "answer", wrong)
    report = run([case_of(model)], QUICK)
    assert report.measurements == ()
    assert "of 255 off from ONNX Runtime" in report.failures[0].reason


def test_a_process_that_dies_is_told(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    dies = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    monkeypatch.setattr(running, "_WORKER", (sys.executable, "-c", dies))
    report = run([case_of(model)], QUICK)
    assert "ended with -9, as if it was killed for lack of memory" in report.failures[0].reason


def test_rounds_go_on_while_some_processes_are_slower(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow-down that only some processes have is measured and reported, not left out."""
    times = itertools.cycle([10.0, 10.1, 14.0])
    monkeypatch.setattr(running._Work, "measure", lambda *_, **__: measured([next(times)]))
    effort = Effort(rounds=3, most_rounds=9, sustain=0)
    (made,) = run([case_of(model)], effort).measurements
    assert len(made.rounds) == len(made.quiet_rounds) == 9
    assert made.times_ms.max() == 14.0
    assert made.p50_ms.high > 12


def test_a_clip_is_decoded_restored_and_encoded(model: str, tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "in.mkv", frames=6)
    case = Case(model=model, clip=str(clip), height=48, width=64)
    (made,) = run([case], Effort(rounds=1, most_rounds=1, seconds=0.01, sustain=1)).measurements
    assert {"decode", "network", "encode"} <= made.stages.keys()
    assert made.rounds[0].frames_per_second > 0
    # However often it was restored, that was one process.
    assert len(made.rounds) == 1
    assert len(made.times_ms) >= 5
    assert made.sustained is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mkv", "nearest.onnx"]


def test_memory_is_what_the_system_says(model: str, tmp_path: Path) -> None:
    """The peak is the one that wait4(2) gives of the whole process: what ``time -v`` shows."""
    script = (
        "import sys, restore_rt, restore_rt.bench\n"
        f"with restore_rt.load({model!r}, threads=1) as restorer:\n"
        "    size = (1000, 1500)\n"
        "    report = restore_rt.bench.measure(restorer, size=size, seconds=.05)\n"
        "report.write(sys.argv[1])\n"
    )
    # What a process held when it was forked counts, so one that holds little must fork it.
    between = (
        "import resource, subprocess, sys\n"
        "subprocess.run([sys.executable, '-c', *sys.argv[1:]], check=True)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n"
    )
    command = [sys.executable, "-c", between, script, str(tmp_path / "a.json")]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    (made,) = json.loads((tmp_path / "a.json").read_text("utf-8"))["measurements"]
    assert made["host_peak_mb"] == pytest.approx(int(said) * 1024 / 1e6, rel=0.05)
