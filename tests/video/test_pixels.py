"""Samples of a decoded frame without a copy, whatever its format."""

from __future__ import annotations

from typing import Any

import av
import numpy as np
import pytest

from restore_rt.video.pixels import layout_of, planes_of

PLAIN = {
    "nv12": "yuv420p",
    "nv21": "yuv420p",
    "nv16": "yuv422p",
    "nv24": "yuv444p",
    "p010le": "yuv420p10le",
    "p210le": "yuv422p10le",
    "yuvj422p": "yuv422p",
    "yuva444p10le": "yuv444p10le",
    "yuv420p": "yuv420p",
    "gray12le": "gray12le",
}


def _filled(pixel_format: str, width: int, height: int) -> av.VideoFrame:
    frame = av.VideoFrame(width, height, pixel_format)
    random = np.random.default_rng(0)
    layout = layout_of(frame.format)
    for plane in frame.planes:
        values: Any = random.integers(0, 1 << layout.bit_depth, plane.buffer_size // 2)
        if layout.reading == "high bits":
            values = values << (16 - layout.bit_depth)
        if layout.bit_depth > 8:
            plane.update(values.astype(np.uint16).tobytes())
        else:
            plane.update(random.bytes(plane.buffer_size))
    return frame


@pytest.mark.parametrize("pixel_format", PLAIN)
@pytest.mark.parametrize("size", [(32, 16), (31, 17), (2, 2), (1, 1)])
def test_planes_are_taken_apart(pixel_format: str, size: tuple[int, int]) -> None:
    frame = _filled(pixel_format, *size)
    layout = layout_of(frame.format)
    assert layout.name == PLAIN[pixel_format]
    planes = planes_of(frame, layout, "left")
    assert planes.y.shape == (size[1], size[0])
    plain = _deinterleaved(frame, layout.name)
    for got, wanted in zip((planes.y, planes.cb, planes.cr), plain, strict=False):
        np.testing.assert_array_equal(got, wanted)


def _deinterleaved(frame: av.VideoFrame, name: str) -> list[Any]:
    """Follow FFmpeg's description of the formats, byte by byte."""
    source = frame.format.name
    dtype = np.dtype(np.uint8 if name.endswith("p") else np.uint16)
    shift = {"p010le": 6, "p210le": 6}.get(source, 0)
    result = []
    for component in range(1 if name.startswith("gray") else 3):
        interleaved = component > 0 and source.startswith(("nv", "p"))
        plane = frame.planes[min(component, 1) if interleaved else component]
        data = bytes(plane)
        height, width = plane.height, plane.width
        first = (component - 1) ^ (source == "nv21") if interleaved else 0
        step = 2 if interleaved else 1
        rows = []
        for row in range(height):
            begin = row * plane.line_size
            line = np.frombuffer(data, dtype, offset=begin, count=width * step)
            rows.append(line[first::step] >> shift)
        result.append(np.stack(rows))
    return result


def test_planes_share_memory_with_the_frame() -> None:
    frame = _filled("nv12", 32, 16)
    planes = planes_of(frame, layout_of(frame.format), "left")
    before = int(planes.y[0, 0]), int(planes.cb[0, 0])  # type: ignore[index]
    for plane in frame.planes:
        plane.update(bytes([before[0] ^ 255]) * plane.buffer_size)
    assert planes.y[0, 0] == before[0] ^ 255
    assert planes.cb is not None
    assert planes.cb[0, 0] == before[0] ^ 255


@pytest.mark.parametrize(
    ("pixel_format", "name", "alpha"),
    [
        ("rgb24", "yuv444p", False),
        ("bgra", "yuv444p", True),
        ("pal8", "yuv444p", True),
        ("gbrp10le", "yuv444p10le", False),
        ("rgba64le", "yuv444p12le", True),
        ("yuyv422", "yuv422p", False),
        ("yuv411p", "yuv422p", False),
        ("yuv440p", "yuv444p", False),
        ("yuv410p", "yuv420p", False),
        ("yuv420p10be", "yuv420p10le", False),
        ("ya8", "gray", True),
        ("monob", "gray", False),
    ],
)
def test_formats_that_are_converted(pixel_format: str, name: str, alpha: bool) -> None:
    layout = layout_of(av.VideoFormat(pixel_format, 32, 16))
    assert (layout.name, layout.reading, layout.has_alpha) == (name, "convert", alpha)
