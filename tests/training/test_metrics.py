from __future__ import annotations

import sys

import numpy as np
import pytest

from restore_rt.errors import InputError
from restore_rt.training.metrics.fidelity import (
    MOST_DB,
    WITHOUT_ORIGINAL,
    check_libraries,
    picture_metrics,
    psnr,
    ssim,
    y_of,
)


def noise(height: int, width: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    shape = (height, width, channels) if channels > 1 else (height, width)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def test_psnr_by_hand() -> None:
    a = np.zeros((8, 8), np.float32)
    assert psnr(a, a + 5) == pytest.approx(20 * np.log10(255 / 5))
    assert psnr(a, a) == MOST_DB == 100
    # Below any step of 8 bits: it cannot be better than equal.
    assert psnr(a, a + 1e-4) == MOST_DB


def test_psnr_of_8_bit_does_not_wrap_around() -> None:
    a = np.full((3, 5, 3), 250, np.uint8)
    b = np.full((3, 5, 3), 5, np.uint8)
    assert psnr(a, b) == psnr(b, a) == pytest.approx(20 * np.log10(255 / 245))


def test_psnr_averages_the_error_over_channels() -> None:
    a = np.zeros((4, 4, 3), np.uint8)
    b = a.copy()
    b[..., 1] = 30
    assert psnr(a, b) == pytest.approx(10 * np.log10(255**2 / 300))


def test_shaved_pixels_do_not_count() -> None:
    a = np.zeros((8, 9), np.float32)
    b = a + 1
    b[:2], b[:, -2:] = 200, 200
    assert psnr(a, b, shave=2) == pytest.approx(20 * np.log10(255))
    with pytest.raises(InputError, match="nothing left when 4"):
        psnr(a, b, shave=4)


@pytest.mark.parametrize("measure", [psnr, ssim])
def test_sizes_must_agree(measure: object) -> None:
    assert callable(measure)
    with pytest.raises(InputError, match=r"\(12, 13\) and \(13, 12\) cannot be compared"):
        measure(np.zeros((12, 13)), np.zeros((13, 12)))


def test_ssim_against_its_formula() -> None:
    a = noise(11, 11, 1).astype(np.float64)
    b = np.clip(a + noise(11, 11, 1, seed=1) / 8, 0, 255)
    # At 11x11 a single window fits: the formula of the paper, once.
    offsets = np.arange(-5, 6)
    window = np.exp(-(offsets**2) / (2 * 1.5**2))
    window = np.outer(window, window) / window.sum() ** 2
    mean_a, mean_b = (window * a).sum(), (window * b).sum()
    var_a, var_b = (window * a * a).sum() - mean_a**2, (window * b * b).sum() - mean_b**2
    both = (window * a * b).sum() - mean_a * mean_b
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    expected = (2 * mean_a * mean_b + c1) * (2 * both + c2)
    expected /= (mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2)
    assert ssim(a, b) == pytest.approx(expected)


def test_ssim_of_equal_and_of_small_pictures() -> None:
    a = noise(13, 15)
    assert ssim(a, a) == pytest.approx(1)
    assert ssim(a, a, shave=1) == pytest.approx(1)
    assert ssim(a, a, shave=2) is None


def test_y_is_limited_but_for_grey_that_is_repaired() -> None:
    black, white = np.zeros((2, 3, 3), np.uint8), np.full((2, 3, 3), 255, np.uint8)
    for scale in (1, 2):
        assert y_of(black, scale) == pytest.approx(16)
        assert y_of(white, scale) == pytest.approx(235)
    assert y_of(white[..., 0], 1) == pytest.approx(255)
    assert y_of(white[..., 0], 2) == pytest.approx(235)
    grey = noise(4, 5, 1)
    np.testing.assert_allclose(
        y_of(grey, 2), y_of(np.repeat(grey[..., None], 3, axis=2), 2), rtol=1e-5
    )


def test_metrics_of_colour() -> None:
    a, b = noise(40, 33), noise(40, 33, seed=1)
    a[:2] = b[:2] = 0
    found = {name: metric(a, b) for name, metric in picture_metrics(2).items()}
    assert found["psnr_y"] == psnr(y_of(a, 2), y_of(b, 2), shave=2)
    assert found["psnr_rgb"] == psnr(a, b, shave=2)
    assert found["ssim_rgb"] == ssim(a, b, shave=2)
    assert found["niqe"] is None


def test_metrics_of_grey() -> None:
    a, b = noise(40, 33, 1), noise(40, 33, 1, seed=1)
    found = {name: metric(a, b) for name, metric in picture_metrics(1).items()}
    assert found["psnr_y"] == psnr(a, b)
    assert found["ssim_y"] == pytest.approx(ssim(a, b))
    assert found["psnr_rgb"] is found["ssim_rgb"] is None


def test_a_metric_without_comparison_ignores_the_original() -> None:
    niqe = picture_metrics(2)["niqe"]
    a = noise(100, 200)
    assert not niqe.compares
    alone = [name for name, metric in picture_metrics(2).items() if not metric.compares]
    assert alone == [*WITHOUT_ORIGINAL]
    assert niqe(a, a) == niqe(a, np.zeros_like(a))


def test_missing_libraries_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skimage.metrics", None)
    with pytest.raises(InputError, match=r"pip install 'restore-rt\[eval\]'"):
        check_libraries()
