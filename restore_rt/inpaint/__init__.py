"""In-painting: pixels that a mask marks are replaced, all others stay as they are."""

from restore_rt.inpaint.filling import DEEP, RADIUS, blend_half, fill, halve, hole_depth
from restore_rt.inpaint.masks import THRESHOLD, as_mask, grown, rectangles
from restore_rt.inpaint.whole import replace_holes

__all__ = [
    "DEEP",
    "RADIUS",
    "THRESHOLD",
    "as_mask",
    "blend_half",
    "fill",
    "grown",
    "halve",
    "hole_depth",
    "rectangles",
    "replace_holes",
]
