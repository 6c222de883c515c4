"""Show where the frames of a restored clip differ most from their bicubic enlargement.

``python examples/compare.py examples/panels.mp4 out/panels_x2.mp4 out/compare.png`` writes a
picture with a row each from a quarter, half and three quarters of the clip: the source, bicubic
and ours, twice as large as they are.
"""

import argparse
import sys
from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageDraw, ImageFont

PARTS = (0.25, 0.5, 0.75)  # of the clip's length
WIDTH, HEIGHT = 246, 152  # of a crop, in pixels of the enlarged frame
ZOOM, GAP, HEADER = 2, 12, 46


def to_image(frame: av.VideoFrame) -> Image.Image:
    """Convert a frame by the tags of its colours."""
    return Image.fromarray(frame.to_ndarray(format="rgb24"))


def read_frames(clip: Path) -> list[Image.Image]:
    """Decode the frames on screen at ``PARTS`` of a clip."""
    with av.open(clip) as container:
        if container.duration is None:
            raise ValueError(f"{clip} does not say how long it is")
        waiting = [part * container.duration / av.time_base for part in PARTS]
        frames: list[Image.Image] = []
        for frame in container.decode(video=0):
            while waiting and (frame.time or 0) >= waiting[0]:
                frames.append(to_image(frame))
                del waiting[0]
    return frames + [to_image(frame) for _ in waiting]


def most_different(one: Image.Image, other: Image.Image) -> tuple[int, int, int, int]:
    """Return the window (left, top, right, bottom) in which two pictures differ most."""
    first, second = (np.asarray(each.convert("L"), float) for each in (one, other))
    total = np.pad((first - second) ** 2, ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    score = total[HEIGHT:, WIDTH:] - total[:-HEIGHT, WIDTH:]
    score += total[:-HEIGHT, :-WIDTH] - total[HEIGHT:, :-WIDTH]
    y, x = map(int, np.unravel_index(score.argmax(), score.shape))
    return x, y, x + WIDTH, y + HEIGHT


def main() -> None:
    """Read both clips and write the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path, help="the clip before")
    parser.add_argument("restored", type=Path, help="the clip after, enlarged")
    parser.add_argument("picture", type=Path, help="the PNG to write")
    chosen = parser.parse_args()
    if chosen.picture.suffix.lower() != ".png" or not chosen.picture.parent.is_dir():
        sys.exit(f"{chosen.picture} must end in .png and lie in a folder that exists")
    try:
        before, after = read_frames(chosen.source), read_frames(chosen.restored)
    except (OSError, ValueError, IndexError) as error:
        sys.exit(f"a clip cannot be read: {error}")
    (small, *_), (large, *_) = before, after
    if large.width < max(small.width, WIDTH) or large.height < max(small.height, HEIGHT):
        sys.exit(
            f"{chosen.restored} is {large.width}x{large.height} and {chosen.source} is "
            f"{small.width}x{small.height}; the second clip must be the first one enlarged, and "
            f"at least {WIDTH}x{HEIGHT}"
        )
    cell = (WIDTH * ZOOM, HEIGHT * ZOOM)
    size = (3 * (cell[0] + GAP) - GAP, HEADER + len(PARTS) * (cell[1] + GAP))
    picture = Image.new("RGB", size, (22, 24, 32))
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(22)
    names = (f"Source, {small.width}x{small.height}", "Bicubic", "restore_rt")
    for row, (source, ours) in enumerate(zip(before, after, strict=True)):
        nearest, bicubic = (source.resize(ours.size, way) for way in (0, Image.Resampling.BICUBIC))
        box = most_different(ours, bicubic)
        for column, (name, view) in enumerate(zip(names, (nearest, bicubic, ours), strict=True)):
            left = column * (cell[0] + GAP)
            draw.text((left + 10, 31), name, "white", font, "ls")
            crop = view.crop(box).resize(cell, Image.Resampling.NEAREST)
            picture.paste(crop, (left, HEADER + row * (cell[1] + GAP)))
    picture.save(chosen.picture)
    print(f"{chosen.picture}: {picture.width}x{picture.height}")


if __name__ == "__main__":
    main()
