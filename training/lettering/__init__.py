"""Comic lettering drawn on the fly: text in bubbles over artwork, for training and OCR tests."""

from __future__ import annotations

from restore_rt.training.lettering.fonts import find_fonts
from restore_rt.training.lettering.page import Lettering, TextLine

__all__ = ["Lettering", "TextLine", "find_fonts"]
