"""In-painting: pixels that a mask marks are replaced, all others stay as they are."""

from restore_rt.inpaint.filling import RADIUS, blend_half, fill, halve, hole_depth
from restore_rt.inpaint.masks import as_mask

__all__ = ["RADIUS", "as_mask", "blend_half", "fill", "halve", "hole_depth"]
