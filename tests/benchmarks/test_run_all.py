"""`make bench` runs scripts and sweeps that exist, with options that they have."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

from restore_rt.bench.sweep import read_sweep
from tests.shipped import restoring

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def run_all() -> Any:
    return importlib.import_module("run_all")


def test_every_step_is_a_script_with_these_options_or_a_sweep(run_all: Any) -> None:
    steps = (*run_all.SPEED, *run_all.QUALITY)
    assert run_all.BENCH.keys() <= set(steps)
    for step in steps:
        script, *words = step.split()
        if script in run_all.BENCH or script == "startup":
            continue
        text = (ROOT / "benchmarks" / script).read_text("utf-8")
        for word in words:
            if word.startswith("--") and word != "--runs":
                assert f'"{word}"' in text, step
        if "--runs" in words:
            assert "runs=" in text, step
    assert run_all.MAY_FAIL in steps


def test_sweeps_have_the_cases_that_the_tables_show(
    run_all: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("restore_rt.bench.sweep.clip_size", lambda path: (360, 640))
    cases = {name: read_sweep(ROOT / options.split()[1]) for name, options in run_all.BENCH.items()}
    assert [case.model for case in cases["bench"]] == [
        *(f"video-x2{each}" for each in ("-tiny", "-fast", "", "-quality", "-sharp")),
        *("photo-x2", "photo-x4", "photo-x4-gan", "comic-x2", "comic-x1", "repair-x1"),
    ]
    assert {case.model for case in cases["bench"]} == {each.name for each in restoring()}
    for name in ("scaling", "clip"):
        stored = importlib.import_module("tables").part(name)["measurements"]
        keys = ("model", "backend", "precision", "width", "height", "threads", "streams")
        shown = [{key: each["case"][key] for key in keys if key in each["case"]} for each in stored]
        assert len(shown) == len(cases[name])
        if name == "scaling":
            assert [
                {key: getattr(case, key) for key in keys if key != "precision"}
                for case in cases[name]
            ] == shown


def test_imports_are_timed_in_fresh_processes(run_all: Any) -> None:
    found = run_all.startup(1)["milliseconds"]
    assert found.keys() == {"numpy", "restore_rt"}
    assert all(each["runs"] == 1 and each["median"] > 0 for each in found.values())


def test_the_whole_run_is_timed_and_ends_with_the_tables(
    run_all: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[tuple[str, bool]] = []
    told: list[Any] = []

    def run(command: list[str], check: bool) -> None:
        ran.append((" ".join([Path(command[1]).name, *command[2:]]), check))

    monkeypatch.setattr(run_all.subprocess, "run", run)
    monkeypatch.setattr(run_all, "startup", dict)
    monkeypatch.setattr(run_all, "bench", told.append)
    monkeypatch.setattr(run_all.harness, "write", lambda name, record: told.append(name))
    monkeypatch.setattr(run_all.harness, "update", lambda **values: told.append(values))
    monkeypatch.setattr("sys.argv", ["run_all.py"])
    run_all.main()
    assert told == ["startup", "bench", "scaling", "clip", "pixels", {"minutes_of_make_bench": 0.0}]
    assert [command for command, _ in ran][-1] == "figures.py"
    # A machine on which CPUID cannot be masked is no failure; everything else is.
    assert [command for command, check in ran if not check] == [run_all.MAY_FAIL]
