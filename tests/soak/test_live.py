"""Half an hour of live video, faster than real time: memory is flat, no frame is forgotten."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest

from restore_rt.live import ladder_names
from tests.soak.factor import factor
from tests.soak.long_runs import SHORT, make_source, watch

pytestmark = [pytest.mark.soak, pytest.mark.usefixtures("ffmpeg")]

FRAMES = 30 * 60 * 25
# The clip states this rate, so that the same number of frames comes in a quarter of the time.
RATE = 100
MOST_SOUND_OFF = 0.04  # seconds


def test_half_an_hour_live(tmp_path: Path, record_property: Callable[[str, Any], None]) -> None:
    seconds = max(1, round(FRAMES * factor() / RATE / SHORT)) * SHORT
    frames = seconds * RATE
    source = make_source(tmp_path, seconds, size="160x90", rate=RATE)
    target = tmp_path / "out.mkv"
    run = watch(["live", source, "-o", target, "--pace"], target, limit=seconds + 60)
    told = run.told
    record_property(
        "soak",
        f"{frames / 25 / 60:g} minutes of live video in {run.seconds:.0f} s: {told['dropped']} of "
        f"{frames} frames dropped, {told['late']} late, {len(told['changes'])} changes of the "
        f"model, age p95 {told['age']['p95_ms']:.0f} ms; {run}",
    )
    assert told["frames"] == frames
    assert told["delivered"] + told["dropped"] == frames
    assert sum(told["rungs"].values()) == told["delivered"]
    assert list(told["rungs"]) == ladder_names()
    for queue in told["queues"].values():
        assert queue["longest"] <= queue["size"]
    with av.open(str(source)) as before, av.open(str(target)) as after:
        count, _ = frames_and_end(after, "video")
        assert count == told["delivered"]
        _, end = frames_and_end(after, "audio")
        _, expected = frames_and_end(before, "audio")
        assert abs(end - expected) <= MOST_SOUND_OFF
    target.unlink()
    run.check_steady()


def frames_and_end(container: av.container.InputContainer, kind: str) -> tuple[int, float]:
    """Return how many packets a stream has, and the time of the last one."""
    container.seek(0)
    stream = next(stream for stream in container.streams if stream.type == kind)
    times = [float(packet.pts * packet.time_base) for packet in container.demux(stream)
             if packet.pts is not None and packet.time_base is not None]  # fmt: skip
    return len(times), max(times)
