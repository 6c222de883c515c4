"""NIQE: how far a picture is from natural ones, without an original to compare with.

A. Mittal, R. Soundararajan, A. C. Bovik, "Making a 'Completely Blind' Image Quality Analyzer",
2013. Where an original is at hand PSNR says how close a picture comes to it; that favours smooth
results, and NIQE tells which of two looks sharper and cleaner. Figures depend on the pictures that
the model of natural ones was fitted on, so they cannot be compared with other programs' figures.
They say nothing of comics and other drawings, which are far from natural when they are undamaged.

``python -m restore_rt.training.metrics.niqe FOLDER... -o niqe.npz`` fits the model again.
"""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from restore_rt.errors import InputError, RestoreError
from restore_rt.training.colour import full_range_luma

__all__ = [
    "NaturalModel",
    "features",
    "fit",
    "fit_asymmetric_gaussian",
    "niqe",
    "shipped_model",
]

U8 = NDArray[np.uint8]
F64 = NDArray[np.float64]

PATCH = 96
# Of the picture's sharpest patch: what the model is fitted on must be in focus.
SHARP_ENOUGH = 0.75
_WINDOW_SIGMA = 7 / 6
_WINDOW_RADIUS = 3
_FILE = Path(__file__).with_name("niqe.npz")


@dataclass(frozen=True, eq=False)
class NaturalModel:
    """A multivariate normal distribution of the 36 features: mean (36,), covariance (36, 36)."""

    mean: F64
    covariance: F64


def niqe(picture: U8, model: NaturalModel | None = None) -> float | None:
    """Measure how far (H, W, 3) or grey (H, W) of 8 bits is from natural pictures; lower is better.

    What is left of the last patch at the right and the bottom does not count, nor do patches
    without any structure. None where fewer than two patches count: the picture is too small, or
    flat. What is natural says `model`, by default the shipped one.
    """
    model = model or shipped_model()
    found, _ = features(picture)
    if len(found) < 2:
        return None
    difference = model.mean - found.mean(0)
    spread = np.linalg.pinv((model.covariance + np.cov(found, rowvar=False)) / 2)
    return float(np.sqrt(difference @ spread @ difference))


