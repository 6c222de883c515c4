"""Pictures in folders become batches of aligned patches, the same for the same seed and step.

Regions of pictures are degraded ahead of the training, on other threads, and kept; a step only cuts
patches from those that are there at that step. Which these are follows from the step's number, and
so does what the step draws: a resumed run sees the batches that an unbroken one sees.
"""

from __future__ import annotations

import time
import zlib
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from restore_rt.training.data.chroma import CHROMA, GREY
from restore_rt.training.data.grouping import hold_out
from restore_rt.training.data.holes import draw_hole, with_hole
from restore_rt.training.data.pictures import Library, PictureFile, crc_of_name, read_bytes, survey
from restore_rt.training.data.regions import Pair, Regions, draw_turn, pick, turned
from restore_rt.training.degradations.video import VIDEO_STEPS, check_pyav
from restore_rt.training.lettering import find_fonts
from restore_rt.training.recipes import Cache, Recipe
from restore_rt.wording import count_of

__all__ = ["Pair", "PatchSet", "RegionCache", "fingerprint", "load_data"]

U8 = NDArray[np.uint8]

# Regions that are made ahead of the step that needs them.
AHEAD = 32
VALIDATION_PAGES = 4
# Held-out pictures that are measured: they stay in memory, up to 1.5 MB for each variant.
VALIDATION_PICTURES = 256


class RegionCache:
    """A window over the endless row of regions, which moves on with the training.

    At a step, regions ``step // renew`` to ``step // renew + count - 1`` are there. Close it after
    use.
    """

    def __init__(self, make: Callable[[int], Pair], cache: Cache, *, threads: int = 2) -> None:
        self.make, self._cache = make, cache
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="regions")
        self._coming: deque[Future[Pair]] = deque()
        # Region n lies at n % count.
        self._kept: dict[int, Pair] = {}
        # The number of the next region to be asked for, and of the next to be kept.
        self._asked = self._next = -1
        self.waited = 0.0

    def at(self, step: int) -> Callable[[int], Pair]:
        """Wait for the regions of a step, and return the function that gives each of them.

        It takes numbers from 0, the oldest, to ``count - 1``, and is good until the next call.
        Steps may skip forward and go back. `waited` sums the seconds for which this had to wait.
        """
        first, count = step // self._cache.renew, self._cache.count
        if not self._next - count <= first <= self._next:
            # The very first step, one far on, or one gone by: what comes next does not follow on
            # what is kept.
            self._drop()
            self._asked = self._next = first
            self._kept = {}
        while self._asked < first + count + AHEAD:
            self._coming.append(self._pool.submit(self.make, self._asked))
            self._asked += 1
        while self._next < first + count:
            started = time.perf_counter()
            region = self._coming.popleft().result()
            self.waited += time.perf_counter() - started
            self._kept[self._next % count] = region
            self._next += 1
        return lambda number: self._kept[(first + number) % count]

    def _drop(self) -> None:
        for future in self._coming:
            future.cancel()
        self._coming.clear()

    def close(self) -> None:
        """Stop making regions."""
        self._drop()
        self._pool.shutdown(cancel_futures=True)


