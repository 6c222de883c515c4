from __future__ import annotations

import numpy as np
import pytest

from restore_rt.errors import InputError
from restore_rt.training.colour import luma
from restore_rt.training.degradations import h264, h264_luma, jpeg, reduce, wandering_crops


def scene(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    planes = [127 + 100 * np.sin(x / 4 + phase) * np.cos(y / 5) for phase in range(3)]
    return np.stack(planes, axis=2).astype(np.uint8)


def test_luma_of_black_white_and_primaries() -> None:
    rgb = np.array([[[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 0, 255]]], np.uint8)
    assert np.allclose(luma(rgb), [[16, 235, 81.481, 40.966]], atol=1e-3)


def test_reduce_keeps_a_constant_and_halves_the_size() -> None:
    image = np.full((6, 10, 3), 77, np.uint8)
    assert np.array_equal(reduce(image, 2), np.full((3, 5, 3), 77))


def test_reduce_refuses_a_size_that_does_not_divide() -> None:
    with pytest.raises(InputError, match="7x10 is no multiple of 2"):
        reduce(np.zeros((7, 10, 3), np.uint8), 2)


def test_jpeg_is_worse_at_lower_quality() -> None:
    image = scene(48, 48)
    errors = [np.abs(jpeg(image, q).astype(int) - image).mean() for q in (95, 50, 10)]
    assert errors == sorted(errors)
    assert errors[0] < errors[2]
    with pytest.raises(InputError, match="quality is 0"):
        jpeg(image, 0)


def test_h264_is_the_same_twice_and_worse_at_higher_crf() -> None:
    clip = [scene(34, 47)[:, shift : shift + 41] for shift in range(5)]
    fine, again, coarse = (h264_luma(clip, crf=crf) for crf in (10, 10, 35))
    assert [f.shape for f in fine] == [(34, 41)] * 5
    assert all(np.array_equal(a, b) for a, b in zip(fine, again, strict=True))
    truth = [luma(frame) for frame in clip]
    errors = [
        np.mean([np.abs(f - t).mean() for f, t in zip(frames, truth, strict=True)])
        for frames in (fine, coarse)
    ]
    assert errors[0] < 2 < errors[1]


def test_h264_in_colour_has_the_same_colours() -> None:
    frame = np.full((16, 16, 3), (200, 90, 40), np.uint8)
    (out,) = h264([frame], crf=5)
    assert out.shape == frame.shape
    assert np.abs(out.astype(int) - frame).max() <= 4


def test_h264_refuses_what_it_cannot_encode() -> None:
    with pytest.raises(InputError, match="no frames"):
        h264_luma([], crf=20)
    with pytest.raises(InputError, match="CRF is 60"):
        h264_luma([scene(16, 16)], crf=60)


def test_wandering_stays_within_reach_and_moves() -> None:
    origins, size = wandering_crops(50, 60, frames=40, reach=6, rng=np.random.default_rng(1))
    assert size == (44, 54)
    assert all(0 <= y <= 6 and 0 <= x <= 6 for y, x in origins)
    assert len(set(origins)) > 3
    with pytest.raises(InputError, match="leaves nothing"):
        wandering_crops(6, 60, frames=2, reach=6, rng=np.random.default_rng(1))
