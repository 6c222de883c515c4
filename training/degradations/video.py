"""Video codecs through PyAV: H.264, HEVC, VP9 and AV1, the same output for the same input."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated

import numpy as np
from numpy.typing import NDArray

from restore_rt.errors import InputError
from restore_rt.threads import same_priority
from restore_rt.training.data.chroma import i420_of
from restore_rt.training.degradations.steps import (
    Clip,
    Rgb,
    Step,
    choose,
    draw,
    draw_int,
    register,
)
from restore_rt.training.limits import one_of, span
from restore_rt.training.needed import needed

if TYPE_CHECKING:
    import av

__all__ = [
    "CODECS",
    "H264",
    "PRESETS",
    "VIDEO_STEPS",
    "Codec",
    "Coding",
    "check_pyav",
    "coded",
    "compressed",
    "encoded_frames",
    "encoded_i420",
    "luma_of",
    "rgb_of",
]

# From fast to slow, as x264 calls them.
PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow")
# x264's scale of constant rate factors.
MOST = 51
DEPTHS = (8, 10)

Crf = Annotated[tuple[float, float], span(0, MOST)]
Presets = Annotated[tuple[str, ...], one_of(PRESETS)]

# x264's output depends on how many threads it is given, and where it uses AVX-512 it is not always
# the same twice (seen with macroblock-tree rate control and B-frames, on small pictures above all).
_X264 = {"threads": "1"}
if platform.machine().lower() in ("x86_64", "amd64"):
    _X264["x264-params"] = "asm=sse4.2"


# SVT-AV1 writes its settings to the terminal otherwise: errors alone.
os.environ.setdefault("SVT_LOG", "1")


@dataclass(frozen=True, kw_only=True)
class _Library:
    """An encoder: FFmpeg's names for it and its decoder, its scale of CRFs and its presets."""

    encoder: str
    decoder: str
    scale: int
    options: dict[str, str]
    # The option that chooses between speed and quality, and its values in the order of PRESETS.
    speed: str = "preset"
    speeds: tuple[str, ...] = PRESETS
    depths: tuple[int, ...] = DEPTHS


CODECS = MappingProxyType(
    {
        "h264": _Library(encoder="libx264", decoder="h264", scale=MOST, options=_X264),
        "hevc": _Library(
            encoder="libx265",
            decoder="hevc",
            scale=MOST,
            options={"x265-params": "pools=none:frame-threads=1:log-level=none"},
        ),
        "vp9": _Library(
            encoder="libvpx-vp9",
            decoder="vp9",
            scale=63,
            options={"threads": "1", "b": "0", "deadline": "good"},
            speed="cpu-used",
            speeds=("5", "5", "5", "4", "3", "2", "1"),
            # PyAV's libvpx is built without high bit depth.
            depths=(8,),
        ),
        "av1": _Library(
            encoder="libsvtav1",
            decoder="libdav1d",
            scale=63,
            options={"svtav1-params": "lp=1"},
            speeds=("12", "11", "10", "9", "8", "7", "6"),
        ),
    }
)


@dataclass(frozen=True, kw_only=True)
class Coding:
    """How a clip is encoded: by a `codec` of `CODECS`, with one of `PRESETS`.

    `crf` is the constant rate factor on x264's scale of 0 to 51. VP9 and AV1, whose scale ends at
    63, get it multiplied by 63 / 51, and a setting of about the preset's effort. A sample has a
    `depth` of 8 or 10 bits; VP9 always gets 8. `b_frames` is the most B-frames in a row, for H.264
    and HEVC; None leaves it to the preset.
    """

    codec: str = "h264"
    crf: float = 23.0
    preset: str = "medium"
    depth: int = 8
    b_frames: int | None = None


