"""HDR metadata: from a decoded frame's side data to the options of an encoder."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import av

__all__ = ["StaticHdr", "side_data"]

# AVMasteringDisplayMetadata: red, green, blue, white point as (x, y), then darkest and brightest,
# each a fraction of two ints, then two flags. AVContentLightMetadata: two unsigned ints.
_MASTERING = struct.Struct("=20i2i")
_LIGHT = struct.Struct("=2I")


def side_data(frame: av.VideoFrame) -> dict[str, bytes]:
    """Return what travels with a frame beside its samples, by FFmpeg's name."""
    try:
        items: Any = frame.side_data
        return {item.type.name: bytes(item) for item in items}
    except ValueError:
        # A kind of side data that this PyAV has no name for.
        return {}


@dataclass(frozen=True)
class StaticHdr:
    """Mastering display and content light level of a clip (SMPTE ST 2086, CTA-861.3).

    Attributes
    ----------
    points
        Chromaticities x, y of red, green, blue and white; ``None`` when not given.
    luminance
        Darkest and brightest in cd/m2; ``None`` when not given.
    light
        Maximum content light level and frame average, in cd/m2; ``None`` when not given.
    """

    points: tuple[tuple[float, float], ...] | None = None
    luminance: tuple[float, float] | None = None
    light: tuple[int, int] | None = None

    @classmethod
    def of(cls, data: Mapping[str, bytes]) -> StaticHdr:
        """Read it from a frame's side data."""
        points = luminance = light = None
        if len(mastering := data.get("MASTERING_DISPLAY_METADATA", b"")) == _MASTERING.size:
            *numbers, has_points, has_luminance = _MASTERING.unpack(mastering)
            values = [
                over / under if under else 0.0
                for over, under in zip(numbers[::2], numbers[1::2], strict=True)
            ]
            if has_points:
                points = tuple(zip(values[0:8:2], values[1:8:2], strict=True))
            if has_luminance:
                luminance = (values[8], values[9])
        if len(level := data.get("CONTENT_LIGHT_LEVEL", b"")) >= _LIGHT.size:
            light = _LIGHT.unpack_from(level)
        return cls(points, luminance, light)

    def __bool__(self) -> bool:
        return self.mastered or self.light is not None

    @property
    def mastered(self) -> bool:
        """Whether the mastering display is fully known, which encoders require."""
        return self.points is not None and self.luminance is not None

    def mastering_text(self, *, whole: bool) -> str:
        """Return the mastering display as encoders take it.

        Parameters
        ----------
        whole
            In whole units of 0.00002 and 0.0001 cd/m2 (x264, x265), else in plain ones (SVT-AV1).
        """
        assert self.points is not None
        assert self.luminance is not None
        place, bright = (50000, 10000) if whole else (1, 1)

        def text(value: float, unit: int) -> str:
            return str(round(value * unit)) if whole else f"{value:.6g}"

        red, green, blue, white = (f"({text(x, place)},{text(y, place)})" for x, y in self.points)
        low, high = (text(value, bright) for value in self.luminance)
        return f"G{green}B{blue}R{red}WP{white}L({high},{low})"
