"""Pages: bubbles, captions and sound effects placed on artwork."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageFilter

from restore_rt.errors import InputError
from restore_rt.training.lettering.artwork import draw_artwork
from restore_rt.training.lettering.bubbles import KINDS, Colour, Paint, bubble, paint
from restore_rt.training.lettering.fonts import Typeface, typeface, weights
from restore_rt.training.lettering.layout import Block, break_lines, set_block, set_columns
from restore_rt.training.lettering.screentone import toned
from restore_rt.training.lettering.scripts import SCRIPTS, Script
from restore_rt.training.lettering.words import cry, sentence

__all__ = ["Lettering", "TextLine"]

U8 = NDArray[np.uint8]
F64 = NDArray[np.float64]
Rng = np.random.Generator

CAPS = (7.0, 40.0)
# The apostrophe and the ellipsis of typeset text.
CURLY = "\u2019\u2026"
KIND_NAMES = (*KINDS, "none")
KIND_SHARES = (0.36, 0.12, 0.14, 0.07, 0.1, 0.1, 0.11)
# Places that are tried for a bubble, and bubbles that find none before a page counts as full.
ATTEMPTS = 8
MISSES = 4


@dataclass(frozen=True)
class TextLine:
    """One line of text on a page and where its ink lies: `box` is (left, top, right, bottom), px.

    A turned line's box is upright, the smallest that holds it.
    """

    text: str
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class _Hand:
    """Common style of a page's bubbles; lengths in the page's pixels."""

    face: Typeface
    # None for Latin.
    script: Script | None
    cap: float
    leading: float
    spacing: float
    bounce: float
    slant: float
    upper: bool
    ink: Colour
    paint: Paint


class _Fonts:
    """Fonts and how often each is to be used."""

    def __init__(self, faces: Sequence[Typeface], shares: Sequence[float]) -> None:
        self._faces, self._steps = faces, np.cumsum(shares)

    def face(self, rng: Rng) -> Typeface:
        at = int(np.searchsorted(self._steps, rng.random(), side="right"))
        return self._faces[min(at, len(self._faces) - 1)]


class Lettering:
    """Draws pieces of comic pages with lettering in `fonts`, or in Pillow's font without any.

    `scripts` is the share of speeches in other scripts than Latin, of those that the fonts have;
    `tones` that of pictures behind lettering which are drawn in ink and screentone first. Raises
    `InputError` if one of the fonts is not one that Pillow loads.
    """

    def __init__(self, fonts: Sequence[Path], *, scripts: float = 0.0, tones: float = 0.0) -> None:
        paths: tuple[Path | None, ...] = tuple(fonts) or (None,)
        faces = [typeface(path) for path in paths]
        self._tones = tones
        self._others = scripts
        self._fonts: dict[Script | None, _Fonts] = {
            None: _Fonts(faces, weights(list(fonts)) if fonts else [1.0])
        }
        for script in SCRIPTS if scripts > 0 else ():
            able = [face for face in faces if face.has(script.probe)]
            if able:
                shares = weights([face.path or Path() for face in able])
                self._fonts[script] = _Fonts(able, shares)
        self._scripts = [script for script in self._fonts if script is not None]

    @property
    def scripts(self) -> list[str]:
        """Names of the scripts other than Latin that it letters in."""
        return [script.name for script in self._scripts]

    def page(self, rng: Rng, height: int, width: int, artwork: U8 | None = None) -> U8:
        """Draw a page: `page_with_text` without the text."""
        return self.page_with_text(rng, height, width, artwork)[0]

    def page_with_text(
        self, rng: Rng, height: int, width: int, artwork: U8 | None = None
    ) -> tuple[U8, list[TextLine]]:
        """Draw a page (height, width, 3), uint8, and tell what is written on it.

        `rng` decides everything: the same state, fonts, size and artwork give the same bytes.
        `artwork`, RGB of the page's shape, stays as it is outside of the lettering unless it gets
        screentone; with None, artwork is drawn. Told are the lines that lie wholly on the page;
        what artwork from the caller says is not known.

        Raises `InputError` if the size is not positive, or the artwork has another shape or dtype.
        """
        if height < 1 or width < 1:
            raise InputError(f"a page of {height} x {width} px; both must be at least 1")
        shape = (height, width, 3)
        if artwork is not None and (artwork.shape != shape or artwork.dtype != np.uint8):
            raise InputError(
                f"artwork of shape {artwork.shape} and type {artwork.dtype}; it must be {shape} "
                "and uint8: crop it to the page"
            )
        scale = 2 if rng.random() < 0.7 else 3
        if artwork is None:
            canvas = draw_artwork(rng, height, width, scale)
        elif self._tones > 0 and rng.random() < self._tones:
            canvas, artwork = toned(rng, artwork, scale), None
        else:
            large = (width * scale, height * scale)
            canvas = Image.fromarray(artwork).resize(large, Image.Resampling.NEAREST)
        before = canvas.copy() if artwork is not None else None
        lines = self._letter(rng, canvas, scale)
        return _reduce(rng, canvas, before, artwork, scale), lines

    def _letter(self, rng: Rng, canvas: Image.Image, scale: int) -> list[TextLine]:
        width, height = canvas.width / scale, canvas.height / scale
        hand = self._hand(rng)
        lines: list[TextLine] = []
        taken: list[F64] = []
        wanted, covered = rng.uniform(0.1, 0.6) * width * height, 0.0
        misses = 0
        while covered < wanted and misses < MISSES:
            own = self._hand(rng) if rng.random() < 0.25 else hand
            if rng.random() < 0.1:
                parts, block, own = _cry(rng, own, scale, width)
            else:
                parts, block = _speech(rng, own, scale, width, height)
            boxes = _boxes(parts or [block.quads.reshape(-1, 2)])
            centre = _place(rng, canvas.size, boxes, taken)
            if centre is None:
                misses += 1
                continue
            taken.append(boxes + np.tile(centre, 2))
            covered += float(np.prod(boxes[0, 2:] - boxes[0, :2])) / scale**2
            _draw(canvas, parts, block, centre, own, scale)
            lines += _visible(block, centre, canvas.size, scale)
        return lines

    def _script(self, rng: Rng) -> Script | None:
        if not self._scripts or rng.random() >= self._others:
            return None
        shares = np.array([script.share for script in self._scripts])
        return self._scripts[int(rng.choice(len(shares), p=shares / shares.sum()))]

    def _hand(self, rng: Rng) -> _Hand:
        cap = float(np.clip(12.0 * np.exp(rng.normal(0, 0.25)), *CAPS))
        if rng.random() < 0.15:
            cap = float(np.exp(rng.uniform(*np.log(CAPS))))
        ink, fill, outline = _colours(rng)
        see_through = rng.random() < 0.12
        script = self._script(rng)
        width = float(rng.choice([0, 0, 0, 1, 1, 1.5, 1.5, 2, 2, 2.5, 3, 4, 5]))
        return _Hand(
            face=self._fonts[script].face(rng),
            script=script,
            cap=cap * script.size if script else cap,
            leading=float(rng.uniform(1.45, 2.1)),
            spacing=float(rng.uniform(-0.03, 0.2)) if rng.random() < 0.3 else 0.0,
            bounce=float(rng.uniform(0.01, 0.05)) if rng.random() < 0.12 else 0.0,
            slant=float(rng.uniform(0.1, 0.3)) if rng.random() < 0.12 else 0.0,
            upper=bool(rng.random() < 0.65),
            ink=ink,
            paint=Paint(fill, outline, width, rng.uniform(0.6, 0.95) if see_through else 1.0),
        )


def _cry(rng: Rng, hand: _Hand, scale: int, width: float) -> tuple[list[F64], Block, _Hand]:
    """Set a sound effect: large, turned, in colour, without a bubble."""
    text = _settable(hand.script.cry(rng) if hand.script else cry(rng), hand.face)
    cap = float(min(rng.uniform(18, 60), max(10, 1.1 * width / len(text)))) * scale
    block = set_block(
        [text],
        hand.face.at(cap),
        cap=cap,
        leading=0,
        spacing=float(rng.uniform(-0.05, 0.25)) * cap,
        halo=float(rng.uniform(1, 5)) * scale,
        bounce=(rng.uniform(0, 0.12) * cap * rng.uniform(-1, 1, 7)).tolist(),
        turn=float(rng.uniform(-30, 30)),
        slant=float(rng.uniform(-0.3, 0.4)),
    )
    dark, light = _dark(rng), (255, 255, 255)
    low, high = int(rng.integers(0, 90)), int(rng.integers(190, 256))
    parts = rng.permutation([low, high, int(rng.integers(low, high))])
    vivid = (int(parts[0]), int(parts[1]), int(parts[2]))
    pairs: list[tuple[Colour, Colour]]
    pairs = [(vivid, dark), (vivid, light), (light, dark), (dark, light)]
    ink, edge = pairs[int(rng.integers(len(pairs)))]
    return [], block, replace(hand, ink=ink, paint=Paint(edge, edge, 0))


def _speech(
    rng: Rng, hand: _Hand, scale: int, width: float, height: float
) -> tuple[list[F64], Block]:
    """Set a speech with its bubble; about one in eight has none, but letters with an outline."""
    cap = hand.cap * scale
    font = hand.face.at(cap)
    # A word takes about 5 by 2 capitals; a bubble should leave half of the page.
    most = max(1, int(0.5 * width * height / (10 * hand.cap**2)))
    count = min(most, 1 + int(rng.gamma(2.0, 3.5)))
    script = hand.script
    words = script.sentence(rng, count) if script else sentence(rng, count)
    if script is None and rng.random() < 0.4 and hand.face.characters.issuperset(CURLY):
        words = [w.replace("'", CURLY[0]).replace("...", CURLY[1]) for w in words]
    words = [_settable(w, hand.face) for w in words]
    if hand.upper:
        words = [w.upper() for w in words]
    spacing = hand.spacing * cap
    gap = script.space if script else " "
    columns = script is not None and rng.random() < script.columns
    area = font.getlength(gap.join(words)) * hand.leading * cap
    room = 0.8 * scale * min(width, 1.6 * height)
    target = min(float(np.sqrt(area * rng.uniform(1.0, 3.5))), room)
    lines = break_lines(words, font, target, 0.0 if columns else spacing, rng, gap=gap)
    kind = str(rng.choice(KIND_NAMES, p=KIND_SHARES))
    align = 0.0 if kind == "caption" and rng.random() < 0.5 else 0.5
    halo = min(rng.uniform(1, 3), 0.22 * hand.cap) * scale if kind == "none" else 0.0
    if columns:
        block = set_columns(lines, font, leading=hand.leading * cap, halo=halo)
    else:
        block = set_block(
            lines,
            font,
            cap=cap,
            leading=hand.leading * cap,
            spacing=spacing,
            align=align,
            halo=halo,
            bounce=(rng.normal(0, hand.bounce * cap, 11)).tolist() if hand.bounce else (0.0,),
            turn=float(rng.normal(0, 4)) if rng.random() < 0.12 else 0.0,
            slant=hand.slant,
        )
    if kind == "none":
        return [], block
    pad = float(rng.uniform(0.5, 1.3)) * cap
    return bubble(kind, block.quads.reshape(-1, 2), pad, rng, bool(rng.random() < 0.8)), block


def _settable(text: str, face: Typeface) -> str:
    """Leave out what the font has no glyph for, in either case."""
    return "".join(c for c in text if face.has(c + c.upper())) or "A"


def _tint(rng: Rng, low: int, high: int) -> Colour:
    r, g, b = (int(v) for v in rng.integers(low, high, 3))
    return (r, g, b)


def _dark(rng: Rng) -> Colour:
    """Return an ink: black, the grey of a scanned black, rarely a dark colour."""
    chance = rng.random()
    if chance < 0.12:
        return _tint(rng, 0, 90)
    level = 0 if chance < 0.5 else int(rng.integers(0, 41))
    return (level, level, level)


def _colours(rng: Rng) -> tuple[Colour, Colour, Colour]:
    """Return the ink, the bubble's fill and its outline."""
    dark = _dark(rng)
    chance = rng.random()
    if chance < 0.6:
        return dark, (255, 255, 255), dark
    if chance < 0.75:
        return dark, _tint(rng, 236, 256), dark
    if chance < 0.88:
        return dark, _tint(rng, 185, 256), dark
    light = _tint(rng, 225, 256)
    return light, dark, light if rng.random() < 0.6 else dark


