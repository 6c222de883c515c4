"""What a run leaves changed in the process."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import av
import pytest

from restore_rt.video import codecs, restore_video
from tests.video.clips import Enlarger, make_clip


@pytest.mark.parametrize("level", [None, av.logging.ERROR, av.logging.DEBUG])
def test_pyavs_log_level_stays(tmp_path: Path, level: int | None) -> None:
    source = make_clip(tmp_path / "in.mkv", frames=1, codec="ffv1")
    before = av.logging.get_level()
    logging.getLogger("libav").addHandler(logging.NullHandler())
    av.logging.set_level(level)
    try:
        restore_video(source, tmp_path / "out.mkv", Enlarger(), codec="ffv1")
        assert av.logging.get_level() == level
    finally:
        av.logging.set_level(before)


ENCODE = """
import sys
from restore_rt.video import restore_video
from restore_rt.video.writer import VideoWriter
from tests.video.clips import Enlarger

mux = VideoWriter._mux

def told(self, packet):
    print(packet.pts, packet.dts)
    mux(self, packet)

VideoWriter._mux = told
restore_video(sys.argv[1], sys.argv[2], Enlarger(), codec="h265")
"""


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_the_shortest_clips_have_decoding_times(tmp_path: Path, frames: int) -> None:
    source = make_clip(tmp_path / "in.mkv", frames=frames, size=(64, 64))
    # glibc fills what is allocated with rubbish, so that what is not written cannot pass for 0.
    environment = {**os.environ, "MALLOC_PERTURB_": "154"}
    command = [sys.executable, "-c", ENCODE, str(source), str(tmp_path / "out.mp4")]
    made = subprocess.run(
        command, check=True, env=environment, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE
    )
    times = [tuple(map(int, line.split())) for line in made.stdout.decode().splitlines()]
    assert len(times) == frames
    for pts, dts in times:
        assert pts - 1000 < dts <= pts


@pytest.mark.parametrize(("codec", "wanted"), [("h264", None), ("ffv1", None), ("av1", "1")])
def test_the_environment_changes_for_av1_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, codec: str, wanted: str | None
) -> None:
    environment: dict[str, str] = {}
    monkeypatch.setattr(codecs, "os", SimpleNamespace(environ=environment))
    source = make_clip(tmp_path / "in.mkv", frames=1, size=(64, 64))
    monkeypatch.setenv("SVT_LOG", "1")  # the encoder reads the real one
    restore_video(source, tmp_path / "out.mkv", Enlarger(), codec=codec)
    assert environment.get("SVT_LOG") == wanted
