"""Put a clip, its bicubic enlargement and ours side by side, magnified where they differ.

``python examples/compare.py examples/panels.mp4 out/panels_x2.mp4 -o out/compare.png`` compares the
middle frame; ``--time S``, which may be repeated, chooses others. The rows are the places where
ours departs most from bicubic, or those that ``--crop X,Y`` names. Pixels are magnified without
smoothing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

COLUMN = 492
ASPECT = 0.62
GAP = 12
HEADER = 46
BACKGROUND = (22, 24, 32)
TEXT = (238, 238, 232)
QUIET = (150, 156, 170)

Pixels = NDArray[np.uint8]


class CompareError(Exception):
    """The clips cannot be compared as asked; the text says why and what to do."""


@dataclass(frozen=True)
class Shot:
    """One frame of both clips: as it came in, and enlarged in the two ways."""

    time: float
    source: Image.Image
    bicubic: Image.Image
    ours: Image.Image


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Say what is wrong in one line."""
        self.exit(2, f"{self.prog}: error: {message}\n")


def to_rgb(frame: av.VideoFrame) -> Image.Image:
    """Convert a frame by the matrix and range of its tags; untagged is BT.709 limited."""
    bt601 = {int(Colorspace.ITU601), 6}
    full = frame.color_range == ColorRange.JPEG
    rgb = frame.reformat(
        format="rgb24",
        src_colorspace=Colorspace.ITU601 if frame.colorspace in bt601 else Colorspace.ITU709,
        src_color_range=ColorRange.JPEG if full else ColorRange.MPEG,
        dst_color_range=ColorRange.JPEG,
        interpolation="BICUBIC",
    )
    return Image.fromarray(rgb.to_ndarray())


def read_frames(path: Path, times: Sequence[float]) -> list[Image.Image]:
    """Decode the frames that are on screen at ``times``, seconds from the first frame."""
    try:
        container = av.open(str(path))
    except (OSError, av.FFmpegError) as error:
        raise CompareError(f"{path} cannot be opened as a video: {error}") from error
    found: dict[float, Image.Image] = {}
    with container:
        if not container.streams.video:
            raise CompareError(f"{path} has no video; give a clip")
        origin: float | None = None
        last: av.VideoFrame | None = None
        end = 0.0
        waiting = sorted(set(times))
        try:
            for frame in container.decode(video=0):
                now = frame.time or 0.0
                origin = now if origin is None else origin
                end = now - origin
                # Half a millisecond, because time bases round.
                while last is not None and waiting and waiting[0] < end - 5e-4:
                    found[waiting.pop(0)] = to_rgb(last)
                last = frame
                if not waiting:
                    break
        except av.FFmpegError as error:
            raise CompareError(f"{path} cannot be decoded: {error}") from error
        if last is None:
            raise CompareError(f"{path} has no frames; give a clip that has")
        for time in waiting:
            if time > end + 0.25:
                raise CompareError(f"--time is {time:g}; {path} ends at {end:.2f} s")
            found[time] = to_rgb(last)
    return [found[time] for time in times]


def middle(path: Path) -> float:
    """Return half the clip's length in seconds, 0 where the file does not say."""
    try:
        with av.open(str(path)) as container:
            return (container.duration or 0) / 2e6
    except (OSError, av.FFmpegError) as error:
        raise CompareError(f"{path} cannot be opened as a video: {error}") from error


def load_shots(before: Path, after: Path, times: Sequence[float]) -> list[Shot]:
    """Read both clips at ``times`` and make the bicubic enlargement."""
    shots = []
    pairs = zip(times, read_frames(before, times), read_frames(after, times), strict=True)
    for time, source, ours in pairs:
        if ours.size[0] <= source.size[0] or ours.size[0] * source.size[1] != (
            ours.size[1] * source.size[0]
        ):
            raise CompareError(
                f"{after} is {ours.size[0]}x{ours.size[1]} and {before} is {source.size[0]}x"
                f"{source.size[1]}; the second must be the first enlarged, in the same proportions"
            )
        bicubic = source.resize(ours.size, Image.Resampling.BICUBIC)
        shots.append(Shot(time, source, bicubic, ours))
    return shots


