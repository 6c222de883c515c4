"""Double the size of a picture: ``python examples/image.py photo.jpg photo_x2.png``."""

import sys

import numpy as np
from PIL import Image

import restore_rt


def main(source: str, target: str) -> None:
    """Read a picture, restore it, and write it."""
    with Image.open(source) as image:
        frame = np.asarray(image.convert("RGB"))
    with restore_rt.load("photo-x2") as restorer:
        Image.fromarray(restorer(frame)).save(target)


if __name__ == "__main__":
    main(*sys.argv[1:])
