"""The stage table."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from restore_rt.video import VideoReport, restore_video
from tests.video.clips import Enlarger, make_clip


def _report(**stages: float) -> VideoReport:
    return VideoReport(100, 2.0, 64, 48, "h264", stages)


def test_figures() -> None:
    report = _report(decode=0.1, network=1.5, encode=0.4)
    assert report.fps == 50
    assert [row.stage for row in report.table] == ["decode", "network", "encode"]
    assert [row.milliseconds for row in report.table] == pytest.approx([1, 15, 4])
    assert [row.share for row in report.table] == pytest.approx([0.05, 0.75, 0.2])
    assert report.as_dict()["stages"]["network"] == {
        "ms_per_frame": 15.0,
        "share_of_wall_time": 0.75,
    }


@pytest.mark.parametrize(
    ("stages", "bottleneck"),
    [
        ({"decode": 1.0, "network": 0.5, "encode": 0.7}, "decode"),
        ({"decode": 0.1, "network": 0.5, "merge": 0.3, "encode": 0.7}, "network"),
        ({"decode": 0.1, "network": 0.5, "merge": 0.1, "encode": 0.7}, "encode"),
        ({"decode": 0.1, "split": 0.6, "network": 0.2, "encode": 0.5}, "split"),
        ({"decode": 0.4, "upload": 0.3, "network": 0.2, "download": 0.1, "encode": 0.5}, "upload"),
        ({}, ""),
    ],
)
def test_the_bottleneck_is_on_the_busiest_thread(stages: dict[str, float], bottleneck: str) -> None:
    assert _report(**stages).bottleneck == bottleneck


def test_stages_of_any_backend_are_shown() -> None:
    report = _report(encode=0.4, decode=0.1, upload=0.2, network=0.5, download=0.3)
    names = ["decode", "upload", "network", "download", "encode"]
    assert [row.stage for row in report.table] == names
    assert list(report.as_dict()["stages"]) == names


def test_workers_share_the_stages_between() -> None:
    stages = {"decode": 0.1, "network": 1.6, "encode": 1.0}
    assert VideoReport(100, 2.0, 64, 48, "h264", stages, workers=1).bottleneck == "network"
    assert VideoReport(100, 2.0, 64, 48, "h264", stages, workers=2).bottleneck == "encode"


def test_a_run_is_measured(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", frames=10)
    restorer = Enlarger(hook=lambda index: time.sleep(0.02))
    report = restore_video(source, tmp_path / "out.mp4", restorer)
    assert report.frames == 10
    assert set(report.stages) == {"network", "decode", "encode"}
    assert report.bottleneck == "network"
    assert 0.2 <= report.stages["network"] <= report.seconds
