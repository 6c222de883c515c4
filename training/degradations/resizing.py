"""Steps that resample: the reduction that the network undoes, and detours through other sizes."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Literal

import numpy as np
from PIL import Image

from restore_rt.errors import InputError
from restore_rt.training.degradations.steps import Rgb, Step, choose, draw, register
from restore_rt.training.limits import one_of, span

__all__ = ["FILTERS", "Factor", "Filter", "Reduce", "Rescale", "resized"]

Filter = Literal["bicubic", "area", "lanczos", "bilinear", "nearest"]
FILTERS = MappingProxyType(
    {
        "bicubic": Image.Resampling.BICUBIC,
        # Pillow's box filter is the mean of the pixels whose middle lies in the area of an output
        # pixel: exact where that stands for a whole number of them.
        "area": Image.Resampling.BOX,
        "lanczos": Image.Resampling.LANCZOS,
        "bilinear": Image.Resampling.BILINEAR,
        "nearest": Image.Resampling.NEAREST,
    }
)
Filters = Annotated[tuple[str, ...], one_of(FILTERS)]
Factor = Annotated[tuple[float, float], span(0.1, 4)]


def resized(frame: Rgb, height: int, width: int, filter_name: str) -> Rgb:
    """Resize (H, W, 3) or (H, W) with Pillow; `filter_name` is one of `FILTERS`."""
    if frame.shape[:2] == (height, width):
        return np.array(frame)
    return np.array(Image.fromarray(frame).resize((width, height), FILTERS[filter_name]))


@register("reduce")
@dataclass(frozen=True, kw_only=True)
class Reduce(Step):
    """Reduce by the network's scale, with one of the filters."""

    filter: Filters = ("bicubic",)

    def apply_frame(self, frame: Rgb, rng: np.random.Generator, *, scale: int) -> Rgb:
        """Reduce (H, W, 3), whose sides must be multiples of `scale`."""
        height, width = frame.shape[:2]
        if height % scale or width % scale:
            raise InputError(f"image of {height}x{width} is no multiple of {scale}; crop it first")
        return resized(frame, height // scale, width // scale, choose(rng, self.filter))


@register("rescale")
@dataclass(frozen=True, kw_only=True)
class Rescale(Step):
    """Resize by a factor and back again, as when a picture was shared at another size."""

    factor: Factor = (0.7, 1.3)
    filter: Filters = ("bicubic", "bilinear", "area", "lanczos")

    def apply_frame(self, frame: Rgb, rng: np.random.Generator, *, scale: int) -> Rgb:
        """Resize (H, W, 3) there and back; the filter of each way is drawn for itself."""
        height, width = frame.shape[:2]
        factor = draw(rng, self.factor)
        there, back = (self.filter[int(i)] for i in rng.integers(len(self.filter), size=2))
        other = resized(frame, max(1, round(height * factor)), max(1, round(width * factor)), there)
        return resized(other, height, width, back)