@register("codec")
@dataclass(frozen=True, kw_only=True)
class Codec(Step):
    """A video codec at a constant rate, 4:2:0, once or several times.

    `codec`, `preset` and `depth` are drawn from lists, and the rest from ranges, as `Coding`
    describes them. With `rounds` above 1 the clip was encoded before, as when a video is uploaded
    and then streamed: by H.264 in 8 bits at a CRF from `earlier`.

    With `luma`, frames come out as their decoded luma (H, W), limited range, 10 bits rounded to 8,
    without a detour through RGB; then no step may follow. With `planes`, for chroma networks, they
    come out as I420, see `restore_rt.training.data.chroma`, whose conversion from RGB is used.
    """

    codec: Annotated[tuple[str, ...], one_of(CODECS)] = ("h264",)
    crf: Crf = (18, 40)
    preset: Presets = ("veryfast", "fast", "medium")
    depth: Annotated[tuple[int, ...], one_of(DEPTHS)] = (8,)
    b_frames: Annotated[tuple[int, int], span(0, 16)] = (0, 3)
    rounds: Annotated[tuple[int, int], span(1, 8)] = (1, 1)
    earlier: Crf = (16, 26)
    luma: bool = False
    planes: bool = False

    def apply(self, clip: Clip, rng: np.random.Generator, *, scale: int) -> Clip:
        """Compress a clip of (H, W, 3)."""
        coding = Coding(
            codec=choose(rng, self.codec),
            crf=draw(rng, self.crf),
            preset=choose(rng, self.preset),
            depth=choose(rng, self.depth),
            b_frames=draw_int(rng, self.b_frames),
        )
        before = [
            Coding(crf=draw(rng, self.earlier)) for _ in range(draw_int(rng, self.rounds) - 1)
        ]
        if self.planes:
            return encoded_i420([i420_of(frame) for frame in clip], *before, coding)
        return compressed(clip, *before, coding, luma=self.luma)


@register("h264")
@dataclass(frozen=True, kw_only=True)
class H264(Step):
    """x264, 8 bit 4:2:0, at a constant rate factor from `crf`; `luma` as for `Codec`."""

    crf: Crf = (18, 32)
    preset: Presets = ("medium", "veryfast")
    luma: bool = False

    def apply(self, clip: Clip, rng: np.random.Generator, *, scale: int) -> Clip:
        """Compress a clip of (H, W, 3)."""
        coding = Coding(crf=draw(rng, self.crf), preset=choose(rng, self.preset))
        return compressed(clip, coding, luma=self.luma)


# The steps that treat a clip as video.
VIDEO_STEPS = (H264, Codec)


def compressed(clip: Sequence[Rgb], *codings: Coding, luma: bool = False) -> Clip:
    """Send a clip of (H, W, 3) frames through codecs, see `encoded_frames`; RGB or decoded luma."""
    decoded = encoded_frames(clip, *codings)
    height, width = clip[0].shape[:2]
    planes = luma_of if luma else rgb_of
    return [planes(frame)[:height, :width].copy() for frame in decoded]


def check_pyav(kind: str = "h264") -> None:
    """Refuse (`InputError`) to go on where PyAV is missing, which the degradation `kind` needs."""
    needed("av", "PyAV", f"the degradation {kind!r}")


def encoded_frames(frames: Sequence[Rgb], *codings: Coding) -> list[av.VideoFrame]:
    """Encode a clip of (H, W, 3) frames once for each coding, and decode it to 8 bits, 4:2:0.

    4:2:0 needs even sides: of odd ones the last row or column is repeated, which the caller cuts
    off again. Raises `InputError` if there are no frames, a CRF is not allowed, or PyAV or the
    encoder is missing.
    """
    if not frames:
        raise InputError("no frames to encode; give at least one")
    for coding in codings:
        if not 0 <= coding.crf <= MOST:
            raise InputError(f"CRF is {coding.crf}; allowed are 0 to {MOST}")
    check_pyav()
    import av

    height, width = frames[0].shape[:2]
    pad = ((0, height % 2), (0, width % 2), (0, 0))
    clip = [
        av.VideoFrame.from_ndarray(np.ascontiguousarray(np.pad(frame, pad, "edge")))
        for frame in frames
    ]
    for coding in codings:
        clip, _ = coded(clip, coding)
    return clip


