"""Rates and figures of clips at full and at half size, and figures of whole clips."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from restore_rt.errors import InputError
from restore_rt.training.evaluation import baselines
from restore_rt.training.evaluation.bitrate import (
    CRFS,
    FULL,
    METRICS,
    ClipLadder,
    Point,
    bd_rate,
    crossover,
    mean_rates,
)
from restore_rt.training.evaluation.bitrate import measure_clip as measure_rates
from restore_rt.training.metrics import clips
from restore_rt.training.metrics.clips import flicker, measure_clip, vmaf
from tests.training.test_clips import numbered, write_clip

U8 = NDArray[np.uint8]


def ladder(**ways: list[tuple[float, float]]) -> ClipLadder:
    """Make one of (kbit/s, PSNR) pairs; `full` is full size."""
    points = {
        FULL if name == "full" else name: [Point(0, rate, {"psnr_y": db}) for rate, db in pairs]
        for name, pairs in ways.items()
    }
    return ClipLadder("a", 64, 64, 8, 25.0, points)


FULL_CURVE = [(100 * 2**i, 30.0 + 2 * i) for i in range(6)]


def test_a_way_that_takes_three_quarters_of_the_rate_saves_a_quarter() -> None:
    made = ladder(full=FULL_CURVE, half=[(0.75 * rate, db) for rate, db in FULL_CURVE])
    assert bd_rate(made, "half", "psnr_y") == pytest.approx(-25)
    assert bd_rate(made, "half", "psnr_y", anchor="half") == pytest.approx(0)


def test_only_the_lowest_five_rates_count() -> None:
    far = [*FULL_CURVE[:5], (1e6, 40.5)]
    assert bd_rate(ladder(full=far, half=FULL_CURVE), "half", "psnr_y") == pytest.approx(0)


def test_qualities_that_do_not_overlap_have_no_rate() -> None:
    made = ladder(full=FULL_CURVE, half=[(rate, db - 20) for rate, db in FULL_CURVE])
    assert bd_rate(made, "half", "psnr_y") is None
    assert crossover(made, "half", "psnr_y") is None
    made.milliseconds["half"] = 2.0
    none = dict.fromkeys(METRICS)
    assert list(mean_rates([made], ["half"])) == [{"model": "half", **none, "ms_per_frame": 2.0}]


def test_the_crossover_is_where_the_curves_cross() -> None:
    # 1 dB better at 100 kbit/s, 1 dB worse at 1600, each straight over the rate's logarithm.
    made = ladder(full=[(100, 30.0), (1600, 38.0)], half=[(100, 31.0), (1600, 37.0)])
    assert crossover(made, "half", "psnr_y") == pytest.approx(400, rel=0.01)


def test_a_clip_is_measured_at_every_rate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("restore_rt.training.evaluation.bitrate.find_ffmpeg", lambda: None)
    path = tmp_path / "a.mkv"
    write_clip(path, numbered(3, 70, 67))
    steps: list[int] = []
    found = measure_rates(path, baselines(2)[:1], frames=3, advance=steps.append)
    assert (found.width, found.height, found.frames) == (64, 68, 3)
    assert len(steps) == len(CRFS)
    for points in found.ways.values():
        assert [point.crf for point in points] == list(CRFS)
        rates = [point.kbits for point in points]
        assert rates == sorted(rates, reverse=True)
        assert set(points[0].figures) == {"psnr_y", "ssim_y"}
    assert found.ways[FULL][0].figures["psnr_y"] > found.ways["bicubic"][0].figures["psnr_y"]
    assert found.ways[FULL][0].kbits > found.ways["bicubic"][0].kbits
    json.dumps(found.as_dict(), allow_nan=False)


def test_a_clip_of_one_frame_is_refused(tmp_path: Path) -> None:
    write_clip(tmp_path / "one.mkv", numbered(1, 64, 64))
    with pytest.raises(InputError, match=r"one\.mkv has 1 frames of 64x64; .* at least 2 of 32x32"):
        measure_rates(tmp_path / "one.mkv", [], frames=8)


def still(count: int) -> list[U8]:
    picture = np.random.default_rng(0).integers(0, 256, (32, 48), np.uint8)
    return [picture] * count


def test_a_clip_that_stands_still_does_not_flicker() -> None:
    assert flicker(still(3), still(3)) == 0


def test_flicker_is_the_change_over_the_gradient() -> None:
    # A slope of 2 levels a pixel along one axis, whose brightness changes by 3.
    slope = np.tile(np.arange(48, dtype=np.uint8) * 2, (32, 1))
    restored = [slope, slope + 3, slope]
    assert flicker(restored, still(3)) == pytest.approx(3 / 1)


def test_what_the_original_does_is_no_flicker() -> None:
    frames = still(2)
    moved = np.roll(frames[0], 5, axis=1)
    half = [frames[0], np.where(np.arange(48) < 24, frames[0], moved)]
    assert flicker(half, half) == pytest.approx(0, abs=0.001)
    assert flicker(still(2), [np.zeros((32, 48), np.uint8), np.full((32, 48), 9, np.uint8)]) is None
    assert flicker(frames[:1], frames[:1]) is None


@pytest.mark.usefixtures("libvmaf")
def test_vmaf_is_high_for_equal_clips_and_low_for_noise() -> None:
    y, x = np.mgrid[:128, :192]
    frames = [((np.sin(x / 9 + i) + np.cos(y / 7)) * 50 + 128).astype(np.uint8) for i in range(3)]
    noise = np.random.default_rng(0).integers(0, 256, frames[0].shape, np.uint8)
    equal, spoilt = vmaf(frames, frames), vmaf([noise] * 3, frames)
    assert set(equal) == {"vmaf", "vmaf_neg"}
    assert min(equal.values()) > 90
    assert max(spoilt.values()) < 40
    # An odd side is cut: a column of noise at the right changes nothing.
    odd = [np.hstack([frame, noise[:, :1]]) for frame in frames]
    assert vmaf(odd, [np.hstack([frame, noise[:, 1:2]]) for frame in frames]) == equal


@pytest.mark.usefixtures("libvmaf")
def test_a_clip_has_the_figures_that_can_be_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    steady = still(3)
    assert set(measure_clip(steady, steady)) == {"vmaf", "vmaf_neg", "flicker"}
    # libvmaf fails below 32 pixels.
    small = [frame[:31] for frame in steady]
    assert measure_clip(small, small) == {"flicker": 0}
    monkeypatch.setattr(clips, "find_ffmpeg", lambda: None)
    assert measure_clip(steady, steady) == {"flicker": 0}
    changing = [np.zeros((32, 48), np.uint8), np.full((32, 48), 9, np.uint8)]
    assert measure_clip(changing, changing) == {}


def test_a_missing_ffmpeg_is_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clips, "find_ffmpeg", lambda: None)
    with pytest.raises(InputError, match="pip install imageio-ffmpeg"):
        vmaf(still(1), still(1))
