"""Progress without a terminal, results for people and programs."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest

from restore_rt.cli import console


def test_a_line_every_few_seconds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    with console.progress("restoring", 240, "frames") as advance:
        for _ in range(120):
            now += 0.0625
            advance(1)
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "restore-rt: restoring: 80/240 frames, 16.0 frames/s, 0:10 left\n"


def test_total_unknown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    with console.progress("restoring", None, "frames") as advance:
        now = 10.0
        advance(5)
    assert capsys.readouterr().err == "restore-rt: restoring: 5 frames, 0.5 frames/s\n"


def test_a_bar_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with console.progress("restoring [a]", 2, "pictures") as advance:
        advance(1)
        console.note("a note goes through")
        advance(1)
    said = capsys.readouterr()
    assert "a note goes through" in said.out + said.err
    assert "2/2" in said.err


def test_emit(capsys: pytest.CaptureFixture[str]) -> None:
    console.emit({"path": Path("a"), "n": 1}, "text", as_json=True)
    assert json.loads(capsys.readouterr().out) == {"path": "a", "n": 1}
    console.emit({}, "[b]text[/b]", as_json=False)
    assert capsys.readouterr().out == "[b]text[/b]\n"


def test_an_error_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    console.fail("first\n  second")
    assert capsys.readouterr().err == "restore-rt: error: first second\n"
