"""``restore-rt video --resume``."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from restore_rt.files import journal_folder
from restore_rt.video import journal
from tests.cli.command import names_in
from tests.cli.conftest import Cli
from tests.video.clips import make_clip, read_clip

ROOT = Path(__file__).parents[2]
SEGMENT = 6


@pytest.fixture(autouse=True)
def _short_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "SEGMENT", SEGMENT)


def test_the_command(tmp_path: Path, luma_model: Path, cli: Cli) -> None:
    source, target = make_clip(tmp_path / "in.mp4", frames=20), tmp_path / "out.mp4"
    line = ["video", source, "-o", target, "--model", luma_model, "--resume"]
    stopped = _in_a_process(source, target, luma_model, after=2 * SEGMENT + 1)
    assert stopped.returncode == 143
    folder = journal_folder(target)
    kept = f"restore-rt: 12 restored frames are kept in {folder}: the same command"
    assert stopped.stderr == f"{kept} with --resume goes on from there\n"
    refused = cli(*line, "--quality", "20", code=2)
    assert refused.err.count("\n") == 1
    assert f"error: {folder} is left of another run: the quality was 18 and is 20;" in refused.err
    went_on = cli(*line)
    assert "20 frames (12 of them restored before), 128x96, h264" in went_on.out
    assert "restore-rt: 12 frames were restored before; they are only decoded again" in went_on.err
    assert len(read_clip(target).pts) == 20
    assert names_in(tmp_path) == ["in.mp4", "out.mp4"]


def _in_a_process(
    source: Path, target: Path, model: Path, *, after: int
) -> subprocess.CompletedProcess[str]:
    script = f"""
import os, signal, sys
from restore_rt.video import journal, run
from restore_rt.cli import main

journal.SEGMENT = {SEGMENT}
count = run.Run._count

def counted(job, *arguments):
    count(job, *arguments)
    if job.frames == {after}:
        os.kill(os.getpid(), signal.SIGTERM)

run.Run._count = counted
main()
"""
    words = [sys.executable, "-c", script, "video", source, "-o", target, "--model", model]
    return subprocess.run(
        [*map(str, words), "--resume"],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip


def test_a_folder_of_clips(tmp_path: Path, luma_model: Path, cli: Cli) -> None:
    """Each has a journal of its own; those that are finished are left out."""
    clips, out = tmp_path / "in", tmp_path / "out"
    clips.mkdir()
    for name in ("a.mp4", "b.mp4", "c.mp4"):
        make_clip(clips / name, frames=20)
    line = ["video", clips, "-o", out, "--model", luma_model, "--resume"]
    cli("video", clips / "a.mp4", "-o", str(out) + "/", "--model", luma_model, "--resume")
    stopped = _in_a_process(clips / "b.mp4", out / "b.mp4", luma_model, after=2 * SEGMENT + 1)
    assert stopped.returncode == 143
    said = cli(*line, "--skip-existing")
    assert "2 of 2 videos restored, 1 restored before" in said.out
    assert f"{clips / 'b.mp4'}: 12 frames were restored before" in said.err
    assert names_in(out) == ["a.mp4", "b.mp4", "c.mp4"]
    journal_folder(out / "a.mp4").mkdir()
    said = cli(*line, "--skip-existing")
    told = f"{out / 'a.mp4'} exists, and {journal_folder(out / 'a.mp4')} is left of an interrupted"
    assert told in said.err
