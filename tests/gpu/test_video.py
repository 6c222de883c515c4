"""A video over an emulated GPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import restore_rt
from restore_rt.video import restore_video
from tests.gpu.emulator import Emulator
from tests.gpu.stand_in import Stage

# Machines with a GPU alone may do without.
av: Any = pytest.importorskip("av")

FRAMES = 7


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a clip, lossless so that the same frames give the same bytes."""
    path = tmp_path_factory.mktemp("clip") / "clip.mkv"
    rng = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 66, 50, "yuv420p"
        for _ in range(FRAMES):
            picture = rng.integers(0, 256, (50, 66, 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


def decoded(path: Path) -> list[Any]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray() for frame in container.decode(video=0)]


def restored(clip: Path, target: Path, **options: Any) -> Any:
    with restore_rt.load("video-x2", threads=1, **options) as restorer:
        return restore_video(clip, target, restorer, codec="ffv1")


def test_frames_are_the_cpus_in_order(
    emulated: Emulator, monkeypatch: pytest.MonkeyPatch, clip: Path, tmp_path: Path
) -> None:
    Stage(emulated, monkeypatch)
    ours, cpus = tmp_path / "ours.mkv", tmp_path / "cpus.mkv"
    report = restored(clip, ours, device="cuda", backend="onnxruntime")
    restored(clip, cpus, device="cpu", backend="onnxruntime")
    assert report.frames == FRAMES
    assert {"upload", "device", "download"} <= report.stages.keys()
    for mine, other in zip(decoded(ours), decoded(cpus), strict=True):
        np.testing.assert_array_equal(mine, other)


def test_frames_that_were_run_again_are_reported(
    emulated: Emulator, monkeypatch: pytest.MonkeyPatch, clip: Path, tmp_path: Path
) -> None:
    stage = Stage(emulated, monkeypatch)
    stage.spoil = lambda result, half: result * np.float32(np.nan) if half else result
    with pytest.warns(RuntimeWarning, match="run again in fp32"):
        report = restored(
            clip, tmp_path / "out.mkv", device="cuda", backend="onnxruntime", precision="fp16"
        )
    assert f"{FRAMES} of {FRAMES} frames were run again in fp32" in " ".join(report.notes)
