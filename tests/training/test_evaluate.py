from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from restore_rt.errors import InputError
from restore_rt.training.evaluate import bicubic, evaluate, psnr, psnr_y


def test_psnr_by_hand() -> None:
    a = np.zeros((8, 8), np.float32)
    assert psnr(a, a + 5) == pytest.approx(20 * np.log10(255 / 5))
    assert psnr(a, a) == float("inf")


def test_shaved_pixels_do_not_count() -> None:
    a = np.zeros((8, 9), np.float32)
    b = a + 1
    b[:2], b[:, -2:] = 200, 200
    assert psnr(a, b, shave=2) == pytest.approx(20 * np.log10(255))
    with pytest.raises(InputError, match="nothing left"):
        psnr(a, b, shave=4)


def test_psnr_y_is_that_of_luma() -> None:
    a = np.zeros((4, 4, 3), np.uint8)
    # 255 of full range is 219 of luma.
    assert psnr_y(a, a + 255) == pytest.approx(20 * np.log10(255 / 219), abs=1e-4)


def test_evaluate_measures_what_the_restorer_does(tmp_path: Path) -> None:
    y, x = np.mgrid[0:65, 0:70]
    image = np.repeat((127 + 60 * np.sin(x / 6) * np.cos(y / 5))[..., None], 3, axis=2)
    Image.fromarray(image.astype(np.uint8)).save(tmp_path / "waves.png")

    def nearest(plane: np.ndarray) -> np.ndarray:
        return plane.repeat(2, axis=0).repeat(2, axis=1)

    def smooth(plane: np.ndarray) -> np.ndarray:
        return bicubic(plane, 2)

    clean = evaluate(smooth, tmp_path, scale=2)["waves.png"]
    coded = evaluate(smooth, tmp_path, scale=2, crf=35)["waves.png"]
    clip = evaluate(smooth, tmp_path, scale=2, crf=35, frames=5)["waves.png"]
    assert evaluate(nearest, tmp_path, scale=2)["waves.png"] < clean
    assert max(coded, clip) < clean
    assert evaluate(smooth, tmp_path, scale=2, crf=35, frames=5)["waves.png"] == clip


def test_evaluate_refuses_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no pictures in"):
        evaluate(lambda plane: plane, tmp_path, scale=2)


@pytest.mark.data
@pytest.mark.parametrize(("name", "expected"), [("Set5", 33.67), ("Set14", 30.32)])
def test_bicubic_has_the_published_figures(data_dir: Path, name: str, expected: float) -> None:
    scores = evaluate(lambda plane: bicubic(plane, 2), data_dir / "test" / "sr" / name, scale=2)
    assert np.mean(list(scores.values())) == pytest.approx(expected, abs=0.015)
