"""Pictures in folders become batches of aligned patches, the same for the same seed and step.

Each picture is decoded and degraded once, in several variants, and kept as 8-bit arrays; a step
only cuts patches. The generator of a step is keyed by the seed and the step's number, so a resumed
run sees exactly the batches that an unbroken one sees, and nothing has to be saved for it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import zipfile
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from restore_rt.errors import InputError
from restore_rt.files import output_error, whole_file
from restore_rt.training.colour import luma
from restore_rt.training.degradations import h264, h264_luma, jpeg, reduce, wandering_crops
from restore_rt.training.pictures import find_pictures, read_bytes, read_rgb
from restore_rt.training.recipe import Data, Recipe, Variant

__all__ = ["Pair", "Picture", "PictureSet", "load_pictures", "whole"]

U8 = NDArray[np.uint8]

# How far a picture is shifted before it is reduced, so that its copies differ in phase.
REACH = 16
CLIP_FRAMES = 8
KEPT_FRAMES = 2
VALIDATION_CRF = 28
VALIDATION_SIZE = 512
VALIDATION_FRAMES = (2, 9)
# Whatever changes the prepared pictures, beside the recipe: part of the cache's key.
_CONSTANTS = (REACH, CLIP_FRAMES, KEPT_FRAMES, VALIDATION_CRF, VALIDATION_SIZE, VALIDATION_FRAMES)


@dataclasses.dataclass(frozen=True)
class Pair:
    """A degraded input (C, h, w) and where in its picture its first pixel lies, in (y, x)."""

    input: U8
    y: int
    x: int


@dataclasses.dataclass(frozen=True)
class Picture:
    """A target (C, H, W) and its inputs, a list for each variant of the recipe."""

    name: str
    target: U8
    inputs: tuple[tuple[Pair, ...], ...]


def held_out(name: str, one_in: int) -> bool:
    """Tell whether the picture of that name is kept for validation; the same on every machine."""
    return zlib.crc32(name.encode()) % one_in == 0


def _planes(rgb: U8, colour: str) -> U8:
    """(H, W, 3) to (C, H, W)."""
    if colour == "luma":
        return np.rint(luma(rgb))[None].astype(np.uint8)
    return np.ascontiguousarray(rgb.transpose(2, 0, 1))


def whole(rgb: U8, scale: int) -> U8:
    """Cut (H, W, 3) at its end to multiples of `scale`."""
    height, width = (size - size % scale for size in rgb.shape[:2])
    return np.ascontiguousarray(rgb[:height, :width])


def _stills(
    rgb: U8, variant: Variant, scale: int, colour: str, rng: np.random.Generator
) -> list[Pair]:
    pairs = []
    for _ in range(variant.copies):
        y, x = (int(v) for v in rng.integers(0, REACH + 1, 2))
        small = reduce(whole(rgb[y:, x:], scale), scale)
        if variant.kind == "jpeg":
            small = jpeg(small, int(rng.integers(variant.low, variant.high + 1)))
        pairs.append(Pair(_planes(small, colour), y, x))
    return pairs


def _clips(
    rgb: U8, variant: Variant, scale: int, colour: str, rng: np.random.Generator
) -> list[Pair]:
    pairs = []
    for _ in range(variant.copies):
        origins, clip = _drift(rgb, CLIP_FRAMES, scale, rng)
        crf = int(rng.integers(variant.low, variant.high + 1))
        preset = ("medium", "veryfast")[int(rng.integers(2))]
        planes = _coded(clip, crf, preset, colour)
        for index in rng.choice(CLIP_FRAMES, KEPT_FRAMES, replace=False):
            pairs.append(Pair(planes[index], *origins[index]))
    return pairs


def _drift(
    rgb: U8, frames: int, scale: int, rng: np.random.Generator
) -> tuple[list[tuple[int, int]], list[U8]]:
    """Let a camera drift over a still: where each frame begins, and the reduced frames."""
    origins, (height, width) = wandering_crops(*rgb.shape[:2], frames=frames, reach=REACH, rng=rng)
    crops = [rgb[y : y + height, x : x + width] for y, x in origins]
    return origins, [reduce(whole(crop, scale), scale) for crop in crops]


def _coded(clip: Sequence[U8], crf: float, preset: str, colour: str) -> list[U8]:
    if colour == "luma":
        return [plane[None] for plane in h264_luma(clip, crf=crf, preset=preset)]
    return [_planes(frame, colour) for frame in h264(clip, crf=crf, preset=preset)]


def degrade(name: str, rgb: U8, recipe: Recipe) -> Picture:
    """Make all inputs of a picture; what is random depends on the seed and its name alone."""
    scale, colour = recipe.network.scale, recipe.network.colour
    rgb = whole(rgb, scale)
    rng = np.random.default_rng([recipe.seed, zlib.crc32(name.encode())])
    inputs = tuple(
        tuple((_clips if v.kind == "h264" else _stills)(rgb, v, scale, colour, rng))
        for v in recipe.data.variants
    )
    return Picture(name, _planes(rgb, colour), inputs)


def validation_picture(name: str, rgb: U8, recipe: Recipe) -> Picture:
    """Make a held-out picture: its middle, clean, and two frames of a clip of it at CRF 28."""
    scale, colour = recipe.network.scale, recipe.network.colour
    height, width = rgb.shape[:2]
    y, x = max(0, height - VALIDATION_SIZE) // 2, max(0, width - VALIDATION_SIZE) // 2
    rgb = whole(rgb[y : y + VALIDATION_SIZE, x : x + VALIDATION_SIZE], scale)
    rng = np.random.default_rng([recipe.seed, zlib.crc32(name.encode())])
    origins, clip = _drift(rgb, max(VALIDATION_FRAMES) + 3, scale, rng)
    frames = _coded(clip, VALIDATION_CRF, "medium", colour)
    coded = tuple(Pair(frames[index], *origins[index]) for index in VALIDATION_FRAMES)
    clean = Pair(_planes(reduce(rgb, scale), colour), 0, 0)
    return Picture(name, _planes(rgb, colour), ((clean,), coded))


def load_pictures(
    recipe: Recipe, root: Path, cache: Path, *, say: Callable[[str], None], threads: int = 2
) -> tuple[PictureSet, list[Picture]]:
    """Read the recipe's folders under `root`: the set to train on, and the held-out pictures.

    What was prepared is kept in `cache`, a folder that is made if missing, and found again when
    neither file nor recipe changed.

    Raises
    ------
    InputError
        If a folder is missing or has no picture large enough, or a file cannot be read.
    OutputError
        If the cache cannot be written.
    """
    smallest = recipe.data.patch * recipe.network.scale + REACH + recipe.network.scale
    files = [
        (f"{folder}/{path.name}", path)
        for folder in recipe.data.folders
        for path in find_pictures(root / folder)
    ]
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(error, cache) from None

    def prepare(item: tuple[str, Path]) -> Picture | None:
        name, path = item
        validation = held_out(name, recipe.data.holdout)
        key = hashlib.sha256(read_bytes(path))
        network = recipe.network
        # With the size that is asked for, so that what is cached is large enough.
        what = (name, validation, recipe.seed, network.scale, network.colour, smallest)
        ways = [dataclasses.replace(variant, share=1) for variant in recipe.data.variants]
        key.update(repr((what, ways, _CONSTANTS)).encode())
        kept = cache / f"{key.hexdigest()[:32]}.npz"
        if kept.is_file():
            picture = _load(name, kept)
            if picture is not None:
                return picture
        rgb = read_rgb(path)
        if min(rgb.shape[:2]) < smallest:
            return None
        picture = (validation_picture if validation else degrade)(name, rgb, recipe)
        _save(picture, kept)
        return picture

    training, validating, skipped = [], [], 0
    with ThreadPoolExecutor(threads) as pool:
        for (name, _), picture in zip(files, pool.map(prepare, files), strict=True):
            if picture is None:
                skipped += 1
            elif held_out(name, recipe.data.holdout):
                validating.append(picture)
            else:
                training.append(picture)
    if skipped:
        say(f"{skipped} pictures are smaller than {smallest} pixels and were left out")
    if not validating:
        raise InputError(
            f"none of {len(files)} pictures falls to validation (data.holdout = "
            f"{recipe.data.holdout}); add pictures or lower it"
        )
    return PictureSet(training, recipe.data, recipe.network.scale, recipe.seed), validating


def _save(picture: Picture, path: Path) -> None:
    arrays: dict[str, Any] = {"target": picture.target}
    for v, pairs in enumerate(picture.inputs):
        for p, pair in enumerate(pairs):
            arrays[f"{v}/{p}/{pair.y}/{pair.x}"] = pair.input
    with whole_file(path, overwrite=True) as temporary:
        np.savez(temporary, **arrays)


def _load(name: str, path: Path) -> Picture | None:
    try:
        # Opened here, since NumPy leaves open what it cannot read.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            inputs: dict[int, list[Pair]] = {}
            for key in arrays.files:
                if key != "target":
                    v, _, y, x = (int(part) for part in key.split("/"))
                    inputs.setdefault(v, []).append(Pair(arrays[key], y, x))
            return Picture(name, arrays["target"], tuple(tuple(inputs[v]) for v in sorted(inputs)))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        # A cache that cannot be read is made again.
        return None


class PictureSet:
    """Pictures to train on; `batch` cuts the patches of a step."""

    def __init__(self, pictures: Sequence[Picture], data: Data, scale: int, seed: int) -> None:
        self.pictures = tuple(pictures)
        self.data, self.scale, self.seed = data, scale, seed
        folders = [picture.name.rsplit("/", 1)[0] for picture in self.pictures]
        for folder in data.folders:
            if folder not in folders:
                raise InputError(f"folder {folder!r} has no picture to train on; add some")
        shares = np.array([data.folders[f] / folders.count(f) for f in folders])
        # Cumulative shares: one uniform number then picks a picture, or a variant.
        self._pictures = np.cumsum(shares / shares.sum())
        kinds = np.array([variant.share for variant in data.variants])
        self._variants = np.cumsum(kinds / kinds.sum())

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Cut the patches of a step.

        Returns
        -------
        tuple
            Inputs (N, C, p, p) and targets (N, C, p*scale, p*scale), float32, values 0 to 1.
        """
        rng = np.random.Generator(np.random.Philox(key=self.seed, counter=[0, 0, 0, step]))
        count, patch, scale = self.data.batch, self.data.patch, self.scale
        channels = self.pictures[0].target.shape[0]
        x = np.empty((count, channels, patch, patch), np.float32)
        y = np.empty((count, channels, patch * scale, patch * scale), np.float32)
        for n in range(count):
            picture = self.pictures[_pick(self._pictures, rng.random())]
            pairs = picture.inputs[_pick(self._variants, rng.random())]
            pair = pairs[int(rng.integers(len(pairs)))]
            top = int(rng.integers(pair.input.shape[1] - patch + 1))
            left = int(rng.integers(pair.input.shape[2] - patch + 1))
            down, right = pair.y + scale * top, pair.x + scale * left
            small = pair.input[:, top : top + patch, left : left + patch]
            large = picture.target[:, down : down + patch * scale, right : right + patch * scale]
            turn = int(rng.integers(8))
            x[n], y[n] = _turned(small, turn), _turned(large, turn)
            if rng.random() < self.data.full_range:
                # Full-range luma is the same picture on another scale.
                for values in (x[n], y[n]):
                    values -= 16
                    values *= 255 / 219
        x /= 255
        y /= 255
        return torch.from_numpy(x), torch.from_numpy(y)


def _pick(cumulative: NDArray[np.float64], value: float) -> int:
    return min(int(np.searchsorted(cumulative, value, side="right")), len(cumulative) - 1)


def _turned(planes: U8, turn: int) -> U8:
    """One of the eight symmetries of a square, of (C, n, n)."""
    if turn & 1:
        planes = planes[:, ::-1]
    if turn & 2:
        planes = planes[:, :, ::-1]
    return planes.transpose(0, 2, 1) if turn & 4 else planes
