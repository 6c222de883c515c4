from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from skimage.metrics import structural_similarity
from torch import Tensor, nn

from restore_rt.errors import InputError
from restore_rt.training.features.networks import FeatureNet
from restore_rt.training.losses import ADVERSARIES, LOSSES, Perceptual
from restore_rt.training.losses.pixels import edge, fft, softened, total_variation


def _pictures(channels: int = 3, height: int = 17, width: int = 22) -> tuple[Tensor, Tensor]:
    rng = np.random.default_rng(3)
    target = rng.random((2, channels, height, width), np.float32)
    output = target + rng.normal(0, 0.1, target.shape).astype(np.float32)
    return torch.from_numpy(output), torch.from_numpy(target)


@pytest.mark.parametrize("name", sorted(LOSSES))
@pytest.mark.parametrize("channels", [1, 3])
def test_gradients_are_right(name: str, channels: int) -> None:
    output, target = (t.double() for t in _pictures(channels, 13, 12))
    output.requires_grad_()
    assert LOSSES[name](output, target).shape == ()
    torch.autograd.gradcheck(lambda x: LOSSES[name](x, target), output, fast_mode=True)


@pytest.mark.parametrize("name", sorted(set(LOSSES) - {"total_variation"}))
def test_equal_pictures_lose_nothing_and_others_something(name: str) -> None:
    output, target = _pictures()
    assert LOSSES[name](target, target).item() == pytest.approx(0, abs=1e-6)
    assert LOSSES[name](output, target) > 0.005


def test_ssim_is_that_of_scikit_image() -> None:
    output, target = _pictures(3, 24, 31)
    scores = []
    for a, b in zip(output.flatten(0, 1).numpy(), target.flatten(0, 1).numpy(), strict=True):
        _, score = structural_similarity(  # type: ignore[no-untyped-call]
            a,
            b,
            data_range=1,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            full=True,
        )
        scores.append(score[5:-5, 5:-5].mean())
    assert LOSSES["ssim"](output, target).item() == pytest.approx(1 - np.mean(scores), abs=1e-5)


def test_luma_does_not_see_a_change_of_colour_alone() -> None:
    output = torch.full((1, 3, 5, 6), 0.5)
    target = output + torch.tensor([1 / 0.299, -2 / 0.587, 1 / 0.114]).view(1, 3, 1, 1) / 100
    assert LOSSES["luma"](output, target).item() == pytest.approx(0, abs=1e-6)
    assert LOSSES["charbonnier"](output, target).item() > 0.01
    assert LOSSES["luma"](output, output + 0.02) == pytest.approx(0.02, abs=1e-3)


def test_ssim_takes_one_window_but_not_less() -> None:
    x = torch.rand(1, 1, 11, 11)
    assert LOSSES["ssim"](x, x).item() == pytest.approx(0, abs=1e-6)
    with pytest.raises(InputError, match="11x11 pixels, not 10x30"):
        LOSSES["ssim"](torch.rand(1, 1, 10, 30), torch.rand(1, 1, 10, 30))


def test_ssim_of_flat_pictures_is_finite() -> None:
    x = torch.full((1, 3, 16, 16), 0.5, requires_grad=True)
    loss = LOSSES["ssim"](x, torch.full((1, 3, 16, 16), 0.5))
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == pytest.approx(0, abs=1e-5)
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()


def test_total_variation_of_a_ramp_is_its_slope() -> None:
    ramp = (torch.arange(9) * 0.1).expand(2, 3, 5, 9)
    assert total_variation(ramp, torch.rand(2, 3, 5, 9)).item() == pytest.approx(0.1)


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (5, 1)])
def test_total_variation_of_one_row_is_along_it(size: tuple[int, int]) -> None:
    x = torch.arange(math.prod(size)).view(1, 1, *size) * 0.5
    expected = 0.0 if size == (1, 1) else 0.5
    assert total_variation(x, x).item() == pytest.approx(expected)


