"""The script that measures models on compressed clips: which clips, which models, what is shown."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.training.test_clips import write_clip
from tests.training.test_compressed import moving, twice

pytest.importorskip("av")


@pytest.fixture
def script() -> Any:
    return importlib.import_module("compressed_video")


def test_clips_are_told_apart(script: Any, tmp_path: Path) -> None:
    for name in (
        "video_raw/walk.mkv",
        "video_raw/bus.mkv",
        "video_raw/sintel_1.mkv",
        script.SCREEN,
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "video_raw" / "notes.txt").touch()
    sources = [(each.path.name, each.kind) for each in script.found(tmp_path, None)]
    screen = (Path(script.SCREEN).name, "screen")
    assert sources == [
        ("bus.mkv", "natural"),
        ("walk.mkv", "natural"),
        ("sintel_1.mkv", "rendered"),
        screen,
    ]
    assert [each.path.name for each in script.found(tmp_path, 1)] == [
        "bus.mkv",
        "sintel_1.mkv",
        screen[0],
    ]
    assert list(script.found(tmp_path / "empty", None)) == []


def test_a_cell_has_the_mean_the_difference_and_how_many_clips(script: Any) -> None:
    value = {"mean": 30.456, "clips": 9, "difference": 0.5, "low": -0.25, "high": 1.0}
    told = script.cells({"clips": 9, "psnr_y": value, "flicker": {"mean": 0.0304, "clips": 7}})
    assert told["psnr_y"] == "30.46; +0.50 (-0.25 to +1.00)"
    assert told["flicker"] == "0.030, 7 clips"
    assert told["vmaf"] == ""


@pytest.mark.usefixtures("libvmaf")
def test_a_model_and_a_network_of_others_are_measured_together(
    script: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    raw = tmp_path / "data" / "test" / "video_raw"
    raw.mkdir(parents=True)
    write_clip(raw / "a.mkv", moving(3, 64, 96))
    weights = importlib.import_module("other_weights")
    opened = weights.Opened(twice, 2, "rgb", "a library")
    monkeypatch.setattr(script, "open_other", lambda name, folder, threads: opened)
    monkeypatch.setenv("RESTORE_RT_RESULTS", str(tmp_path))
    line = ["x", "video-x2", "realesr-animevideov3-x2", "--data", str(tmp_path / "data")]
    drawn = tmp_path / "a.png"
    monkeypatch.setattr(sys, "argv", [*line, "--frames", "2", "--sheet", str(drawn)])
    script.main()
    record = json.loads((tmp_path / "compressed_video.json").read_text("utf-8"))
    assert record["base"] == "video-x2"
    assert record["models"]["realesr-animevideov3-x2"]["runs_on"] == "a library"
    names = [entry["model"] for entry in record["summary"] if entry["crf"] == 32]
    assert names == ["video-x2", "realesr-animevideov3-x2", "bicubic", "original"]
    assert np.isfinite(record["summary"][1]["vmaf_neg"]["difference"])
    assert "| natural | 32 | realesr-animevideov3-x2 |" in capsys.readouterr().out
    assert drawn.read_bytes().startswith(b"\x89PNG")


def test_a_network_that_cannot_be_run_is_named(script: Any, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="realesr-animevideov3-x2 cannot be run: its file is mis"):
        script.other("realesr-animevideov3-x2", tmp_path, 1)
