"""A recipe and pictures small enough to train on in a test."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from restore_rt.training.recipes import Recipe, parse_recipe

TEXT = """
seed = 7

[model]
name = "tiny-x2"
version = "1"
task = "upscale"
content = "video"
tile = [32, 48]
trained_on = "patterns"
licence = "CC0-1.0"

[network]
name = "compact"
scale = 2
colour = "luma"
params = { width = 4, depth = 3 }

[data]
holdout = 3
batch = 3
patch = 12
full_range = 0.5

[data.folders]
patterns = 1

[data.cache]
region = 20
count = 6
renew = 2

[[data.variants]]
name = "clean"
share = 2
steps = [{ kind = "reduce" }]

[[data.variants]]
name = "h264"
share = 1
frames = 4
steps = [{ kind = "reduce" }, { kind = "h264", crf = [20, 30], luma = true }]

[[data.variants]]
name = "jpeg"
share = 1
steps = [{ kind = "reduce" }, { kind = "jpeg", quality = [40, 90] }]

[loss]
l1 = 1

[optim]
steps = 12
validation_interval = 4
rate = 1e-2
rate_end = 1e-4
warmup = 2
clip = 1.0
ema = 0.9
"""

ADVERSARY = """
[adversary]
kind = "{kind}"
weight = 0.1
size = 4
rate = 1e-3
generator_start = 2
discriminator_start = 1
adversarial_start = 4
"""


RecipeOf = Callable[..., Recipe]


@pytest.fixture
def text() -> str:
    return TEXT


@pytest.fixture
def recipe_of() -> RecipeOf:
    """Return a function that reads the tiny recipe with some of its text replaced."""

    def make(*replacements: tuple[str, str]) -> Recipe:
        text = TEXT
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new)
        return parse_recipe(text)

    return make


def picture(seed: int, height: int = 96, width: int = 101) -> np.ndarray:
    """Return smooth colour with edges, (height, width, 3) 8-bit."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    angles = rng.uniform(0.1, 0.5, (3, 2))
    waves = [127 + 90 * np.sin(a * x + b * y) for a, b in angles]
    image = np.stack(waves, axis=2) + 30 * ((x // 9 + y // 7) % 2)[..., None]
    return np.asarray(np.clip(image, 0, 255), np.uint8)


def write_pictures(root: Path, *, side: int = 96) -> None:
    """Write pictures to train on and to hold out into the folder ``patterns`` in `root`."""
    folder = root / "patterns"
    folder.mkdir(parents=True)
    for number in range(8):
        Image.fromarray(picture(number, side, side + 5)).save(folder / f"{number}.png")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Return a folder whose folder ``patterns`` has pictures to train on and to hold out."""
    write_pictures(tmp_path / "data")
    return tmp_path / "data"


def quiet(line: str) -> None:
    """Take a line of progress, and leave it at that."""


def rows(path: Path) -> list[dict[str, str]]:
    """Read a table."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def same(a: object, b: object) -> bool:
    """Tell whether two checkpoints, or parts of them, are equal bit for bit."""
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and torch.equal(a, b)
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return isinstance(b, list) and len(a) == len(b) and all(map(same, a, b))
    return a == b