def encoded_i420(frames: Sequence[NDArray[np.uint8]], *codings: Coding) -> Clip:
    """Send a clip of I420 frames (1.5 H, W) through codecs, in 8 or 10 bits; I420 of 8 bits."""
    check_pyav()
    import av

    clip = [av.VideoFrame.from_ndarray(frame, format="yuv420p") for frame in frames]
    for coding in codings:
        clip, _ = coded(clip, coding)
    return [np.asarray(frame.to_ndarray(), np.uint8) for frame in clip]


def coded(frames: list[av.VideoFrame], coding: Coding) -> tuple[list[av.VideoFrame], int]:
    """Encode frames of even sides; return them decoded to 8 bits, 4:2:0, and the bytes between.

    Raises `InputError` if PyAV lacks the encoder or the decoder.
    """
    import av
    from av.video.frame import PictureType

    library = CODECS[coding.codec]
    try:
        encoder = av.CodecContext.create(library.encoder, "w")
        decoder = av.CodecContext.create(library.decoder, "r")
    except av.codec.codec.UnknownCodecError:
        raise InputError(
            f"this PyAV lacks the encoder {library.encoder} or the decoder {library.decoder}; "
            f"install the wheel of 'av' from PyPI, or leave the codec {coding.codec!r} out"
        ) from None
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height = frames[0].width, frames[0].height
    deep = coding.depth > 8 and coding.depth in library.depths
    encoder.pix_fmt = "yuv420p10le" if deep else "yuv420p"
    encoder.time_base = Fraction(1, 25)
    encoder.thread_count = 1
    crf = coding.crf * library.scale / MOST
    # SVT-AV1 takes whole numbers alone; the others are given what a user would write.
    written = f"{crf:.0f}" if library.scale > MOST else f"{crf:g}"
    speed = library.speeds[PRESETS.index(coding.preset)]
    encoder.options = {"crf": written, library.speed: speed, **library.options}
    if coding.b_frames is not None and library.scale == MOST:
        encoder.options = {**encoder.options, "bf": str(coding.b_frames)}
    with same_priority():
        encoder.open()
    packets = []
    for index, frame in enumerate(frames):
        planar = frame.reformat(format="yuv420p", dst_colorspace="ITU601")
        if deep:
            # By NumPy: swscale spoils the ends of rows at some sizes, not the same way each time.
            samples = np.left_shift(planar.to_ndarray(), 2, dtype=np.uint16)
            planar = av.VideoFrame.from_ndarray(samples, format=encoder.pix_fmt)
        planar.pts = index
        # A decoded frame would have its type kept by the next encoder.
        planar.pict_type = PictureType.NONE
        packets += encoder.encode(planar)
    packets += encoder.encode(None)
    assert isinstance(decoder, av.VideoCodecContext)
    decoder.thread_count = 1
    if encoder.extradata:
        decoder.extradata = encoder.extradata
    decoded = [frame for packet in packets for frame in decoder.decode(packet)]
    decoded += decoder.decode(None)
    if len(decoded) != len(frames):
        raise InputError(f"{library.encoder} returned {len(decoded)} frames for {len(frames)}")
    size = sum(packet.size for packet in packets)
    return [_rounded(frame) for frame in decoded] if deep else decoded, size


def _rounded(frame: av.VideoFrame) -> av.VideoFrame:
    """Round a frame's 10 bits to 8."""
    import av

    samples = np.asarray(frame.to_ndarray(), np.uint16)
    samples = np.minimum(np.right_shift(samples + 2, 2), 255).astype(np.uint8)
    return av.VideoFrame.from_ndarray(samples, format="yuv420p")


def luma_of(frame: av.VideoFrame) -> NDArray[np.uint8]:
    """Return the luma (H, W) of a frame in 8 bits, 4:2:0, as it is: 16 to 235."""
    return np.asarray(frame.to_ndarray()[: frame.height], np.uint8)


def rgb_of(frame: av.VideoFrame) -> Rgb:
    """Return a decoded frame as RGB (H, W, 3), by BT.601."""
    return np.asarray(
        frame.reformat(format="rgb24", src_colorspace="ITU601").to_ndarray(), np.uint8
    )