def features(picture: U8) -> tuple[F64, F64]:
    """Return the features (N, 36) of the patches that have structure, and their sharpness (N,).

    Sharpness is the mean local deviation. Half of the features are of the picture at half its size.
    """
    # A grey picture and its RGB twin are the same.
    plane = picture.astype(np.float64) if picture.ndim == 2 else full_range_luma(picture)
    rows, columns = (side // PATCH for side in plane.shape)
    if not rows * columns:
        return np.empty((0, 36)), np.empty(0)
    plane = plane[: rows * PATCH, : columns * PATCH]
    normalised, deviation = _mscn(plane)
    sharpness = _patches(deviation, PATCH).mean((1, 2))
    half = (plane.shape[1] // 2, plane.shape[0] // 2)
    reduced = Image.fromarray(plane.astype(np.float32)).resize(half, Image.Resampling.BICUBIC)
    small, _ = _mscn(np.asarray(reduced, np.float64))
    parts = [_of_patches(_patches(normalised, PATCH)), _of_patches(_patches(small, PATCH // 2))]
    found = np.concatenate(parts, axis=1)
    structured = np.isfinite(found).all(1)
    return found[structured], sharpness[structured]


def fit(pictures: Iterable[U8]) -> NaturalModel:
    """Fit the model of natural pictures to the sharp patches of (H, W, 3) or (H, W), 8 bit."""
    kept = []
    for picture in pictures:
        found, sharpness = features(picture)
        kept.append(found[sharpness > SHARP_ENOUGH * sharpness.max(initial=0)])
    everything = np.concatenate(kept) if kept else np.empty((0, 36))
    if len(everything) <= everything.shape[1]:
        raise InputError(
            f"{len(everything)} sharp patches are too few to fit 36 features; give more pictures, "
            f"of at least {PATCH}x{PATCH} pixels"
        )
    return NaturalModel(everything.mean(0), np.cov(everything, rowvar=False))


@functools.cache
def shipped_model() -> NaturalModel:
    """Return the model that comes with restore_rt, fitted on 190 photographs."""
    with np.load(_FILE) as stored:
        return NaturalModel(stored["mean"], stored["covariance"])


def _mscn(plane: F64) -> tuple[F64, F64]:
    """Return samples normalised by local mean and contrast, and the local deviation."""
    mean = _smooth(plane)
    deviation = np.sqrt(np.abs(_smooth(plane**2) - mean**2))
    return (plane - mean) / (deviation + 1), deviation


def _smooth(plane: F64) -> F64:
    from scipy.ndimage import gaussian_filter

    smoothed: F64 = gaussian_filter(plane, _WINDOW_SIGMA, mode="nearest", radius=_WINDOW_RADIUS)
    return smoothed


def _patches(plane: F64, side: int) -> F64:
    """Cut (H, W), whose sides are multiples of `side`, into (N, side, side)."""
    rows, columns = (length // side for length in plane.shape)
    cut = plane.reshape(rows, side, columns, side).swapaxes(1, 2)
    return np.ascontiguousarray(cut.reshape(-1, side, side))


def _of_patches(patches: F64) -> F64:
    """Return 18 features for each of (N, S, S): of the values, and of neighbours' products."""
    shape, left, right = fit_asymmetric_gaussian(patches)
    columns = [shape, (left + right) / 2]
    for shift in ((0, 1), (1, 0), (1, 1), (1, -1)):
        shape, left, right = fit_asymmetric_gaussian(patches * np.roll(patches, shift, axis=(1, 2)))
        mean = (right - left) * _gamma(2 / shape) / _gamma(1 / shape)
        columns += [shape, mean, left, right]
    return np.stack(columns, axis=1)


def fit_asymmetric_gaussian(patches: F64) -> tuple[F64, F64, F64]:
    """Fit asymmetric generalised Gaussians to (N, S, S): shape, left and right scale, (N,) each.

    By their moments; NaN where a patch lacks values on one side of 0. N.-E. Lasmar, Y. Stitou,
    Y. Berthoumieu, "Multiscale skewed heavy tailed model for texture analysis", 2009.
    """
    values = patches.reshape(len(patches), -1)
    below, above = ((values * sign > 0).sum(1) for sign in (-1, 1))
    one_sided = (below == 0) | (above == 0)
    values = np.where(one_sided[:, None], np.nan, values)
    left = np.sqrt((values**2 * (values < 0)).sum(1) / np.maximum(below, 1))
    right = np.sqrt((values**2 * (values > 0)).sum(1) / np.maximum(above, 1))
    ratio = left / right
    moments = np.abs(values).mean(1) ** 2 / (values**2).mean(1)
    moments = moments * (ratio**3 + 1) * (ratio + 1) / (ratio**2 + 1) ** 2
    shapes, expected = _shape_table()
    shape = np.interp(moments, expected, shapes)
    width = np.sqrt(_gamma(1 / shape) / _gamma(3 / shape))
    return shape, left * width, right * width


@functools.cache
def _shape_table() -> tuple[F64, F64]:
    """Return shapes, and the ratio of moments that tells each."""
    shapes = np.arange(0.2, 10.001, 0.001)
    return shapes, _gamma(2 / shapes) ** 2 / (_gamma(1 / shapes) * _gamma(3 / shapes))


def _gamma(values: F64) -> F64:
    from scipy.special import gamma

    return np.asarray(gamma(values))


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit the model on folders of photographs; 0 on success, 2 for wrong use, 1 else."""
    from restore_rt.files import check_target, whole_file
    from restore_rt.training.data.pictures import find_pictures, read_rgb

    parser = argparse.ArgumentParser(
        "python -m restore_rt.training.metrics.niqe",
        description="Fit the model of natural pictures that NIQE compares with.",
    )
    parser.add_argument("folders", nargs="+", type=Path, help="undamaged, sharp photographs")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the .npz file to write")
    options = parser.parse_args(arguments)
    try:
        if options.output.suffix != ".npz":
            raise InputError(f"the output is {options.output}; its suffix must be .npz")
        check_target(options.output, overwrite=True)
        files = [file for folder in options.folders for file in find_pictures(folder)]
        model = fit(read_rgb(file) for file in files)
        with (
            whole_file(options.output, overwrite=True) as temporary,
            temporary.open("wb") as file,
        ):
            np.savez_compressed(file, mean=model.mean, covariance=model.covariance)
    except RestoreError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, InputError) else 1
    print(f"{options.output}: fitted on {len(files)} pictures")
    return 0


if __name__ == "__main__":
    sys.exit(main())