class PatchSet:
    """Cuts the patches of a step."""

    def __init__(self, recipe: Recipe, regions: RegionCache) -> None:
        self.recipe, self.regions = recipe, regions

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Cut the patches of a step: inputs and targets, float32, values 0 to 1.

        Inputs are (N, window*C, p, p), targets (N, C, p*scale, p*scale). Of a chroma network inputs
        are what it reads, and targets less grey; of a network with a mask, see
        `restore_rt.training.data.holes`.
        """
        data, scale = self.recipe.data, self.recipe.network.scale
        count, patch = data.batch, data.patch
        region = self.regions.at(step)
        rng = np.random.Generator(np.random.Philox(key=self.recipe.seed, counter=[0, 0, 0, step]))
        network = self.recipe.network
        chroma = network.colour == CHROMA
        x = np.empty((count, network.inputs, patch, patch), np.float32)
        y = np.empty((count, network.outputs, patch * scale, patch * scale), np.float32)
        for n in range(count):
            pair = region(int(rng.integers(data.cache.count)))
            top = int(rng.integers(pair.input.shape[1] - patch + 1))
            left = int(rng.integers(pair.input.shape[2] - patch + 1))
            down, right = scale * top, scale * left
            small = pair.input[:, top : top + patch, left : left + patch]
            large = pair.target[:, down : down + patch * scale, right : right + patch * scale]
            if chroma:
                # Turned and stretched before, since chroma has its place among luma.
                x[n], y[n] = small, large
                continue
            turn = draw_turn(rng, data.symmetries)
            if network.mask:
                variant = data.variants[pick(rng, [variant.share for variant in data.variants])]
                y[n] = turned(large, turn)
                x[n] = with_hole(turned(large, turn), draw_hole(variant, rng, patch, patch))
                continue
            x[n], y[n] = turned(small, turn), turned(large, turn)
            if rng.random() < data.full_range:
                # Full-range luma is the same picture on another scale.
                for values in (x[n], y[n]):
                    values -= 16
                    values *= 255 / 219
        if chroma:
            y -= GREY
        else:
            x /= 255
        y /= 255
        return torch.from_numpy(x), torch.from_numpy(y)


def fingerprint(files: Sequence[tuple[str, int]]) -> int:
    """Return a checksum of the files' names and contents' CRCs."""
    return zlib.crc32(repr([*files]).encode())


def load_data(
    recipe: Recipe, root: Path, *, say: Callable[[str], None], threads: int = 2
) -> tuple[PatchSet, dict[str, list[Pair]], dict[str, int]]:
    """Read the recipe's folders under `root`.

    Returns the patches to train on, the held-out pairs by variant, and fingerprints of what they
    were made from: ``pictures``, and ``fonts`` if there is lettering.

    Raises `InputError` if PyAV or fonts are missing, which is found out before any picture is read;
    or a folder is missing or has no picture that can be used, or there are too few groups of
    pictures to hold one out.
    """
    data = recipe.data
    for variant in data.variants:
        for step in variant.steps:
            if isinstance(step, VIDEO_STEPS):
                check_pyav(step.kind)
    fonts = _find_fonts(recipe, say) if data.lettering else []
    files = survey(
        root,
        data.folders,
        smallest=Regions.smallest(recipe),
        exclude=data.exclude,
        say=say,
        threads=threads,
    )
    training, validating = hold_out(files, data.holdout, data.groups, say=say)
    measured = _some(validating, VALIDATION_PICTURES)
    regions = Regions(recipe, training, Library(), fonts)
    if data.lettering and data.lettering.scripts > 0:
        assert regions.lettering is not None
        say(
            f"other scripts than Latin: {', '.join(regions.lettering.scripts)}"
            if regions.lettering.scripts
            else "lettering in Latin alone: no font has another script; docs/training.md names some"
        )
    pairs: dict[str, list[Pair]] = {variant.name: [] for variant in data.variants}
    drawn = VALIDATION_PAGES if data.lettering else 0
    made = [regions.validation(file) for file in measured]
    made += [regions.validation_lettering(number) for number in range(drawn)]
    for by_variant in made:
        for name, pair in by_variant.items():
            pairs[name].append(pair)
    say(
        f"{len(training)} pictures to train on, {len(validating)} held out"
        + (f" ({len(measured)} of them measured)" if len(measured) < len(validating) else "")
        + (f", {drawn} pages drawn for validation" if drawn else "")
    )
    made_from = {"pictures": fingerprint([(file.name, file.crc) for file in files])}
    if data.lettering:
        made_from["fonts"] = fingerprint([(p.name, zlib.crc32(read_bytes(p))) for p in fonts])
    cache = RegionCache(regions.training, data.cache, threads=threads)
    return PatchSet(recipe, cache), pairs, made_from


def _some(files: Sequence[PictureFile], most: int) -> list[PictureFile]:
    """Choose so many pictures by their names, so that others that come change few of them."""
    chosen = {file.name for file in sorted(files, key=lambda f: crc_of_name(f.name))[:most]}
    return [file for file in files if file.name in chosen]


def _find_fonts(recipe: Recipe, say: Callable[[str], None]) -> list[Path]:
    assert recipe.data.lettering is not None
    folders = [recipe.folder / folder for folder in recipe.data.lettering.fonts]
    fonts = find_fonts(folders or None)
    if fonts:
        say(f"lettering in {count_of(len(fonts), 'font')}")
    else:
        say(
            "lettering in one font alone, which Pillow brings: the system has none; install some "
            "(apt install fonts-comic-neue), or name folders of fonts in data.lettering.fonts"
        )
    return fonts
