"""Models on compressed clips: what is given to a model, what is measured, and what is averaged."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from restore_rt.errors import InputError
from restore_rt.training.degradations.video import Coding, coded, luma_of, rgb_of
from restore_rt.training.evaluation import Candidate, Sheet, baselines, compressed
from restore_rt.training.evaluation.compressed import CRFS, METRICS, difference, measure, summary
from restore_rt.training.evaluation.sent import luma_restorer, sizes_of
from restore_rt.training.metrics.clips import flicker
from tests.training.conftest import picture

pytest.importorskip("av")

U8 = NDArray[np.uint8]


def twice(frame: U8) -> U8:
    return frame.repeat(2, axis=0).repeat(2, axis=1)


def moving(count: int, height: int = 98, width: int = 203) -> list[U8]:
    whole = picture(3, height, width + 2 * count)
    return [whole[:, 2 * turn : 2 * turn + width] for turn in range(count)]


def test_a_clip_is_sent_at_full_and_at_half_size() -> None:
    clip = sizes_of(moving(2))
    assert [(each.width, each.height) for each in (clip.full[0], clip.half[0])] == [
        (200, 96),
        (100, 48),
    ]
    assert all(frame.format.name == "yuv420p" for frame in (*clip.full, *clip.half))
    np.testing.assert_array_equal(clip.truth[1], luma_of(clip.full[1]))


def test_a_model_is_given_what_it_was_made_for() -> None:
    (frame, _), _ = coded(sizes_of(moving(2)).half, Coding(crf=24))
    seen: list[U8] = []

    def restore(given: U8) -> U8:
        seen.append(given)
        return twice(given)

    candidate = Candidate(name="luma", restore=restore, scale=2)
    np.testing.assert_array_equal(luma_restorer(candidate)(frame), twice(luma_of(frame)))
    candidate = Candidate(name="rgb", restore=restore, scale=2, takes="rgb")
    found = luma_restorer(candidate)(frame)
    np.testing.assert_array_equal(seen[1], rgb_of(frame))
    # There and back costs a rounding, and saturated colours.
    difference = np.abs(found.astype(int) - twice(luma_of(frame)))
    assert np.median(difference) <= 1
    assert found.shape == (96, 200)


def test_each_crf_is_measured_for_each_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compressed, "vmaf", lambda restored, truth: {"vmaf": 1.0, "vmaf_neg": 2.0})
    frames, sheet = moving(3, 100, 204), Sheet()
    rgb = Candidate(name="rgb", restore=twice, scale=2, takes="rgb")
    rows = list(measure("a", frames, [baselines(2)[0], rgb], sheet=sheet))
    assert [(row["crf"], row["model"]) for row in rows] == [
        (crf, name) for crf in CRFS for name in ("bicubic", "rgb", "original")
    ]
    by_crf = {(row["crf"], row["model"]): row for row in rows}
    assert set(METRICS) <= by_crf[24, "bicubic"].keys()
    # More is lost the higher the CRF, for both.
    for name in ("bicubic", "rgb"):
        values = [by_crf[crf, name]["psnr_y"] for crf in CRFS]
        assert values == sorted(values, reverse=True)
        assert 15 < values[-1] < values[0] < 60
    original = by_crf[24, "original"]
    truth = sizes_of(frames).truth
    assert original.keys() == {"clip", "crf", "model", "niqe", "flicker"}
    assert original["flicker"] == flicker(truth, truth)
    (strip,) = sheet.strips.values()
    assert (strip.name, strip.moments) == ("a", [0, 1, 2])
    assert strip.crops[0].restored.keys() == {"bicubic", "rgb"}


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(InputError, match="input enlarges 1 times; give models that enlarge twice"):
        next(measure("a", moving(2), baselines(1)))
    with pytest.raises(InputError, match="a has 1 frames; a clip needs at least 2"):
        next(measure("a", moving(1), baselines(2)))


def test_differences_are_taken_clip_by_clip() -> None:
    rows: list[dict[str, Any]] = [
        {"clip": clip, "kind": "natural", "crf": crf, "model": model}
        | dict.fromkeys(METRICS, base + gain)
        for clip, base in (("a", 20.0), ("b", 40.0))
        for crf in CRFS
        for model, gain in (("old", 0.0), ("new", 0.5))
    ]
    entries = list(summary(rows, ["old", "new"], "old"))
    assert [(e["crf"], e["model"]) for e in entries] == [
        (crf, model) for crf in CRFS for model in ("old", "new")
    ]
    assert entries[0]["psnr_y"] == {"mean": 30.0, "clips": 2}
    # The clips differ far more than the models do, and the interval does not see it.
    expected = {"mean": 30.5, "clips": 2, "difference": 0.5, "low": 0.5, "high": 0.5}
    assert entries[1]["psnr_y"] == expected
    assert entries[1]["clips"] == 2
    turned = list(summary(rows, ["old", "new"], "new"))
    assert turned[0]["psnr_y"]["difference"] == -0.5
    assert "difference" not in turned[1]["psnr_y"]


def test_only_clips_that_both_have_are_paired() -> None:
    rows: list[dict[str, Any]] = [
        {"clip": clip, "kind": kind, "crf": crf, "model": model, **figures}
        for crf in CRFS
        for clip, kind, model, figures in (
            ("a", "natural", "old", {"psnr_y": 1.0, "niqe": 5.0}),
            ("b", "natural", "old", {"psnr_y": 2.0}),
            ("a", "natural", "new", {"psnr_y": 2.0, "niqe": 4.0}),
            ("b", "natural", "new", {"psnr_y": 4.0, "niqe": 3.0}),
            ("c", "screen", "old", {"psnr_y": 9.0}),
        )
    ]
    entries = {(e["kind"], e["model"]): e for e in summary(rows, ["old", "new"], "old")}
    assert entries["natural", "new"]["niqe"] == {"mean": 3.5, "clips": 2, "difference": -1.0}
    assert entries["natural", "new"]["psnr_y"]["difference"] == 1.5
    assert entries["screen", "old"]["psnr_y"] == {"mean": 9.0, "clips": 1}
    assert entries["screen", "new"]["clips"] == 0
    assert "niqe" not in entries["screen", "old"]


def test_the_interval_holds_the_mean_and_grows_with_the_spread() -> None:
    near, far = (difference(np.array([0.1, 0.2, 0.3]) * k) for k in (1, 10))
    for found in (near, far):
        assert found["low"] < found["difference"] < found["high"]
    assert far["high"] - far["low"] > 5 * (near["high"] - near["low"])
