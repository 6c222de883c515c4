"""Fidelity of a restored picture to the original: PSNR and SSIM, as papers measure them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from restore_rt.errors import InputError
from restore_rt.training.colour import luma
from restore_rt.training.needed import needed

__all__ = [
    "MOST_DB",
    "WITHOUT_ORIGINAL",
    "Metric",
    "check_libraries",
    "picture_metrics",
    "psnr",
    "ssim",
    "ssim_map",
    "y_of",
]

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

# What PSNR is of equal pictures, and at most: infinity would swallow every mean that it enters.
MOST_DB = 100.0
# Those that measure a picture by itself, which the original has, too.
WITHOUT_ORIGINAL = ("niqe",)
# SSIM's window: a Gaussian of sigma 1.5, cut off after 5 pixels on each side.
_WINDOW = 11


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A figure for a restored picture; called with the restored picture and the original.

    Both are 8 bit, (H, W, 3) or grey (H, W), of one size. The result is None where it cannot be
    measured: a picture that is too small, or colour of a grey one. `title` is name and unit, for
    people, and `digits` how many decimals are worth showing. `compares` says whether the original
    matters; if not, the original has a figure of its own too.
    """

    title: str
    function: Callable[[U8, U8], float | None]
    digits: int
    higher_is_better: bool = True
    compares: bool = True

    def __call__(self, restored: U8, original: U8) -> float | None:
        """Measure."""
        return self.function(restored, original)


def picture_metrics(scale: int) -> dict[str, Metric]:
    """Return the metrics by name: psnr_y, ssim_y, psnr_rgb, ssim_rgb, niqe.

    Those that compare leave out `scale` pixels along each edge where pictures were enlarged, and
    none where they were repaired (scale 1), as the papers of both fields do.
    """
    from restore_rt.training.metrics.niqe import niqe

    shave = scale if scale > 1 else 0

    def on_y(measure: Callable[..., float | None]) -> Callable[[U8, U8], float | None]:
        return lambda restored, original: measure(
            y_of(restored, scale), y_of(original, scale), shave=shave
        )

    def on_rgb(measure: Callable[..., float | None]) -> Callable[[U8, U8], float | None]:
        return lambda restored, original: (
            measure(restored, original, shave=shave) if original.ndim == 3 else None
        )

    return {
        "psnr_y": Metric(title="PSNR Y dB", function=on_y(psnr), digits=2),
        "ssim_y": Metric(title="SSIM Y", function=on_y(ssim), digits=4),
        "psnr_rgb": Metric(title="PSNR RGB dB", function=on_rgb(psnr), digits=2),
        "ssim_rgb": Metric(title="SSIM RGB", function=on_rgb(ssim), digits=4),
        "niqe": Metric(
            title="NIQE",
            function=lambda restored, original: niqe(restored),
            digits=2,
            higher_is_better=False,
            compares=False,
        ),
    }


def y_of(picture: U8, scale: int) -> F32:
    """Return the plane (H, W) on which papers compare pictures, on the scale of 255.

    For RGB it is BT.601 luma, 16 to 235, not rounded. A grey picture that was enlarged counts as
    RGB whose channels are equal, as where a set like Set14 has grey pictures among others; one that
    was repaired (scale 1) counts as it is, 0 to 255, as classic5 is measured.
    """
    if picture.ndim == 3:
        return luma(picture)
    plane = picture.astype(np.float32)
    return plane if scale == 1 else np.float32(16) + plane * np.float32(219 / 255)


def psnr(a: NDArray[Any], b: NDArray[Any], *, shave: int = 0) -> float:
    """Peak signal-to-noise ratio in dB of (H, W) or (H, W, C), any dtype, on the scale of 255.

    The squared error is averaged over channels, without `shave` pixels along each edge. At most
    `MOST_DB`, 100, which is that of equal pictures. Raises `InputError` if the shapes differ, or
    nothing is left.
    """
    a, b = _inner(a, b, shave)
    error = float(np.mean((a - b) ** 2))
    return MOST_DB if error == 0 else min(MOST_DB, 10 * float(np.log10(255**2 / error)))


def ssim(a: NDArray[Any], b: NDArray[Any], *, shave: int = 0) -> float | None:
    """Structural similarity of two pictures on the scale of 255; 1 for equal ones.

    Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli, "Image quality assessment: from error
    visibility to structural similarity", 2004, with its Gaussian window (sigma 1.5, 11x11) and
    constants. Parameters and errors are those of `psnr`; over channels the similarity is averaged.
    None where a side is below 11 after shaving.
    """
    found = _similarity(*_inner(a, b, shave))
    return None if found is None else float(found[0])


def ssim_map(a: NDArray[Any], b: NDArray[Any]) -> F64 | None:
    """Return the structural similarity around each pixel, of the shape of the pictures; see `ssim`.

    Raises `InputError` if the shapes differ.
    """
    found = _similarity(*_inner(a, b, 0))
    return None if found is None else found[1]


def _similarity(a: F64, b: F64) -> tuple[float, F64] | None:
    """Return the mean similarity, and that around each pixel; None for pictures too small."""
    check_libraries()
    from skimage.metrics import structural_similarity

    if min(a.shape[:2]) < _WINDOW:
        return None
    mean, full = structural_similarity(  # type: ignore[no-untyped-call]
        a,
        b,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
        channel_axis=2 if a.ndim == 3 else None,
        full=True,
    )
    return mean, full


def check_libraries() -> None:
    """Refuse (`InputError`) to go on without scikit-image, or SciPy that comes with it."""
    for module in ("skimage.metrics", "scipy.ndimage"):
        needed(module, "scikit-image", "evaluating")


def _inner(a: NDArray[Any], b: NDArray[Any], shave: int) -> tuple[F64, F64]:
    if a.shape != b.shape or a.ndim not in (2, 3):
        raise InputError(
            f"pictures of {a.shape} and {b.shape} cannot be compared; sizes must agree"
        )
    if min(a.shape[:2]) <= 2 * shave:
        raise InputError(f"a picture of {a.shape} has nothing left when {shave} pixels are shaved")
    inner = slice(shave, -shave or None)
    return a[inner, inner].astype(np.float64), b[inner, inner].astype(np.float64)
