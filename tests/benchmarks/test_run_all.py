"""`make bench` runs scripts that exist, with options that they have."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

SCRIPTS = Path(__file__).parent.parent.parent / "benchmarks"


@pytest.fixture
def run_all() -> Any:
    return importlib.import_module("run_all")


def test_every_command_is_a_script_with_these_options(
    run_all: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for command in (*run_all.SPEED, *run_all.QUALITY):
        script, *words = command.split()
        text = (SCRIPTS / script).read_text("utf-8")
        for word in words:
            if word.startswith("--") and word != "--runs":
                assert f'"{word}"' in text, command
        if "--runs" in words:
            assert "runs=" in text, command
    assert run_all.MAY_FAIL in run_all.SPEED


def test_the_whole_run_is_timed_and_ends_with_the_tables(
    run_all: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[Any] = []
    monkeypatch.setattr(run_all, "run", lambda command, check=True: ran.append((command, check)))
    monkeypatch.setattr(run_all.harness, "update", lambda **values: ran.append(values))
    monkeypatch.setattr("sys.argv", ["run_all.py"])
    run_all.main()
    assert [each for each in ran if isinstance(each, dict)] == [{"minutes_of_make_bench": 0.0}]
    commands = [each for each in ran if isinstance(each, tuple)]
    assert [command for command, _ in commands[-2:]] == ["figures.py", "quality_picture.py"]
    # A machine on which CPUID cannot be masked is no failure; everything else is.
    assert [command for command, check in commands if not check] == [run_all.MAY_FAIL]
