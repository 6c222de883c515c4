"""Conversion to and from RGB puts chroma where the clip has it."""

from __future__ import annotations

from typing import Any

import av
import numpy as np
import pytest

from restore_rt.frames import ChromaSiting
from restore_rt.video.colour import BT709, Converter
from restore_rt.video.pixels import layout_of, new_frame, planes_of

# Of the first chroma sample of 4:2:0, down and to the right, in luma samples.
PLACES: dict[ChromaSiting, tuple[float, float]] = {
    "left": (0.5, 0.0),
    "center": (0.5, 0.5),
    "topleft": (0.0, 0.0),
}
RED, BLUE = 0.2126, 0.0722
INNER = (slice(8, -8), slice(8, -8))


def _ramps(pixel_format: str, siting: ChromaSiting, luma: float) -> tuple[av.VideoFrame, Any]:
    """Draw Cb that grows by 2 from row to row of luma, and Cr from column to column."""
    layout = layout_of(av.VideoFormat(pixel_format, 64, 64))
    picture, planes = new_frame(64, 64, layout, siting)
    assert planes.cb is not None
    assert planes.cr is not None
    down, right = PLACES[siting]
    rows, columns = np.indices(planes.cb.shape)
    steps = 64 // planes.cb.shape[0], 64 // planes.cb.shape[1]
    unit = 1 << (layout.bit_depth - 8)
    planes.y[...] = luma * unit
    planes.cb[...] = (64 + 2 * (rows * steps[0] + (down if steps[0] > 1 else 0))) * unit
    planes.cr[...] = (64 + 2 * (columns * steps[1] + (right if steps[1] > 1 else 0))) * unit
    return picture, planes


@pytest.mark.parametrize("siting", PLACES)
@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le"])
def test_rgb_has_the_chroma_of_its_own_place(pixel_format: str, siting: ChromaSiting) -> None:
    picture, _ = _ramps(pixel_format, siting, 126)
    converter = Converter(BT709, full=False, siting=siting)
    rgb = converter.to_rgb(picture, layout_of(picture.format))
    # FFmpeg's white is 255 of 8 bits, and 65280 of 16.
    red, _, blue = np.moveaxis(rgb / (1 if rgb.dtype == np.uint8 else 256), -1, 0)
    luma = 255 / 219 * (126 - 16)
    rows, columns = np.indices((64, 64))
    for seen, weight, wanted in ((blue, BLUE, 64 + 2 * rows), (red, RED, 64 + 2 * columns)):
        chroma = 128 + (seen - luma) * 224 / 255 / (2 - 2 * weight)
        # A sample's shift by half a luma sample would be 1.
        assert abs((chroma - wanted)[INNER].mean()) < 0.1


@pytest.mark.parametrize("siting", PLACES)
@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv422p", "yuv420p10le"])
def test_chroma_comes_back_to_its_place(pixel_format: str, siting: ChromaSiting) -> None:
    picture, before = _ramps(pixel_format, siting, 126)
    layout = layout_of(picture.format)
    converter = Converter(BT709, full=False, siting=siting)
    after = planes_of(converter.from_rgb(converter.to_rgb(picture, layout), layout), layout, siting)
    for old, new in ((before.cb, after.cb), (before.cr, after.cr)):
        assert old is not None
        assert new is not None
        unit = 1 << (layout.bit_depth - 8)
        assert abs((new.astype(float) - old)[INNER].mean()) < 0.1 * unit
