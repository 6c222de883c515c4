"""An hour of video: memory, threads and open files stay as they were after the first minutes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest

from tests.networks import nearest, save_model
from tests.soak.factor import factor
from tests.soak.long_runs import SHORT, make_source, watch

pytestmark = [pytest.mark.soak, pytest.mark.usefixtures("ffmpeg")]

SECONDS, RATE = 3600, 25
# The network is small and the encoder fast: slower than this, something waits for something.
LEAST_FRAMES_PER_SECOND = 10.0


def test_an_hour(tmp_path: Path, record_property: Callable[[str, Any], None]) -> None:
    seconds = max(1, round(SECONDS * factor() / SHORT)) * SHORT
    frames = seconds * RATE
    source = make_source(tmp_path, seconds, size="320x180", rate=RATE)
    target = tmp_path / "out.mkv"
    model = save_model(tmp_path / "small-x2.onnx", nearest(1, 2), scale=2, content="video")
    line = ["video", source, "-o", target, "--model", model, "--threads", "2"]
    cheaply = ["--preset", "ultrafast", "--quality", "40"]
    run = watch([*line, *cheaply], target, limit=frames / LEAST_FRAMES_PER_SECOND)
    record_property(
        "soak",
        f"{seconds / 60:g} minutes of video: {frames} frames in {run.seconds:.0f} s, "
        f"{frames / run.seconds:.0f} frames/s; {run}",
    )
    assert run.told["frames"] == frames
    with av.open(str(target)) as result:
        # Sound is repeated in whole packets, which makes it a little longer than the picture.
        assert (result.duration or 0) / 1e6 == pytest.approx(seconds, rel=2e-3)
    target.unlink()
    run.check_steady()
