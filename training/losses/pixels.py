"""Losses of pixels: each takes (output, target), float32 NCHW of 0 to 1, and gives a mean."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from restore_rt.errors import InputError
from restore_rt.training.colour import BT601

__all__ = [
    "charbonnier",
    "edge",
    "fft",
    "l1",
    "luma",
    "psnr",
    "softened",
    "ssim",
    "total_variation",
]

# What Wang et al. use: the window's side and standard deviation, and the constants that keep
# quotients from zero, for values of 0 to 1.
WINDOW, SIGMA = 11, 1.5
C1, C2 = 0.01**2, 0.03**2


def l1(output: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference."""
    return (output - target).abs().mean()


def charbonnier(output: Tensor, target: Tensor, *, epsilon: float = 1e-3) -> Tensor:
    """Mean of sqrt(d^2 + epsilon^2) - epsilon: L1 that is smooth at zero."""
    return (torch.sqrt((output - target) ** 2 + epsilon**2) - epsilon).mean()


def psnr(output: Tensor, target: Tensor, *, least: float = 1e-6) -> Tensor:
    """Logarithm of each picture's mean squared error over `least`, averaged over the pictures.

    That is 60 dB less PSNR, but for a factor: a picture that is nearly right counts as much as one
    that is far off.
    """
    error = ((output - target) ** 2).mean((1, 2, 3))
    return torch.log1p(error / least).mean()


def luma(output: Tensor, target: Tensor) -> Tensor:
    """`charbonnier` of BT.601 luma: of what the eye, and PSNR as it is published, looks at most.

    What has one channel is luma already.
    """
    if output.shape[1] == 3:
        weights = output.new_tensor(BT601).view(1, 3, 1, 1)
        output, target = (
            (weights * picture).sum(dim=1, keepdim=True) for picture in (output, target)
        )
    return charbonnier(output, target)


def ssim(output: Tensor, target: Tensor) -> Tensor:
    """One minus the mean structural similarity of the channels, 0 to 2.

    From Wang et al., "Image Quality Assessment: From Error Visibility to Structural Similarity",
    2004: a Gaussian window of 11x11 pixels and standard deviation 1.5, where it lies wholly inside.
    Raises `InputError` if height or width is below 11.
    """
    if min(output.shape[2:]) < WINDOW:
        raise InputError(
            f"ssim compares pictures of at least {WINDOW}x{WINDOW} pixels, not "
            f"{output.shape[2]}x{output.shape[3]}; use larger patches or another loss"
        )
    a, b = _blur(output), _blur(target)
    # Variances are small differences of large numbers: this is why inputs must be float32.
    aa = _blur(output * output) - a * a
    bb = _blur(target * target) - b * b
    ab = _blur(output * target) - a * b
    similarity = (2 * a * b + C1) * (2 * ab + C2) / ((a * a + b * b + C1) * (aa + bb + C2))
    return 1 - similarity.mean()


def _blur(x: Tensor) -> Tensor:
    # As matrix products, which stay float32 on a GPU, where convolutions may not.
    rows, columns = (_band(size, x) for size in x.shape[2:])
    return rows.T @ x @ columns


def _band(size: int, like: Tensor) -> Tensor:
    """Make the matrix (size, size - 10) whose columns are the window, each one lower."""
    position = torch.arange(size, device=like.device, dtype=like.dtype)
    offset = position[:, None] - position[None, : size - WINDOW + 1] - WINDOW // 2
    weights = torch.exp(-(offset**2) / (2 * SIGMA**2)) * (offset.abs() <= WINDOW // 2)
    return weights / weights.sum(0, keepdim=True)


def total_variation(output: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference between vertical and horizontal neighbours in `output`.

    It holds noise down, whatever the target is. After Rudin et al., "Nonlinear Total Variation
    Based Noise Removal Algorithms", 1992. What Neural Enhance calls smoothness is the mean of
    ``(dx**2 + dy**2)**1.25``, so weights do not carry over from there. A picture of one row or
    column has none along that axis.
    """
    del target
    total = output.new_zeros(())
    for axis in (2, 3):
        if output.shape[axis] > 1:
            total = total + output.diff(dim=axis).abs().mean()
    return total


def edge(output: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference of the horizontal and the vertical Sobel gradient.

    Borders are replicated. Gradients are scaled so that a ramp of 1 per pixel has gradient 1.
    """
    difference = F.pad(output - target, (1, 1, 1, 1), mode="replicate")
    # Both filters separate: a central difference along one axis, smoothing along the other.
    above, below = difference[:, :, :-2], difference[:, :, 2:]
    vertical = _smooth(below - above, 3) / 8
    horizontal = _smooth(difference[..., 2:] - difference[..., :-2], 2) / 8
    return (vertical.abs().mean() + horizontal.abs().mean()) / 2


def _smooth(x: Tensor, axis: int) -> Tensor:
    size = x.shape[axis] - 2
    return x.narrow(axis, 0, size) + 2 * x.narrow(axis, 1, size) + x.narrow(axis, 2, size)


def fft(output: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference of the Fourier coefficients, real and imaginary parts apart.

    The transform is orthonormal, so that the loss is of the size of `l1`. Every frequency counts
    alike, so that fine detail, of small amplitudes, is not given up for the coarse. After Cho et
    al., "Rethinking Coarse-to-Fine Approach in Single Image Deblurring", 2021 (arXiv 2108.05054).
    """
    spectrum = torch.view_as_real(torch.fft.rfft2(output - target, norm="ortho"))
    return spectrum.abs().mean()


def softened(output: Tensor, *, sigma: float) -> Tensor:
    """Blur (N, C, H, W) by a Gaussian of standard deviation `sigma`; borders are replicated."""
    reach = math.ceil(3 * sigma)
    position = torch.arange(-reach, reach + 1, device=output.device, dtype=output.dtype)
    weights = torch.exp(-(position**2) / (2 * sigma**2))
    weights = weights / weights.sum()
    channels = output.shape[1]
    blurred = F.pad(output, (reach,) * 4, mode="replicate")
    for shape in ((1, 1, -1, 1), (1, 1, 1, -1)):
        kernel = weights.view(shape).expand(channels, -1, -1, -1)
        blurred = F.conv2d(blurred, kernel, groups=channels)
    return blurred
