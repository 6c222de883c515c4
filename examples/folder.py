"""Double the size of a folder's pictures: ``python examples/folder.py photos larger``.

``stream`` restores several pictures at once and returns them in order. It reads only a few ahead,
so that a large folder does not fill the memory.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

import restore_rt


def read(path: Path) -> np.ndarray:
    """Return a picture's RGB pixels."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def main(source: str, target: str) -> None:
    """Restore every PNG and JPEG file of a folder into another folder, as PNG."""
    paths = sorted(p for p in Path(source).iterdir() if p.suffix.lower() in (".png", ".jpg"))
    Path(target).mkdir(exist_ok=True)
    with restore_rt.load("photo-x2") as restorer:
        results = restorer.stream(read(path) for path in paths)
        for path, result in zip(paths, results, strict=True):
            Image.fromarray(result).save(Path(target, path.name).with_suffix(".png"))


if __name__ == "__main__":
    main(*sys.argv[1:])
