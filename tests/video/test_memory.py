"""How many frames of a clip are in memory at once."""

from __future__ import annotations

import time
import weakref
from pathlib import Path
from typing import Any

import pytest

import restore_rt
from restore_rt.video import restore_video
from restore_rt.video.conversion import Conversion, Prepared
from restore_rt.video.writer import VideoWriter
from tests.video.clips import make_clip


@pytest.mark.parametrize("slow", [False, True])
@pytest.mark.parametrize("threads", [1, 4])
def test_a_clip_is_never_in_memory_as_a_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: int, slow: bool
) -> None:
    """Also where the encoder is slower than all else, and frames wait for it."""
    alive, most = set[int](), 0
    source, encode = Conversion.source, VideoWriter.encode

    def counted(self: Conversion, decoded: Any) -> Prepared:
        nonlocal most
        prepared = source(self, decoded)
        alive.add(id(prepared.out))
        weakref.finalize(prepared.out, alive.discard, id(prepared.out))
        most = max(most, len(alive))
        return prepared

    def slowly(*arguments: Any, **times: Any) -> None:
        time.sleep(0.01)
        encode(*arguments, **times)

    monkeypatch.setattr(Conversion, "source", counted)
    if slow:
        monkeypatch.setattr(VideoWriter, "encode", slowly)
    clip = make_clip(tmp_path / "in.mp4", frames=40, size=(32, 24))
    with restore_rt.load("video-x2-fast", threads=threads) as restorer:
        report = restore_video(clip, tmp_path / "out.mkv", restorer)
        assert report.frames == 40
        assert 1 <= most <= 2 * restorer.workers + 5, most
