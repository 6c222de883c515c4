"""Fonts for comic lettering: search, selection and metrics."""

from __future__ import annotations

import functools
import re
import string
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from restore_rt.errors import InputError

__all__ = ["Typeface", "find_fonts", "typeface", "weights"]

FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts")
SUFFIXES = (".otf", ".ttf")
NEEDED = string.ascii_letters + string.digits
WANTED = "!?.,:;-'\"&*()/\u2019\u2026àâäçèéêëíîïñóôöúûüÀÂÄÇÈÉÊËÎÏÑÓÔÖÚÛÜß"
# Families that draw no text, code, or strokes too thin to survive at a page's size.
UNFIT = re.compile(
    r"mono|symbol|math|dingbat|emoji|icon|courier|console|typewriter|braille|barcode|music"
    r"|d050000|hairline|thin|extralight|awesome|wingding|webding",
    re.IGNORECASE,
)
HANDWRITTEN = re.compile(
    r"comic|humor|tomson|hand|script|delphine|steve|marker|cartoon|manga|anime|balloon|letter"
    r"|pen(?!dium)|ruf|kalam|bangers|patrick|indie|caveat|shadows|permanent|blambot|lavi|komika"
    r"|breip|dkg|femke|dancing|leckerli|havana|bajaderka|kiloji|seto|yusei|reggae|klee|rampart"
    r"|rocknroll|yozfont|nanumbrush",
    re.IGNORECASE,
)
# The part of all lettering that handwritten families get where both kinds are there.
HANDWRITTEN_SHARE = 0.7
REFERENCE = 100

Font = ImageFont.FreeTypeFont


@dataclass(frozen=True)
class Typeface:
    """A font file (or, with `path` None, Pillow's built-in font) and its usable characters.

    `cap` is the height of a capital as a share of the font's size, `characters` what it has glyphs
    for, of the Latin characters that this package writes.
    """

    path: Path | None
    cap: float
    characters: frozenset[str]

    def has(self, characters: str) -> bool:
        """Whether it has glyphs for all of these."""
        return all(c in self.characters or _drawn(self.path, c) for c in characters)

    def at(self, cap: float) -> Font:
        """Return the font with capitals of about `cap` px."""
        return _load(self.path, max(4, round(cap / self.cap)))


@functools.lru_cache(maxsize=512)
def _load(path: Path | None, size: int) -> Font:
    if path is None:
        font = ImageFont.load_default(size)
        if not isinstance(font, Font):
            raise InputError("Pillow was built without FreeType; install Pillow's own wheel")
        return font
    try:
        return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)
    except (OSError, ValueError) as error:
        raise InputError(
            f"cannot load the font {path}: {error}; name a .ttf or .otf file"
        ) from None


def _glyph(font: Font, character: str) -> bytes:
    image = Image.new("1", (48, 48))
    ImageDraw.Draw(image).text((12, 36), character, fill=1, font=font, anchor="ls")
    return image.tobytes()


@functools.lru_cache(maxsize=1024)
def _absent(path: Path | None) -> frozenset[bytes]:
    """Return what is drawn for characters that the font lacks."""
    # A code point that no font maps.
    return frozenset({_glyph(_load(path, 24), "\U0010ffff"), bytes(48 * 48 // 8)})


@functools.lru_cache(maxsize=1 << 16)
def _drawn(path: Path | None, character: str) -> bool:
    """Whether a font has a glyph for a character."""
    return _glyph(_load(path, 24), character) not in _absent(path)


@functools.lru_cache(maxsize=1024)
def typeface(path: Path | None) -> Typeface:
    """Measure a font; `InputError` if the file is not one that Pillow loads."""
    present = frozenset(c for c in NEEDED + WANTED if _drawn(path, c))
    box = _load(path, REFERENCE).getbbox("H", anchor="ls")
    return Typeface(path, max(0.2, -box[1] / REFERENCE), present | {" "})


def _fit(path: Path) -> bool:
    if UNFIT.search(path.stem):
        return False
    try:
        face = typeface(path)
        font = _load(path, 24)
        widths = font.getlength("i"), font.getlength("M")
        capitals = len({_glyph(font, c) for c in string.ascii_uppercase})
    except (InputError, OSError):
        return False
    # Symbol fonts and fixed pitches tell themselves by widths that letters do not have.
    return face.characters.issuperset(NEEDED) and widths[0] < 0.9 * widths[1] and capitals == 26


def find_fonts(folders: Sequence[Path] | None = None) -> list[Path]:
    """Find the fonts that can set letters and digits, in `folders` or those of the system.

    Returns `.otf` and `.ttf` files (in either case, subfolders included) ordered by name; of two
    files of one name, the first. Fixed-pitch, symbol and very thin faces are left out. Empty if the
    system has none: `Lettering` then letters with Pillow's built-in font (`apt install
    fonts-comic-neue` gives a better one).

    Raises `InputError` if a folder that the caller names is not there, or has no font that can
    letter.
    """
    roots = [Path(f).expanduser() for f in FOLDERS] if folders is None else list(folders)
    fit: set[Path] = set()
    for root in roots:
        if folders is not None and not root.is_dir():
            raise InputError(f"no folder of fonts at {root}; name a folder of .otf or .ttf files")
        files = {p for p in root.rglob("*.*") if p.suffix.lower() in SUFFIXES and p.is_file()}
        usable = {path for path in files if _fit(path)}
        if folders is not None and not usable:
            raise InputError(
                f"none of the {len(files)} .otf and .ttf files in {root} can letter a comic; it "
                "takes letters and digits, neither of fixed pitch nor very thin"
            )
        fit |= usable
    named: dict[str, Path] = {}
    for path in sorted(fit, key=lambda p: (p.stem, p.suffix, str(p))):
        named.setdefault(path.stem, path)
    return list(named.values())


def weights(fonts: Sequence[Path]) -> list[float]:
    """Return how often to use each font: handwritten families most, and families alike."""
    kinds = [bool(HANDWRITTEN.search(path.stem)) for path in fonts]
    families = [path.stem.split("-")[0] for path in fonts]
    members = {family: families.count(family) for family in families}
    raw = np.array([members[family] ** -0.5 for family in families])
    for kind, share in ((True, HANDWRITTEN_SHARE), (False, 1 - HANDWRITTEN_SHARE)):
        of_kind = np.array(kinds) == kind
        if of_kind.any():
            raw[of_kind] *= share / raw[of_kind].sum()
    return [float(w) for w in raw / raw.sum()]