def test_edge_of_a_ramp_is_its_slope() -> None:
    ramp = (torch.arange(200) * 0.01)[:, None].expand(1, 1, 200, 6)
    # One of the two gradients is 0; both borders have half the slope.
    expected = 0.01 / 2 * 199 / 200
    assert edge(ramp, torch.zeros_like(ramp)).item() == pytest.approx(expected, rel=1e-4)
    assert edge(ramp + 0.3, ramp).item() == pytest.approx(0, abs=1e-6)


def test_fft_sums_amplitudes_so_that_spread_out_errors_weigh_more() -> None:
    noise = torch.from_numpy(np.random.default_rng(0).choice([-0.1, 0.1], (1, 1, 32, 32)))
    wave = torch.full((1, 1, 32, 32), 0.1).double()
    wave[..., ::2] *= -1
    zero = torch.zeros_like(wave)
    assert fft(noise, zero) > 5 * fft(wave, zero)
    # By hand: one coefficient, of 32 * 0.1, in 32 x 17 x 2.
    assert fft(wave, zero).item() == pytest.approx(3.2 / (32 * 17 * 2))


@pytest.mark.parametrize("name", sorted(ADVERSARIES))
def test_adversaries_pull_apart_and_together(name: str) -> None:
    adversary = ADVERSARIES[name]
    low, high = torch.full((2, 1, 3, 3), -2.0), torch.full((2, 1, 3, 3), 2.0)
    assert adversary.discriminator(high, low) < adversary.discriminator(low, high)
    assert adversary.generator(low, high) < adversary.generator(high, low)


def test_hinge_by_hand() -> None:
    real, fake = torch.tensor([0.5, 2.0]), torch.tensor([-3.0, 0.0])
    hinge = ADVERSARIES["hinge"]
    assert hinge.discriminator(real, fake).item() == pytest.approx((0.25 + 0.5) / 2)
    assert hinge.generator(real, fake).item() == pytest.approx(1.5)


def test_relativistic_by_hand() -> None:
    real, fake = torch.tensor([1.0, 3.0]), torch.tensor([0.0, -2.0])

    def minus_log_sigmoid(x: float) -> float:
        return math.log1p(math.exp(-x))

    # Means are 2 and -1: real ones are 2 and 4 above the mean fake, fakes 2 and 4 below.
    mean = (minus_log_sigmoid(2) + minus_log_sigmoid(4)) / 2
    relativistic = ADVERSARIES["relativistic"]
    assert relativistic.discriminator(real, fake).item() == pytest.approx(mean)
    other = (minus_log_sigmoid(-2) + minus_log_sigmoid(-4)) / 2
    assert relativistic.generator(real, fake).item() == pytest.approx(other)


def test_perceptual_compares_features() -> None:
    torch.manual_seed(0)
    features = FeatureNet(degradations=2)
    loss = Perceptual(features, "conv2_2")
    output, target = _pictures()
    output.requires_grad_()
    value = loss(output, target)
    expected = features.features(output, "conv2_2") - features.features(target, "conv2_2")
    assert value.item() == pytest.approx(expected.abs().mean().item(), rel=1e-6)
    assert loss(target, target).item() == 0
    value.backward()
    assert output.grad is not None
    assert output.grad.abs().sum() > 0
    assert all(p.grad is None and not p.requires_grad for p in loss.parameters())


def test_perceptual_stays_in_evaluation_mode() -> None:
    loss = Perceptual(FeatureNet(degradations=2), "conv1_1")
    nn.Sequential(loss).train()
    assert not loss.network.training


def test_perceptual_lists_the_layers() -> None:
    with pytest.raises(InputError, match=r"'conv5_1'; allowed are conv1_1, .*conv4_2"):
        Perceptual(FeatureNet(degradations=2), "conv5_1")


def test_softened_is_a_gaussian_blur() -> None:
    _, target = _pictures(3, 24, 31)
    blurred = gaussian_filter(target.numpy(), (0, 0, 1.0, 1.0), mode="nearest", truncate=3)
    np.testing.assert_allclose(softened(target, sigma=1.0).numpy(), blurred, atol=1e-6)
