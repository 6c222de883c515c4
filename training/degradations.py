"""What happens to a picture before the network sees it: reduced, then compressed.

Everything here is deterministic: what is random is drawn by the caller from a seeded generator.
"""

from __future__ import annotations

import io
import platform
from collections.abc import Sequence
from fractions import Fraction

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from restore_rt.errors import InputError

__all__ = ["h264", "h264_luma", "jpeg", "reduce", "wandering_crops"]

Rgb = NDArray[np.uint8]

# x264's output depends on how many threads it is given, and where it uses AVX-512 it is not always
# the same twice (seen with macroblock-tree rate control and B-frames, on small pictures above all).
_REPEATABLE = {"threads": "1"}
if platform.machine().lower() in ("x86_64", "amd64"):
    _REPEATABLE["x264-params"] = "asm=sse4.2"


def reduce(image: Rgb, scale: int) -> Rgb:
    """Reduce (H, W, 3) by `scale` with Pillow's bicubic; H and W must be multiples of it."""
    height, width = image.shape[:2]
    if height % scale or width % scale:
        raise InputError(f"image of {height}x{width} is no multiple of {scale}; crop it first")
    if scale == 1:
        return image
    size = (width // scale, height // scale)
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))


def jpeg(image: Rgb, quality: int) -> Rgb:
    """Send (H, W, 3) through Pillow's JPEG at `quality`, 1 to 95, with 4:2:0 chroma."""
    if not 1 <= quality <= 95:
        raise InputError(f"JPEG quality is {quality}; allowed are 1 to 95")
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality, subsampling=2)
    return np.asarray(Image.open(buffer).convert("RGB"))


def _through_x264(
    frames: Sequence[Rgb], crf: float, preset: str
) -> tuple[list[av.VideoFrame], tuple[int, int]]:
    if not frames:
        raise InputError("no frames to encode; give at least one")
    if not 0 <= crf <= 51:
        raise InputError(f"CRF is {crf}; allowed are 0 to 51")
    height, width = frames[0].shape[:2]
    # 4:2:0 needs even sizes: the last row or column is repeated, and cut off again by the caller.
    pad = ((0, height % 2), (0, width % 2), (0, 0))
    codec = av.CodecContext.create("libx264", "w")
    assert isinstance(codec, av.VideoCodecContext)
    codec.width, codec.height = width + width % 2, height + height % 2
    codec.pix_fmt = "yuv420p"
    codec.time_base = Fraction(1, 25)
    codec.options = {"crf": f"{crf:g}", "preset": preset, **_REPEATABLE}
    packets = []
    for index, image in enumerate(frames):
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(np.pad(image, pad, "edge")))
        frame = frame.reformat(format="yuv420p", dst_colorspace="ITU601")
        frame.pts = index
        packets += codec.encode(frame)
    packets += codec.encode(None)
    decoder = av.CodecContext.create("h264", "r")
    assert isinstance(decoder, av.VideoCodecContext)
    decoder.thread_count = 1
    if codec.extradata:
        decoder.extradata = codec.extradata
    decoded = [frame for packet in packets for frame in decoder.decode(packet)]
    decoded += decoder.decode(None)
    if len(decoded) != len(frames):
        raise InputError(f"x264 returned {len(decoded)} frames for {len(frames)}")
    return decoded, (height, width)


def h264(frames: Sequence[Rgb], *, crf: float, preset: str = "medium") -> list[Rgb]:
    """Send a clip of (H, W, 3) frames through x264, 8 bit 4:2:0, and back to RGB."""
    decoded, (height, width) = _through_x264(frames, crf, preset)
    out = [f.reformat(format="rgb24", src_colorspace="ITU601").to_ndarray() for f in decoded]
    return [np.ascontiguousarray(f[:height, :width], dtype=np.uint8) for f in out]


def h264_luma(
    frames: Sequence[Rgb], *, crf: float, preset: str = "medium"
) -> list[NDArray[np.uint8]]:
    """Send a clip of (H, W, 3) frames through x264; the decoded luma planes (H, W), 16 to 235."""
    decoded, (height, width) = _through_x264(frames, crf, preset)
    return [np.ascontiguousarray(f.to_ndarray()[:height, :width], dtype=np.uint8) for f in decoded]


def wandering_crops(
    height: int, width: int, *, frames: int, reach: int, rng: np.random.Generator
) -> tuple[list[tuple[int, int]], tuple[int, int]]:
    """Plan a camera that drifts over a still: where each frame begins, and the frames' size.

    The steps are whole pixels of the full-size picture, so that after the reduction the motion
    is a fraction of a pixel, as in real video, and the encoder has residues to code.

    Parameters
    ----------
    height, width
        Size of the still.
    frames
        How many frames.
    reach
        The camera stays within this many pixels, along both axes.
    rng
        Where the direction comes from.

    Returns
    -------
    tuple
        The origins [(y, x), ...], all within 0..reach, and the frames' size, which is
        (height - reach, width - reach).
    """
    if reach >= min(height, width):
        raise InputError(f"reach {reach} leaves nothing of a {height}x{width} picture")
    place = rng.integers(0, reach + 1, 2)
    speed = rng.integers(-3, 4, 2)
    origins = []
    for _ in range(frames):
        origins.append((int(place[0]), int(place[1])))
        place = place + speed
        # Bounce: a drift that leaves the reach turns back.
        speed = np.where((place < 0) | (place > reach), -speed, speed)
        place = np.clip(place, 0, reach)
    return origins, (height - reach, width - reach)
