from __future__ import annotations

import numpy as np
import pytest

from restore_rt.errors import InputError
from restore_rt.training.degradations import degrade, parse_spec
from restore_rt.training.degradations.optics import Blur, Noise, blur_kernel, convolved
from restore_rt.training.limits import check_limits

SIZES = [(1, 1), (1, 9), (7, 2), (33, 46)]
SPECS = ["blur", "blur:8:shape=disc", "noise:30"]


def dot(side: int) -> np.ndarray:
    image = np.zeros((side, side, 3), np.uint8)
    image[side // 2, side // 2] = 255
    return image


def run(spec: str, image: np.ndarray, seed: int = 1) -> np.ndarray:
    return degrade(parse_spec(spec), [image], np.random.default_rng(seed))[0]


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("size", SIZES)
def test_any_size_and_the_input_stays(spec: str, size: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    image.flags.writeable = False
    out = run(spec, image)
    assert out.shape == image.shape
    assert out.dtype == np.uint8
    assert out.flags.c_contiguous
    assert np.array_equal(out, run(spec, image))
    if size == SIZES[-1]:
        assert not np.array_equal(out, run(spec, image, seed=2))


@pytest.mark.parametrize("spec", SPECS)
def test_strides_do_not_matter(spec: str) -> None:
    wide = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    for image in (wide[::-1, ::2], wide[..., ::-1], wide.transpose(1, 0, 2)):
        assert np.array_equal(run(spec, image), run(spec, np.ascontiguousarray(image)))


@pytest.mark.parametrize("spec", ["blur:0", "blur:0:shape=disc", "noise:0"])
def test_nothing_at_strength_0(spec: str) -> None:
    image = np.random.default_rng(0).integers(0, 256, (31, 17, 3), np.uint8)
    out = run(spec, image)
    assert np.array_equal(out, image)
    assert not np.shares_memory(out, image)


@pytest.mark.parametrize("shape", ["gaussian", "disc"])
@pytest.mark.parametrize(("sigma", "aspect"), [(1.0, 1.0), (2.5, 0.5), (4.0, 0.3)])
def test_a_kernel_has_the_spread_that_is_asked_for(shape: str, sigma: float, aspect: float) -> None:
    angle = 0.7
    kernel = blur_kernel(shape, sigma, aspect=aspect, angle=angle)
    radius = len(kernel) // 2
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    along = np.cos(angle) * x + np.sin(angle) * y
    across = np.cos(angle) * y - np.sin(angle) * x
    assert kernel.sum() == pytest.approx(1)
    assert np.sqrt((kernel * along**2).sum()) == pytest.approx(sigma, rel=0.06)
    assert np.sqrt((kernel * across**2).sum()) == pytest.approx(sigma * aspect, rel=0.12)


def test_a_convolution_is_the_sum_that_it_should_be() -> None:
    rng = np.random.default_rng(0)
    planes, kernel = rng.random((2, 13, 11)), rng.random((5, 5))
    padded = np.pad(planes, ((0, 0), (2, 2), (2, 2)), "edge")
    expected = sum(
        kernel[4 - dy, 4 - dx] * padded[:, dy : dy + 13, dx : dx + 11]
        for dy in range(5)
        for dx in range(5)
    )
    assert np.allclose(convolved(planes, kernel), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("shape", ["gaussian", "disc"])
def test_blur_keeps_a_constant_and_the_place_of_a_dot(shape: str) -> None:
    grey = np.full((20, 31, 3), (10, 99, 255), np.uint8)
    blur = Blur(sigma=(3, 3), shape=(shape,))
    rng = np.random.default_rng(5)
    assert np.array_equal(blur.apply_frame(grey, rng, scale=1), grey)
    spread = blur.apply_frame(dot(31), rng, scale=1)[..., 0].astype(float)
    y, x = np.mgrid[:31, :31]
    assert (spread * y).sum() / spread.sum() == pytest.approx(15, abs=0.01)
    assert (spread * x).sum() / spread.sum() == pytest.approx(15, abs=0.01)


def test_a_disc_is_flat_and_has_an_end() -> None:
    kernel = blur_kernel("disc", 3.0)
    assert np.ptp(kernel[4:9, 4:9]) == 0
    assert kernel[0, 0] == 0
    assert kernel.max() == pytest.approx(1 / (np.pi * 36), rel=0.02)


def noise_on(level: int, spec: str) -> np.ndarray:
    grey = np.full((160, 160, 3), level, np.uint8)
    return run(spec, grey).astype(float) - level


def test_noise_is_as_strong_as_asked_for_and_has_no_mean() -> None:
    noise = noise_on(128, "noise:12:poisson=0:grey=0")
    assert noise.std() == pytest.approx(12, rel=0.02)
    assert abs(noise.mean()) < 0.2
    assert abs(np.corrcoef(noise[..., 0].ravel(), noise[..., 1].ravel())[0, 1]) < 0.02


def test_shot_noise_grows_with_the_brightness() -> None:
    strengths = [noise_on(level, "noise:12:poisson=1:grey=0").std() for level in (0, 32, 128)]
    assert strengths[0] == 0
    assert strengths[1] == pytest.approx(strengths[2] / 2, rel=0.03)
    assert strengths[2] == pytest.approx(12, rel=0.03)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_grey_noise_is_the_same_in_all_channels(share: float) -> None:
    noise = noise_on(128, f"noise:20:poisson=0:grey={share}").reshape(-1, 3)
    assert noise.std() == pytest.approx(20, rel=0.03)
    assert np.corrcoef(noise.T)[0, 1:] == pytest.approx([share, share], abs=0.03)


def test_noise_differs_between_frames_but_its_strength_does_not() -> None:
    clip = [np.full((90, 90, 3), 128, np.uint8)] * 2
    a, b = degrade([Noise(sigma=(1, 30))], clip, np.random.default_rng(2))
    assert not np.array_equal(a, b)
    assert a.std() == pytest.approx(b.std(), rel=0.05)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("blur:2-1", r"sigma is \[2.0, 1.0\]; allowed is 0 to 16"),
        ("blur:17", "allowed is 0 to 16"),
        ("blur:aspect=0", "aspect is .*; allowed is 0.1 to 1"),
        ("blur:shape=box", "shape is 'box'; there are gaussian, disc"),
        ("noise:200", "sigma is .*; allowed is 0 to 128"),
        ("noise:poisson=2", "poisson is .*; allowed is 0 to 1"),
        ("noise:grey=0-1.5", "grey is .*; allowed is 0 to 1"),
    ],
)
def test_wrong_values_are_refused(spec: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_spec(spec)
    with pytest.raises(InputError, match="shape is ''"):
        check_limits(Blur(shape=()))
