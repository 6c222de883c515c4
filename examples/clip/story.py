"""What is seen when: six shots, cut on the beat of the tune (a beat is 15 frames)."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from clip.camera import View, ease, shoot, travel
from clip.canvas import Canvas
from clip.film import Flight
from clip.lettering import caption
from clip.night import night
from clip.page import draw_page
from clip.panels import flash

__all__ = ["FRAMES", "RATE", "Story"]

RATE = 24
FRAMES = 240

_OPENING = (
    (0.0, View(560, 322, 1060)),
    (0.35, View(560, 322, 1060)),
    (1.35, View(655, 384, 1270)),
    (1.5, View(655, 384, 1270)),
    (2.4, View(400, 1060, 1010)),
    (2.75, View(410, 1060, 1000)),
    (3.45, View(900, 1010, 1010)),
    (3.75, View(910, 1005, 1000)),
)
_SQUEAK = ((0.0, View(1560, 300, 860)), (0.62, View(1560, 480, 800)))
_ENDING = (
    (0.0, View(1905, 1072, 1190)),
    (0.35, View(1905, 1074, 1210)),
    (1.45, View(1280, 720, 2944)),
    (1.9, View(1280, 720, 2944)),
)


class Story:
    """Draws any frame of the clip.

    Parameters
    ----------
    detail
        1 for the clip as published; less draws faster and coarser.
    """

    def __init__(self, detail: float = 1.0) -> None:
        self._detail = detail

    @cached_property
    def _page(self) -> Canvas:
        return draw_page(4 * self._detail)

    @cached_property
    def _flight(self) -> Flight:
        return Flight(round(2048 * self._detail))

    def frame(self, index: int, size: tuple[int, int]) -> Image.Image:
        """Return frame ``index``, 0 to 239, as RGB of ``size`` (width, height)."""
        if not 0 <= index < FRAMES:
            raise ValueError(f"frame {index}: the clip has frames 0 to {FRAMES - 1}")
        for first, shot in (
            (195, self._end),
            (156, self._film),
            (135, self._flash),
            (120, self._squeak),
            (90, self._sea),
            (0, self._open),
        ):
            if index >= first:
                return shot((index - first) / RATE, size)
        raise AssertionError("unreachable: the last shot starts at 0")

    def _open(self, time: float, size: tuple[int, int]) -> Image.Image:
        return shoot(self._page, travel(_OPENING, time), size)

    def _squeak(self, time: float, size: tuple[int, int]) -> Image.Image:
        return shoot(self._page, travel(_SQUEAK, time), size)

    def _end(self, time: float, size: tuple[int, int]) -> Image.Image:
        return shoot(self._page, travel(_ENDING, time), size)

    def _sea(self, time: float, size: tuple[int, int]) -> Image.Image:
        canvas = Canvas((0, 0, 1280, 720), 3 * self._detail)
        night(canvas, time + 0.9)
        caption(canvas, "SO UP THEY WENT,\nALL NINETY STEPS.", 150, 500, 26)
        return shoot(canvas, View(640 + 12 * time, 360 - 8 * time, 1280 - 60 * time), size)

    def _flash(self, time: float, size: tuple[int, int]) -> Image.Image:
        canvas = Canvas((0, 0, 1280, 720), 3 * self._detail)
        flash(canvas, time, pop=1 - 0.5 * float(np.exp(-8 * time) * np.cos(22 * time)))
        view = View(640, 360, 1280 - 40 * ease(time))
        return _whiten(shoot(canvas, view, size), 0.85 - 7 * time)

    def _film(self, time: float, size: tuple[int, int]) -> Image.Image:
        picture = np.asarray(self._flight.frame(time, size), np.float32)
        height, width = picture.shape[:2]
        x = np.linspace(-1, 1, width, dtype=np.float32)[None]
        y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
        vignette = 1 - 0.2 * np.clip((x * x + y * y) / 2, 0, 1) ** 1.5
        rng = np.random.default_rng(round(time * RATE))
        grain = rng.normal(0, 3.2, (height, width)).astype(np.float32)
        grain = (grain + np.roll(grain, 1, 0) + np.roll(grain, 1, 1)) / 1.7
        graded = np.rint(picture * vignette[..., None] + grain[..., None])
        image = Image.fromarray(np.clip(graded, 0, 255).astype(np.uint8))
        _title(image, ease(time / 0.5))
        return _whiten(image, 0.8 - 2.2 * time)


def _whiten(image: Image.Image, share: float) -> Image.Image:
    if share <= 0:
        return image
    return Image.blend(image, Image.new("RGB", image.size, (255, 254, 246)), min(share, 1.0))


def _title(image: Image.Image, share: float) -> None:
    """Set white type over the lower left corner of the film."""
    unit = image.width / 1280
    over = 4
    mask = Image.new("L", (image.width * over, image.height * over))
    draw = ImageDraw.Draw(mask)
    level = round(245 * share)
    for text, y, size, bold in (
        ("06:12", 618, 64, 0.8),
        ("Wind light, sea calm. Visibility: to the far shore.", 652, 21, 0.0),
        ("lens cleaned by E. Keeper & cat", 676, 14, 0.0),
    ):
        draw.text(
            (64 * unit * over, y * unit * over),
            text,
            fill=level,
            font=ImageFont.load_default(size * unit * over),
            anchor="ls",
            stroke_width=bold * unit * over,
        )
    mask = mask.resize(image.size, Image.Resampling.BOX)
    shadow = Image.eval(mask, lambda value: round(value * 0.45))
    offset = max(1, round(1.5 * unit))
    image.paste((30, 40, 62), (offset, offset), shadow)
    image.paste((255, 252, 242), (0, 0), mask)
