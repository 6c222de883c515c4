"""The video codecs that can be written: encoders, their options and what they hold."""

from __future__ import annotations

import os
from dataclasses import dataclass

try:
    import av
except ImportError as error:
    raise ImportError("video needs PyAV: pip install 'restore-rt[video]'", name="av") from error

from restore_rt.errors import InputError
from restore_rt.video.choices import CODECS, Codec, CodecName
from restore_rt.video.hdr import StaticHdr
from restore_rt.video.pixels import PixelLayout

__all__ = [
    "CODECS",
    "CodecName",
    "EncoderSettings",
    "default_codec",
    "held_formats",
    "open_trial",
    "settings_for",
]


@dataclass(frozen=True)
class EncoderSettings:
    """An encoder with its options, ready to be opened.

    Attributes
    ----------
    codec
        Its name on the command line.
    encoder
        FFmpeg's name of the encoder.
    options
        Its options.
    keeps_hdr
        Whether static HDR metadata, if there is any, is written.
    """

    codec: CodecName
    encoder: str
    options: dict[str, str]
    keeps_hdr: bool


def open_trial(target: av.container.OutputContainer, codec: CodecName) -> None:
    """Begin a file of small frames in ``codec``, to see whether its container can hold it."""
    known = CODECS[codec]
    _quieten(codec)
    target.add_stream(known.encoder, rate=25, options=_private_options(known, []))
    target.start_encoding()


def default_codec(suffix: str) -> CodecName:
    """Return the codec for a file name suffix when none was asked for."""
    return "av1" if suffix == ".webm" else "h264"


def settings_for(
    codec: str,
    *,
    quality: int | None,
    preset: str | None,
    layout: PixelLayout,
    size: tuple[int, int],
    hdr: StaticHdr,
) -> EncoderSettings:
    """Check what was asked of an encoder and return its settings.

    Parameters
    ----------
    codec
        One of ``CODECS``.
    quality
        Its constant quality, lower is better and larger; ``None`` for a good default.
    preset
        Its effort; ``None`` for the default.
    layout
        Of the frames to be encoded.
    size
        Their width and height.
    hdr
        Static HDR metadata to write.

    Raises
    ------
    InputError
        A value is not allowed, the codec cannot hold such frames, or this PyAV lacks the encoder.
    """
    if codec not in CODECS:
        raise InputError(f"codec is {codec!r}; allowed are {', '.join(CODECS)}")
    name: CodecName = codec
    known = CODECS[name]
    _check_frames(name, layout, size)
    _quieten(name)
    options = _quality_options(name, known, quality, preset)
    keeps_hdr = bool(hdr) and name != "ffv1"
    options.update(_private_options(known, _hdr_options(name, hdr)))
    if name == "ffv1":
        options.update(level="3", slicecrc="1")
    return EncoderSettings(name, known.encoder, options, keeps_hdr)


def _quieten(name: CodecName) -> None:
    """Keep SVT-AV1 from reporting on standard error.

    It can be told by the process's environment only; what the user set there stays.
    """
    if name == "av1":
        os.environ.setdefault("SVT_LOG", "1")


def _check_frames(name: CodecName, layout: PixelLayout, size: tuple[int, int]) -> None:
    held = {codec: held_formats(codec) for codec in CODECS}
    if not held[name]:
        able = [codec for codec, formats in held.items() if formats]
        raise InputError(
            f"this PyAV was built without {CODECS[name].encoder}; use --codec {' or '.join(able)}"
        )
    if layout.name not in held[name]:
        able = [codec for codec, formats in held.items() if layout.name in formats]
        raise InputError(
            f"{name} cannot hold {layout.name}; "
            f"use --codec {' or '.join(able) or 'none of them; convert the clip first'}"
        )
    width, height = size
    if not CODECS[name].holds(width, height):
        able = [codec for codec, known in CODECS.items() if held[codec] and known.holds(*size)]
        raise InputError(
            f"{name} cannot hold frames as large as {width}x{height}; use --codec "
            f"{' or '.join(able)}"
        )
    narrow = layout.name.startswith(("yuv420", "yuv422")) and width % 2
    low = layout.name.startswith("yuv420") and height % 2
    if CODECS[name].even and (narrow or low):
        raise InputError(
            f"{name} cannot hold {layout.name} frames of {width}x{height}: their sides must be "
            "even; use --codec ffv1 or a model that enlarges twice"
        )


def held_formats(codec: str) -> set[str]:
    """Return FFmpeg's names of the pixel formats that a codec can hold; none for an unknown one."""
    return _formats(CODECS[codec].encoder) if codec in CODECS else set()


def _formats(encoder: str) -> set[str]:
    try:
        formats = av.codec.Codec(encoder, "w").video_formats
    except av.codec.codec.UnknownCodecError:
        return set()
    return {pixel_format.name for pixel_format in formats or ()}


def _quality_options(
    name: CodecName, known: Codec, quality: int | None, preset: str | None
) -> dict[str, str]:
    if known.quality is None:
        if quality is not None:
            raise InputError(f"quality is {quality}, but {name} is lossless; leave it out")
        if preset is not None:
            raise InputError(f"preset is {preset!r}, but {name} has none; leave it out")
        return {}
    low, high, default = known.quality
    if quality is not None and not low <= quality <= high:
        raise InputError(
            f"quality is {quality}; for {name} {low} (best) to {high} (smallest) are allowed, "
            f"{default} is the default"
        )
    if preset is not None and preset not in known.presets:
        raise InputError(
            f"preset is {preset!r}; for {name} {', '.join(known.presets)} are allowed, "
            f"{known.preset} is the default"
        )
    return {
        "crf": str(default if quality is None else quality),
        "preset": preset or known.preset,
    }


def _hdr_options(name: CodecName, hdr: StaticHdr) -> list[str]:
    if name == "ffv1":
        return []
    mastering, light = {
        "h264": ("mastering-display", "cll"),
        "h265": ("master-display", "max-cll"),
        "av1": ("mastering-display", "content-light"),
    }[name]
    options = []
    if hdr.mastered:
        options.append(f"{mastering}={hdr.mastering_text(whole=name != 'av1')}")
    if hdr.light is not None:
        options.append(f"{light}={hdr.light[0]},{hdr.light[1]}")
    return options


def _private_options(known: Codec, more: list[str]) -> dict[str, str]:
    texts = [*known.private, *more]
    return {f"{known.encoder.removeprefix('lib')}-params": ":".join(texts)} if texts else {}
