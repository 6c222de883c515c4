"""Regions: a degraded piece of a picture with its original, determined by the seed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from restore_rt.training.colour import luma
from restore_rt.training.data.chroma import (
    CHROMA,
    chroma_inputs,
    chroma_of,
    full_range,
    i420_of,
)
from restore_rt.training.data.holes import draw_hole, with_hole
from restore_rt.training.data.pictures import Library, PictureFile, crc_of_name
from restore_rt.training.degradations import Clip, degrade
from restore_rt.training.degradations.motion import REACH, drifting, layered, whole
from restore_rt.training.degradations.resizing import resized
from restore_rt.training.lettering import Lettering
from restore_rt.training.recipes import Recipe, Variant

__all__ = ["MARGIN", "Pair", "Regions", "as_planes", "draw_turn", "pick", "turned"]

U8 = NDArray[np.uint8]
Planes = NDArray[Any]

# Input pixels around a region that are degraded with it and cut off: more before than after, by a
# number that is drawn, so that the block grids of codecs fall anywhere.
MARGIN = 8
VALIDATION_SIZE = 512
# What networks may need the sides of a whole picture to be multiples of.
MULTIPLE = 16
# Which stream of random numbers is for what.
TRAINING, VALIDATION = 1, 2


@dataclass(frozen=True)
class Pair:
    """A degraded input (window*C, h, w) and its target (C, scale*h, scale*w), 8 bit.

    Of a chroma network the input is what it reads, see `restore_rt.training.data.chroma`. If
    `masked`, the mask is the input's last channel, see `restore_rt.training.data.holes`.
    """

    input: Planes
    target: U8
    masked: bool = False

    @property
    def hole(self) -> NDArray[np.bool_] | None:
        """Pixels (h, w) that are to be filled; None if the pair has no mask."""
        return self.input[-1] > 0 if self.masked else None


def as_planes(frame: U8, colour: str) -> U8:
    """(H, W, 3) to (C, H, W); for ``luma`` also (H, W), which is luma already, to (1, H, W)."""
    if frame.ndim == 2:
        return frame[None]
    if colour == "luma":
        return np.rint(luma(frame))[None].astype(np.uint8)
    return np.ascontiguousarray(frame.transpose(2, 0, 1))


def pick(rng: np.random.Generator, weights: Sequence[float]) -> int:
    """Draw an index, each as often as its weight says."""
    total = np.cumsum(weights)
    return min(
        int(np.searchsorted(total, rng.random() * total[-1], side="right")), len(weights) - 1
    )


def draw_turn(rng: np.random.Generator, symmetries: int) -> int:
    """Draw one of so many symmetries of a square, for `turned`."""
    # Mirroring left and right is bit 1 of a turn.
    return int(rng.integers(symmetries)) * (2 if symmetries == 2 else 1)


def turned(planes: Planes, turn: int) -> Planes:
    """One of the eight symmetries of a square, of (C, n, n)."""
    if turn & 1:
        planes = planes[:, ::-1]
    if turn & 2:
        planes = planes[:, :, ::-1]
    return planes.transpose(0, 2, 1) if turn & 4 else planes


class Regions:
    """Makes regions for a recipe of its pictures; safe to call from several threads.

    What region number n is depends on the seed and n alone. `fonts` is what `find_fonts` found, for
    recipes with lettering.
    """

    def __init__(
        self,
        recipe: Recipe,
        files: Sequence[PictureFile],
        library: Library,
        fonts: Sequence[Path] = (),
    ) -> None:
        self.recipe, self._read = recipe, library
        self._by_folder = {
            folder: [file for file in files if file.folder == folder]
            for folder in recipe.data.folders
        }
        lettering = recipe.data.lettering
        self.lettering = (
            Lettering(fonts, scripts=lettering.scripts, tones=lettering.tones)
            if lettering
            else None
        )
        self._chroma = recipe.network.colour == CHROMA

    @staticmethod
    def smallest(recipe: Recipe) -> int:
        """Return the smallest side, in pixels, of a picture that patches can be cut from."""
        drift = REACH if any(variant.frames > 1 for variant in recipe.data.variants) else 0
        return (recipe.data.patch + 3 * MARGIN) * _pixels(recipe) + drift

    def training(self, number: int) -> Pair:
        """Make region `number` to train on, of at most ``data.cache.region`` input pixels."""
        recipe = self.recipe
        rng = np.random.default_rng([recipe.seed, TRAINING, number])
        files = self._by_folder[[*self._by_folder][pick(rng, [*recipe.data.folders.values()])]]
        source = self._read(files[int(rng.integers(len(files)))])
        variants = recipe.data.variants
        variant = variants[pick(rng, [variant.share for variant in variants])]
        scale = recipe.network.scale
        still = len(source) == 1
        drift = REACH if variant.frames > 1 and still else 0
        side = (recipe.data.cache.region + 3 * MARGIN) * _pixels(recipe) + drift
        first = 0 if still else int(rng.integers(max(1, len(source) - variant.frames + 1)))
        clip = self._cut(source[first : first + variant.frames], side, rng)
        lettering = recipe.data.lettering
        if still and lettering and self.lettering and rng.random() < lettering.share:
            artwork = clip[0] if rng.random() < lettering.artwork else None
            height, width = clip[0].shape[:2]
            clip = [self.lettering.page(rng, height, width, artwork)]
        if rng.random() < recipe.data.grey:
            clip = [_grey(frame) for frame in clip]
        if self._chroma:
            clip = _turned_clip(clip, draw_turn(rng, recipe.data.symmetries))
        stretched = self._chroma and rng.random() < recipe.data.full_range
        pair = self._degraded(clip, variant, rng, stretched=stretched)
        top, left = (int(v) for v in rng.integers(0, 2 * MARGIN + 1, 2))
        bottom, right = (size - 3 * MARGIN for size in pair.input.shape[1:])
        return _inner(pair, top, left, bottom, right, scale)

    def _cut(self, source: U8, side: int, rng: np.random.Generator) -> Clip:
        """Cut a piece of at most `side` pixels of (N, H, W, 3), reduced as the recipe says."""
        low, high = self.recipe.data.reduced
        if low == 1:
            return _crop(source, side, rng)
        least = min(1.0, self.smallest(self.recipe) / min(source.shape[1:3]))
        factor = max(float(rng.uniform(low, high)), least)
        clip = _crop(source, math.ceil(side / factor), rng)
        height, width = (min(side, round(size * factor)) for size in clip[0].shape[:2])
        return [resized(frame, height, width, "bicubic") for frame in clip]

    def validation(self, file: PictureFile) -> dict[str, Pair]:
        """Make the pair of a held-out file, its middle, for every variant, by name."""
        recipe = self.recipe
        source = self._read(file)
        top, left = (max(0, size - VALIDATION_SIZE) // 2 for size in source.shape[1:3])
        source = source[:, top : top + VALIDATION_SIZE, left : left + VALIDATION_SIZE]
        return self._validated(source, [recipe.seed, VALIDATION, crc_of_name(file.name)])

    def validation_lettering(self, number: int) -> dict[str, Pair]:
        """Make a drawn page for every variant, by name; only for recipes with lettering."""
        assert self.lettering is not None
        key = [self.recipe.seed, VALIDATION, number]
        side = VALIDATION_SIZE // 2
        page = self.lettering.page(np.random.default_rng(key), side, side, None)
        return self._validated(page[None], key)

    def _validated(self, source: U8, key: list[int]) -> dict[str, Pair]:
        pairs = {}
        for n, variant in enumerate(self.recipe.data.variants):
            first = max(0, len(source) - variant.frames) // 2
            clip = [*source[first : first + variant.frames]]
            rng = np.random.default_rng([*key, n])
            pair = self._degraded(clip, variant, rng, MULTIPLE)
            if self.recipe.network.mask:
                hole = draw_hole(variant, rng, *pair.target.shape[1:])
                pair = Pair(with_hole(pair.target, hole), pair.target, masked=True)
            pairs[variant.name] = pair
        return pairs

    def _degraded(
        self,
        clip: Clip,
        variant: Variant,
        rng: np.random.Generator,
        multiple: int = 1,
        *,
        stretched: bool = False,
    ) -> Pair:
        """Degrade a clip, of which a picture alone is made one if the variant asks for frames.

        Frames are cut at their ends so that the input's sides are multiples. Planes with chroma
        may be `stretched` to full range.
        """
        scale, colour = self.recipe.network.scale, self.recipe.network.colour
        if self._chroma:
            multiple = max(multiple, 2)
        if variant.frames > 1 and len(clip) == 1:
            moving = layered if variant.motion == "layers" else drifting
            clip = moving(clip[0], variant.frames, rng)
        originals = [whole(frame, multiple * scale) for frame in clip]
        if self.recipe.network.mask:
            # Holes are drawn anew for each patch.
            planes = as_planes(originals[0], colour)
            return Pair(planes, planes)
        frames = degrade(variant.steps, originals, rng, scale=scale)
        index = int(rng.integers(len(frames)))
        if index == 0 and variant.motion == "layers":
            # Drawn again: a stream has few frames that are coded by themselves.
            index = int(rng.integers(len(frames)))
        if self._chroma:
            return _chroma_pair(frames[index], originals[index], stretched=stretched)
        # Before the first frame and after the last one there is nothing else than these.
        half = self.recipe.network.window // 2
        near = np.clip(np.arange(index - half, index + half + 1), 0, len(frames) - 1)
        planes = np.concatenate([as_planes(frames[n], colour) for n in near])
        return Pair(planes, as_planes(originals[index], colour))


def _pixels(recipe: Recipe) -> int:
    """Pixels of a picture for one of the input, along an axis; a chroma sample has two."""
    return recipe.network.scale * (2 if recipe.network.colour == CHROMA else 1)


def _turned_clip(clip: Clip, turn: int) -> Clip:
    return [
        np.ascontiguousarray(turned(frame.transpose(2, 0, 1), turn).transpose(1, 2, 0))
        for frame in clip
    ]


def _chroma_pair(frame: U8, original: U8, *, stretched: bool) -> Pair:
    """Make a pair of a degraded frame, RGB or I420 of a codec, and its original in RGB."""
    small = frame if frame.ndim == 2 else i420_of(frame)
    large = i420_of(original)
    if stretched:
        small, large = full_range(small), full_range(large)
    return Pair(chroma_inputs(small), chroma_of(large))


def _crop(source: U8, side: int, rng: np.random.Generator) -> Clip:
    """Cut the same square out of all frames (N, H, W, 3)."""
    height, width = (min(side, size) for size in source.shape[1:3])
    top = int(rng.integers(source.shape[1] - height + 1))
    left = int(rng.integers(source.shape[2] - width + 1))
    cut = source[:, top : top + height, left : left + width]
    return [np.ascontiguousarray(frame) for frame in cut]


def _grey(rgb: U8) -> U8:
    return np.array(Image.fromarray(rgb).convert("L").convert("RGB"))


def _inner(pair: Pair, top: int, left: int, height: int, width: int, scale: int) -> Pair:
    bottom, right = top + height, left + width
    return Pair(
        np.ascontiguousarray(pair.input[:, top:bottom, left:right]),
        np.ascontiguousarray(
            pair.target[:, scale * top : scale * bottom, scale * left : scale * right]
        ),
    )