def _boxes(parts: Sequence[F64]) -> F64:
    """Return the upright box of each part: (parts, 4)."""
    return np.stack([np.concatenate([p.min(axis=0), p.max(axis=0)]) for p in parts])


def _place(rng: Rng, size: tuple[int, int], boxes: F64, taken: Sequence[F64]) -> F64 | None:
    """Find a place where no other bubble is; a bubble may run off the page, or fail to fit."""
    page = np.array(size, np.float64)
    low, high = -boxes[0, :2], boxes[0, 2:]
    # One bubble in six is cut by the page's edge, as crops of pages have it.
    part = 1.0 if rng.random() > 0.17 else 0.4
    first, last = low * part, page - high * part
    # What is larger than the page lies anywhere across it.
    first, last = np.minimum(first, last), np.maximum(first, last)
    others = np.concatenate(taken) if taken else np.empty((0, 4))
    for _ in range(ATTEMPTS):
        centre: F64 = first + rng.random(2) * (last - first)
        own = (boxes + np.tile(centre, 2))[:, None]
        apart = (own[..., :2] >= others[:, 2:]) | (others[:, :2] >= own[..., 2:])
        if apart.any(axis=-1).all():
            return centre
    return None


def _draw(
    canvas: Image.Image, parts: list[F64], block: Block, centre: F64, hand: _Hand, scale: int
) -> None:
    scaled = replace(hand.paint, width=hand.paint.width * scale)
    if parts:
        paint(canvas, parts, (float(centre[0]), float(centre[1])), scaled)
    ink, halo = block.draw()
    left, top = np.rint(centre - np.array(ink.size) / 2)
    at = (int(left), int(top))
    if halo is not None:
        canvas.paste(hand.paint.fill, at, halo)
    canvas.paste(hand.ink, at, ink)


def _visible(block: Block, centre: F64, size: tuple[int, int], scale: int) -> list[TextLine]:
    found = []
    for text, quad in zip(block.lines, block.quads + centre, strict=True):
        low, high = quad.min(axis=0), quad.max(axis=0)
        if (low >= 0).all() and (high <= size).all():
            left, top, right, bottom = (float(v) / scale for v in (*low, *high))
            found.append(TextLine(text, (left, top, right, bottom)))
    return found


def _reduce(
    rng: Rng, canvas: Image.Image, before: Image.Image | None, artwork: U8 | None, scale: int
) -> U8:
    """Reduce to the page's size by area or Lanczos; only near the lettering if artwork is given."""
    if rng.random() < 0.6:
        return np.array(canvas.reduce(scale))
    size = (canvas.width // scale, canvas.height // scale)
    small = canvas.resize(size, Image.Resampling.LANCZOS)
    if before is None or artwork is None:
        return np.array(small)
    changed = ImageChops.difference(canvas, before).reduce(scale).convert("L")
    mask = changed.point([0] + [255] * 255).filter(ImageFilter.MaxFilter(5))
    return np.array(Image.composite(small, Image.fromarray(artwork), mask))
