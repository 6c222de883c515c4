"""Models on compressed clips: what is averaged, and what libvmaf is asked."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest

pytest.importorskip("av")


@pytest.fixture
def script() -> Any:
    return importlib.import_module("compressed_video")


def test_differences_are_taken_clip_by_clip(script: Any) -> None:
    rows = [
        {"clip": clip, "kind": "natural", "crf": crf, "model": model}
        | dict.fromkeys(script.METRICS, base + gain)
        for clip, base in (("a", 20.0), ("b", 40.0))
        for crf in script.CRFS
        for model, gain in (("old", 0.0), ("new", 0.5))
    ]
    entries = list(script.summary(rows, ["old", "new"]))
    assert [(e["crf"], e["model"]) for e in entries] == [
        (crf, model) for crf in script.CRFS for model in ("old", "new")
    ]
    assert entries[0]["psnr_y"] == {"mean": 30.0}
    # The clips differ far more than the models do, and the interval does not see it.
    assert entries[1]["psnr_y"] == {"mean": 30.5, "difference": 0.5, "low": 0.5, "high": 0.5}
    assert entries[1]["clips"] == 2


def test_the_interval_holds_the_mean_and_grows_with_the_spread(script: Any) -> None:
    near, far = (script.difference(np.array([0.1, 0.2, 0.3]) * k) for k in (1, 10))
    for found in (near, far):
        assert found["low"] < found["difference"] < found["high"]
    assert far["high"] - far["low"] > 5 * (near["high"] - near["low"])


def test_vmaf_is_high_for_equal_clips_and_falls_with_noise(script: Any) -> None:
    pytest.importorskip("imageio_ffmpeg")
    rng = np.random.default_rng(1)
    y, x = np.mgrid[0:64, 0:96]
    clip = [
        np.clip(128 + 60 * np.sin((x + n) / 5) * np.cos(y / 7), 16, 235).astype(np.uint8)
        for n in range(3)
    ]
    noisy = [np.clip(f + rng.normal(0, 20, f.shape), 0, 255).astype(np.uint8) for f in clip]
    same, worse = script.vmaf(clip, clip), script.vmaf(noisy, clip)
    assert set(same) == {"vmaf", "vmaf_neg"}
    assert all(same[name] > 90 > worse[name] for name in same)
