"""Pictures that differ from each other as photographs do, and files of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw


def scene(seed: int, height: int = 150, width: int = 201) -> NDArray[np.uint8]:
    """Return discs and boxes of random colours, (height, width, 3)."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", (width, height), tuple(int(v) for v in rng.integers(0, 256, 3)))
    draw = ImageDraw.Draw(image)
    for number in range(40):
        y, x = rng.uniform(-0.2, 1, 2) * (height, width)
        down, right = rng.uniform(0.1, 0.35, 2) * (height, width)
        colour = tuple(int(v) for v in rng.integers(0, 256, 3))
        shape = draw.ellipse if number % 2 else draw.rectangle
        shape((x, y, x + right, y + down), fill=colour)
    return np.asarray(image)


def save(path: Path, pixels: NDArray[Any], **options: Any) -> Path:
    """Write pixels to a file, whose folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


def load(path: Path) -> NDArray[np.uint8]:
    """Return the pixels of a file."""
    with Image.open(path) as image:
        return np.asarray(image)


def below(folder: Path) -> list[str]:
    """Return the relative paths of all files below a folder, hidden ones too."""
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if not p.is_dir())
