"""Steps of lens, sensor and camera: blur, noise and sharpening."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from restore_rt.training.degradations.steps import Clip, Rgb, Step, choose, draw, register
from restore_rt.training.limits import one_of, span

__all__ = ["SHAPES", "Blur", "Noise", "Sharpen", "blur_kernel", "convolved", "to_bytes"]

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
SHAPES = ("gaussian", "disc")
# A disc is averaged over so many points along each axis of a pixel, or its rim would be jagged.
POINTS = 5


def to_bytes(planes: F32) -> Rgb:
    """Round (3, H, W) to (H, W, 3), 8 bit, clipped to 0..255."""
    rounded = np.clip(np.rint(planes), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(rounded.transpose(1, 2, 0))


def blur_kernel(shape: str, sigma: float, *, aspect: float = 1.0, angle: float = 0.0) -> F64:
    """Return a blur's kernel, (2r + 1, 2r + 1), which sums to 1.

    `shape` is ``gaussian``, sampled at the centres of pixels, or ``disc``, what a lens out of focus
    makes of a point. `sigma` is the standard deviation along the long axis, in pixels; a disc's
    radius is twice that. `aspect` is short over long axis, `angle` that of the long axis, in
    radians.
    """
    disc = shape == "disc"
    points = POINTS if disc else 1
    radius = int(np.ceil(sigma * (2 if disc else 3)))
    side = 2 * radius + 1
    along = (np.arange(side * points) + 0.5) / points - side / 2
    y, x = along[:, None], along[None, :]
    cos, sin = np.cos(angle), np.sin(angle)
    # Not divided by sigma, which may be 0.
    far = (cos * x + sin * y) ** 2 + ((cos * y - sin * x) / aspect) ** 2
    if disc:
        weights = (far <= (2 * sigma) ** 2).astype(np.float64)
        weights = weights.reshape(side, points, side, points).sum((1, 3))
    else:
        weights = np.exp(-far / max(2 * sigma**2, 1e-9))
    return np.asarray(weights / weights.sum())


def convolved(planes: NDArray[np.generic], kernel: F64) -> F32:
    """Convolve (C, H, W) with an odd square kernel; the edge is repeated outwards."""
    from scipy.fft import next_fast_len

    radius = len(kernel) // 2
    channels, height, width = planes.shape
    size = [next_fast_len(length + 2 * radius, real=True) for length in (height, width)]
    spectrum = np.fft.rfft2(kernel, s=size)
    out = np.empty((channels, height, width), np.float32)
    for plane, target in zip(planes, out, strict=True):
        padded = np.pad(plane, radius, "edge")
        # What wraps around falls on the first 2r rows and columns, which are cut off.
        product = np.fft.irfft2(np.fft.rfft2(padded, s=size) * spectrum, s=size)
        target[:] = product[2 * radius :, 2 * radius :][:height, :width]
    return out


@register("blur")
@dataclass(frozen=True, kw_only=True)
class Blur(Step):
    """Blur, Gaussian or the disc of a lens out of focus, as on 8-bit values (not linear light).

    `sigma` is the standard deviation along the long axis in pixels, 0 for no blur; `aspect` is the
    short axis over the long one, which lies at a random angle.
    """

    sigma: Annotated[tuple[float, float], span(0, 16)] = (0.2, 2.0)
    aspect: Annotated[tuple[float, float], span(0.1, 1)] = (0.6, 1.0)
    shape: Annotated[tuple[str, ...], one_of(SHAPES)] = ("gaussian",)

    def apply_frame(self, frame: Rgb, rng: np.random.Generator, *, scale: int) -> Rgb:
        """Blur (H, W, 3)."""
        sigma, aspect = draw(rng, self.sigma), draw(rng, self.aspect)
        angle = draw(rng, (0, np.pi))
        kernel = blur_kernel(choose(rng, self.shape), sigma, aspect=aspect, angle=angle)
        return to_bytes(convolved(frame.transpose(2, 0, 1), kernel))


@register("noise")
@dataclass(frozen=True, kw_only=True)
class Noise(Step):
    """A sensor's noise, normally distributed and clipped, anew in each frame of a clip.

    `sigma` is the standard deviation at mid grey in 8-bit steps. `poisson` is the share of the
    variance that comes from counting photons and so grows with the brightness [1]_; `grey` is the
    share that is the same in all three channels.

    References
    ----------
    .. [1] Foi, Trimeche, Katkovnik and Egiazarian, "Practical Poissonian-Gaussian Noise Modeling
       and Fitting for Single-Image Raw-Data", IEEE TIP 17(10), 2008: the normal approximation.
    """

    sigma: Annotated[tuple[float, float], span(0, 128)] = (0.0, 10.0)
    poisson: Annotated[tuple[float, float], span(0, 1)] = (0.0, 1.0)
    grey: Annotated[tuple[float, float], span(0, 1)] = (0.0, 1.0)

    def apply_frame(self, frame: Rgb, rng: np.random.Generator, *, scale: int) -> Rgb:
        """Add noise to (H, W, 3)."""
        return self.apply([frame], rng, scale=scale)[0]

    def apply(self, clip: Clip, rng: np.random.Generator, *, scale: int) -> Clip:
        """Add noise of one strength to all frames (H, W, 3)."""
        sigma, poisson, grey = (draw(rng, span) for span in (self.sigma, self.poisson, self.grey))
        # The variance at each 8-bit value.
        variance = sigma**2 * (1 - poisson + poisson * np.arange(256) / 127.5)
        deviation = np.sqrt(variance).astype(np.float32)
        out = []
        for frame in clip:
            height, width, channels = frame.shape
            noise = rng.standard_normal((height, width, channels), np.float32)
            noise *= np.float32(np.sqrt(1 - grey))
            common = rng.standard_normal((height, width, 1), np.float32)
            noise += common * np.float32(np.sqrt(grey))
            noise *= deviation[frame]
            noise += frame
            out.append(np.clip(np.rint(noise, out=noise), 0, 255).astype(np.uint8))
        return out


@register("sharpen")
@dataclass(frozen=True, kw_only=True)
class Sharpen(Step):
    """Sharpening as cameras and editors do it, which leaves a halo along edges: an unsharp mask.

    `strength` is by how much the difference to the blurred picture is raised, `sigma` the blur's
    standard deviation in pixels.
    """

    strength: Annotated[tuple[float, float], span(0, 5)] = (0.2, 1.0)
    sigma: Annotated[tuple[float, float], span(0.1, 16)] = (0.8, 2.0)

    def apply_frame(self, frame: Rgb, rng: np.random.Generator, *, scale: int) -> Rgb:
        """Sharpen (H, W, 3)."""
        percent = round(100 * draw(rng, self.strength))
        mask = ImageFilter.UnsharpMask(draw(rng, self.sigma), percent, threshold=0)
        return np.array(Image.fromarray(frame).filter(mask))
