from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from restore_rt.errors import InputError
from restore_rt.training.metrics.niqe import (
    NaturalModel,
    features,
    fit,
    fit_asymmetric_gaussian,
    main,
    niqe,
    shipped_model,
)


def clouds(seed: int, height: int = 200, width: int = 301) -> np.ndarray:
    """Return noise whose spectrum falls as in natural pictures, (height, width) 8 bit."""
    rng = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    spectrum = np.fft.rfft2(rng.normal(size=(height, width))) / np.maximum(frequency, 0.01)
    plane = np.fft.irfft2(spectrum, s=(height, width))
    plane = 127 + 50 * (plane - plane.mean()) / plane.std()
    return np.asarray(np.clip(plane, 0, 255), np.uint8)


def test_features_follow_whole_patches() -> None:
    picture = clouds(0)
    found, sharpness = features(picture)
    assert found.shape == (6, 36)
    assert sharpness.shape == (6,)
    assert np.isfinite(found).all()
    more, _ = features(np.pad(picture, ((0, 50), (0, 50))))
    np.testing.assert_allclose(more[0], found[0])


def test_distributions_are_recognised() -> None:
    rng = np.random.default_rng(3)
    normal = rng.normal(0, 3, (300, 300))
    laplace = rng.laplace(0, 2, (300, 300))
    lopsided = np.where(normal < 0, normal / 2, normal)
    shape, left, right = fit_asymmetric_gaussian(np.stack([normal, laplace, lopsided]))
    assert shape[:2] == pytest.approx([2, 1], rel=0.03)
    # Of a normal distribution the scale is sqrt(2) deviations, of a Laplace distribution its own.
    assert left == pytest.approx([3 * np.sqrt(2), 2, left[2]], rel=0.03)
    assert right[:2] == pytest.approx(left[:2], rel=0.03)
    assert right[2] == pytest.approx(2 * left[2], rel=0.03)


def test_what_has_one_side_only_is_no_distribution() -> None:
    for patch in (np.zeros((1, 4, 4)), np.ones((1, 4, 4))):
        assert np.isnan(fit_asymmetric_gaussian(patch)).all()


def test_a_grey_picture_and_its_rgb_twin_are_the_same() -> None:
    grey = clouds(1)
    assert niqe(grey) == pytest.approx(niqe(np.repeat(grey[..., None], 3, axis=2)))


def test_what_the_model_was_fitted_on_is_natural() -> None:
    pictures = [clouds(seed) for seed in range(12)]
    model = fit(pictures)
    assert model.mean.shape == (36,)
    assert model.covariance.shape == (36, 36)
    like = niqe(clouds(99), model)
    blurred = np.asarray(Image.fromarray(clouds(99)).filter(ImageFilter.GaussianBlur(2)))
    unlike = niqe(blurred, model)
    assert like is not None
    assert unlike is not None
    assert like < unlike / 2


@pytest.mark.parametrize("shape", [(95, 400), (96, 191), (1, 1), (3, 2, 3)])
def test_too_small_pictures_have_no_figure(shape: tuple[int, ...]) -> None:
    assert niqe(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)) is None


def test_flat_patches_do_not_count() -> None:
    flat = np.full((300, 400), 255, np.uint8)
    assert niqe(flat) is None
    flat[:96, :288] = clouds(5)[:96, :288]
    figure = niqe(flat)
    assert figure is not None
    assert figure < 40


def test_the_shipped_model_is_a_distribution() -> None:
    model = shipped_model()
    assert isinstance(model, NaturalModel)
    np.testing.assert_array_equal(model.covariance, model.covariance.T)
    assert np.linalg.eigvalsh(model.covariance).min() > 0


def test_the_command_fits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seed in range(12):
        Image.fromarray(clouds(seed)).save(tmp_path / f"{seed}.png")
    assert main([str(tmp_path), "-o", str(tmp_path / "natural.npz")]) == 0
    assert "fitted on 12 pictures" in capsys.readouterr().out
    assert sorted(tmp_path.glob("*n*z")) == [tmp_path / "natural.npz"]
    assert len([*tmp_path.iterdir()]) == 13
    with np.load(tmp_path / "natural.npz") as stored:
        np.testing.assert_allclose(stored["mean"], fit(map(clouds, range(12))).mean)


def test_too_few_patches_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match="too few to fit 36 features"):
        fit([clouds(0)])
    with pytest.raises(InputError, match="0 sharp patches"):
        fit([])
    assert main([str(tmp_path), "-o", str(tmp_path / "natural.npz")]) == 2
    assert capsys.readouterr().err.startswith("error: no pictures in")


@pytest.mark.parametrize("name", ["natural", "natural.NPZ", "natural.npy"])
def test_another_suffix_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    # Before the folder is looked at, which is not there.
    assert main([str(tmp_path / "none"), "-o", str(tmp_path / name)]) == 2
    assert capsys.readouterr().err == (
        f"error: the output is {tmp_path / name}; its suffix must be .npz\n"
    )
    assert list(tmp_path.iterdir()) == []


def through_jpeg(image: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer)


@pytest.mark.data
@pytest.mark.parametrize("name", ["Kodak", "Urban100", "CID22"])
def test_damage_is_seen_on_photographs(data_dir: Path, name: str) -> None:
    rng = np.random.default_rng(0)
    for file in sorted((data_dir / "test" / "sr" / name).glob("*.png"))[:3]:
        image = Image.open(file).convert("RGB")
        pixels = np.asarray(image)
        small = (image.width // 4, image.height // 4)
        noisy = np.clip(pixels + rng.normal(0, 15, pixels.shape), 0, 255).astype(np.uint8)
        damaged = {
            "enlarged": image.resize(small, Image.Resampling.BICUBIC).resize(
                image.size, Image.Resampling.BICUBIC
            ),
            "blurred": image.filter(ImageFilter.GaussianBlur(1.5)),
            "noisy": Image.fromarray(noisy),
            "jpeg": through_jpeg(image, 10),
        }
        clean = niqe(pixels)
        assert clean is not None
        for what, picture in damaged.items():
            figure = niqe(np.asarray(picture))
            assert figure is not None
            assert figure > clean + 0.9, (file.name, what)
