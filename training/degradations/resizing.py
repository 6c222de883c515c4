"""Steps that resample: the reduction that the network undoes, and detours through other sizes."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
from PIL import Image

from restore_rt.errors import InputError
from restore_rt.training.degradations.steps import Rgb, Step, check_range, draw, register

__all__ = ["FILTERS", "Filter", "Reduce", "Rescale", "check_filters", "resized"]

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


def resized(frame: Rgb, height: int, width: int, filter_name: str) -> Rgb:
    """Resize (H, W, 3) or (H, W) with Pillow; `filter_name` is one of `FILTERS`."""
    if frame.shape[:2] == (height, width):
        return np.array(frame)
    return np.array(Image.fromarray(frame).resize((width, height), FILTERS[filter_name]))


def check_filters(filters: tuple[str, ...]) -> None:
    """Refuse filters that there are not.

    Raises
    ------
    InputError
        Naming the first of them, or that there is none.
    """
    if not filters:
        raise InputError(f"filter is empty; name one or more of {', '.join(FILTERS)}")
    for name in filters:
        if name not in FILTERS:
            raise InputError(f"filter is {name!r}; there are {', '.join(FILTERS)}")


@register("reduce")
@dataclass(frozen=True, kw_only=True)
class Reduce(Step):
    """Reduce by the network's scale, with one of the filters: what an upscaler undoes."""

    filter: tuple[str, ...] = ("bicubic",)

    def check(self) -> None:
        """Refuse unknown filters."""
        check_filters(self.filter)

    def apply_frame(self, frame: Rgb, rng: np.random.Generator, *, scale: int) -> Rgb:
        """Reduce (H, W, 3), whose sides must be multiples of `scale`."""
        height, width = frame.shape[:2]
        if height % scale or width % scale:
            raise InputError(f"image of {height}x{width} is no multiple of {scale}; crop it first")
        chosen = self.filter[int(rng.integers(len(self.filter)))]
        return resized(frame, height // scale, width // scale, chosen)


@register("rescale")
@dataclass(frozen=True, kw_only=True)
class Rescale(Step):
    """Resize by a factor and back again, as when a picture was shared at another size."""

    factor: tuple[float, float] = (0.7, 1.3)
    filter: tuple[str, ...] = ("bicubic", "bilinear", "area", "lanczos")

    def check(self) -> None:
        """Refuse factors outside 0.1 to 4 and unknown filters."""
        check_range("factor", self.factor, 0.1, 4)
        check_filters(self.filter)

    def apply_frame(self, frame: Rgb, rng: np.random.Generator, *, scale: int) -> Rgb:
        """Resize (H, W, 3) there and back; the filter of each way is drawn for itself."""
        height, width = frame.shape[:2]
        factor = draw(rng, self.factor)
        there, back = (self.filter[int(i)] for i in rng.integers(len(self.filter), size=2))
        other = resized(frame, max(1, round(height * factor)), max(1, round(width * factor)), there)
        return resized(other, height, width, back)