def differing(shot: Shot, size: tuple[int, int], count: int) -> list[tuple[int, int]]:
    """Find where windows of ``size`` (width, height) differ most; the corners, none overlapping."""
    ours, bicubic = (np.asarray(i.convert("L"), np.float64) for i in (shot.ours, shot.bicubic))
    total = np.pad((ours - bicubic) ** 2, ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    w, h = size
    score = total[h:, w:] - total[:-h, w:] - total[h:, :-w] + total[:-h, :-w]
    corners = []
    for _ in range(count):
        y, x = (int(v) for v in np.unravel_index(int(score.argmax()), score.shape))
        if score[y, x] < 0:
            break
        corners.append((x, y))
        score[max(0, y - h + 1) : y + h, max(0, x - w + 1) : x + w] = -1
    return corners


def compose(
    shots: Sequence[Shot], crops: Sequence[tuple[int, int]], rows: int, zoom: int
) -> Image.Image:
    """Lay out the picture, 1500 pixels wide: a header, then three views in each row."""
    width, height = shots[0].ours.size
    zoom = max(zoom, -(-COLUMN // width))
    window = (COLUMN // zoom, min(height, round(COLUMN / zoom * ASPECT)))
    cells: list[tuple[Shot, tuple[int, int]]] = []
    for i, shot in enumerate(shots):
        share = rows // len(shots) + (i < rows % len(shots))
        places = crops or differing(shot, window, max(1, share))
        for x, y in places:
            if not (0 <= x <= width - window[0] and 0 <= y <= height - window[1]):
                raise CompareError(
                    f"--crop is {x},{y}; a window of {window[0]}x{window[1]} fits from 0,0 to "
                    f"{width - window[0]},{height - window[1]}"
                )
            cells.append((shot, (x, y)))
    tall = window[1] * zoom
    total = (3 * COLUMN + 2 * GAP, HEADER + len(cells) * (tall + GAP))
    picture = Image.new("RGB", total, BACKGROUND)
    draw = ImageDraw.Draw(picture)
    source = shots[0].source.size
    labels = (
        ("Input", f"{source[0]}x{source[1]}, nearest"),
        ("Bicubic", f"{width}x{height}"),
        ("restore_rt", f"{width}x{height}"),
    )
    big, small = ImageFont.load_default(22), ImageFont.load_default(16)
    for column, (name, note) in enumerate(labels):
        left = column * (COLUMN + GAP) + 10
        draw.text((left, 31), name, TEXT, big, anchor="ls", stroke_width=0.4)
        draw.text((left + big.getlength(name) + 12, 31), note, QUIET, small, anchor="ls")
    for row, (shot, (x, y)) in enumerate(cells):
        box = (x, y, x + window[0], y + window[1])
        top = HEADER + row * (tall + GAP)
        ratio = source[0] / width
        inner = (box[0] * ratio, box[1] * ratio, box[2] * ratio, box[3] * ratio)
        views = (
            shot.source.resize((COLUMN, tall), Image.Resampling.NEAREST, box=inner),
            shot.bicubic.crop(box).resize((COLUMN, tall), Image.Resampling.NEAREST),
            shot.ours.crop(box).resize((COLUMN, tall), Image.Resampling.NEAREST),
        )
        for column, view in enumerate(views):
            picture.paste(view, (column * (COLUMN + GAP), top))
        draw.text(
            (total[0] - 8, top + tall - 8),
            f"{shot.time:.2f} s",
            TEXT,
            ImageFont.load_default(14),
            anchor="rs",
            stroke_width=2,
            stroke_fill=BACKGROUND,
        )
    return picture


def _corner(text: str) -> tuple[int, int]:
    try:
        x, y = (int(part) for part in text.split(","))
    except ValueError:
        message = f"{text!r} is not two whole numbers as in 120,64"
        raise argparse.ArgumentTypeError(message) from None
    return x, y


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    parser = _Parser(prog="compare.py", description="Compare a clip with its enlargement.")
    parser.add_argument("input", type=Path, help="the clip before")
    parser.add_argument("enlarged", type=Path, help="the clip after, larger")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the PNG to write")
    parser.add_argument(
        "--time", type=float, action="append", metavar="S", help="seconds; may be repeated"
    )
    parser.add_argument(
        "--crop",
        type=_corner,
        action="append",
        metavar="X,Y",
        default=[],
        help="top left corner of a window in the enlarged frame; may be repeated",
    )
    parser.add_argument("--rows", type=int, default=3, help="places to show if none is named")
    parser.add_argument(
        "--zoom", type=int, default=3, help="magnification: 1, 2, 3 (default), 4, 6"
    )
    chosen = parser.parse_args(arguments)
    if chosen.output.suffix.lower() != ".png":
        parser.error(f"{chosen.output} is not named .png; that is the one format written")
    if not chosen.output.parent.is_dir():
        parser.error(f"the folder {chosen.output.parent} does not exist; create it first")
    if not 1 <= chosen.rows <= 12:
        parser.error(f"--rows is {chosen.rows}; allowed are 1 to 12")
    if chosen.zoom not in (1, 2, 3, 4, 6):
        parser.error(f"--zoom is {chosen.zoom}; allowed are 1, 2, 3, 4 and 6")
    for time in chosen.time or ():
        if not 0 <= time < 1e6:
            parser.error(f"--time is {time:g}; allowed are the seconds of the clip, from 0")
    try:
        times = chosen.time or [middle(chosen.input)]
        shots = load_shots(chosen.input, chosen.enlarged, times)
        picture = compose(shots, chosen.crop, chosen.rows, chosen.zoom)
    except CompareError as error:
        parser.error(str(error))
    part = chosen.output.with_name(f".{chosen.output.name}.part")
    picture.save(part, format="PNG", optimize=True)
    part.replace(chosen.output)
    print(f"{chosen.output}: {picture.width}x{picture.height}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
