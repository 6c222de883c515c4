"""The files that can be written, and what of a source file they can hold."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.stream import Disposition, Stream

from restore_rt.errors import InputError
from restore_rt.video.choices import CONTAINERS
from restore_rt.video.codecs import CODECS, CodecName, open_trial

__all__ = [
    "FORMATS",
    "add_copy",
    "add_cover",
    "check_codec",
    "copy_disposition",
    "holds_copy",
    "holds_cover",
    "is_cover",
    "kept_metadata",
    "reason",
    "refused_together",
    "stream_name",
]

FORMATS = {suffix: each.muxer for each in CONTAINERS.values() for suffix in each.suffixes}

# Tags that describe the source file's bytes, not its content; writers make their own.
_STALE = (
    "encoder",
    "duration",
    "bps",
    "number_of_",
    "_statistics_",
    "alpha_mode",
    "major_brand",
    "minor_version",
    "compatible_brands",
    "vendor_id",
)


def check_codec(codec: CodecName, path: Path) -> None:
    """Raise ``InputError`` if the container of ``path`` cannot hold ``codec``."""
    if not _holds_codec(FORMATS[path.suffix.lower()], codec):
        fits = [suffix for suffix, name in FORMATS.items() if _holds_codec(name, codec)]
        codecs = [other for other in CODECS if _holds_codec(FORMATS[path.suffix.lower()], other)]
        raise InputError(
            f"{path.suffix} cannot hold {codec}; use {' or '.join(fits)}, "
            f"or --codec {' or '.join(codecs)}"
        )


def refused_together(
    container: str, streams: Iterable[Stream], first_packet: Callable[[int], bytes]
) -> list[tuple[Stream, str]]:
    """Write a file of nothing but the streams to copy, before any work.

    Muxers object to some streams only when the file is finished, and to some only beside others.

    Parameters
    ----------
    container
        FFmpeg's name of it.
    streams
        To be copied.
    first_packet
        Returns a stream's first packet by its index, or nothing.

    Returns
    -------
    list of (Stream, str)
        Those that the container does not hold beside the ones before them, each with the reason.
    """
    streams = [stream for stream in streams if not (is_cover(stream) and container == "matroska")]
    if not _objection(container, streams, first_packet):
        return []
    held: list[Stream] = []
    refused = []
    for stream in streams:
        if why := _objection(container, [*held, stream], first_packet):
            refused.append((stream, why))
        else:
            held.append(stream)
    return refused


def _objection(
    container: str, streams: Sequence[Stream], first_packet: Callable[[int], bytes]
) -> str:
    """Say why streams cannot be written together; ``""`` if they can."""
    if not streams:
        return ""
    try:
        with _scratch(container) as target:
            copies = [(add_copy(target, stream), first_packet(stream.index)) for stream in streams]
            target.start_encoding()
            for copy, data in copies:
                if data:
                    packet: av.Packet[Any] = av.Packet(data)
                    packet.stream = copy
                    packet.pts = packet.dts = 0
                    packet.time_base = copy.time_base or Fraction(1, 1000)
                    target.mux_one(packet)
            target.close()
    except (av.FFmpegError, ValueError, OSError) as error:
        return reason(error)
    return ""


def reason(error: Exception) -> str:
    """Return why FFmpeg failed, without the name of the file, which may be a temporary one."""
    log = getattr(error, "log", None)
    return str(log[2] if log else getattr(error, "strerror", None) or error)


def add_copy(target: av.container.OutputContainer, stream: Stream) -> Stream:
    """Add a stream that takes the packets of ``stream`` as they are."""
    copy = target.add_stream_from_template(stream, opaque=True)
    copy.metadata.clear()
    copy.metadata.update(kept_metadata(stream.metadata))
    copy_disposition(copy, stream)
    if stream.time_base is not None:
        copy.time_base = stream.time_base
    return copy


def copy_disposition(target: Stream, source: Stream) -> None:
    """Mark a stream the way another one is marked: default, forced, for whom."""
    # Assigned as a number: PyAV 16 and 17 do not take their own type.
    target.disposition = source.disposition.value  # type: ignore[assignment]


def kept_metadata(metadata: dict[str, str]) -> dict[str, str]:
    """Return the entries that are still true in another file."""
    kept = {key: text for key, text in metadata.items() if not key.lower().startswith(_STALE)}
    if "name" in kept:
        # MP4 files are read with the one name for a stream's title, and written with the other.
        kept.setdefault("title", kept.pop("name"))
    return kept


def add_cover(target: av.container.OutputContainer, stream: Stream, picture: bytes) -> None:
    """Add a cover picture the way Matroska has it, as an attachment."""
    assert stream.codec_context is not None
    kind = "png" if stream.codec_context.name == "png" else "jpeg"
    target.add_attachment(f"cover.{kind.replace('jpeg', 'jpg')}", f"image/{kind}", picture)


def is_cover(stream: Stream) -> bool:
    """Whether a video stream is a single picture that stands for the file."""
    return stream.type == "video" and bool(stream.disposition & Disposition.attached_pic)


def holds_cover(container: str) -> bool:
    """Whether a cover picture is written to a container."""
    has_attachments = hasattr(av.container.OutputContainer, "add_attachment")
    return container == "mp4" or (container == "matroska" and has_attachments)


def holds_copy(container: str, stream: Stream) -> bool:
    """Whether a container can hold a stream as it is. Tries it: only the muxer knows."""
    with _scratch(container) as target:
        try:
            add_copy(target, stream)
            target.start_encoding()
            target.close()
        except (av.FFmpegError, ValueError, OSError):
            return False
        return True


def _holds_codec(container: str, codec: CodecName) -> bool:
    with _scratch(container) as target:
        try:
            open_trial(target, codec)
        except (av.FFmpegError, ValueError, OSError):
            return False
        return True


@contextlib.contextmanager
def _scratch(container: str) -> Iterator[av.container.OutputContainer]:
    target = av.open(io.BytesIO(), "w", format=container)
    try:
        yield target
    finally:
        with contextlib.suppress(av.FFmpegError, ValueError, OSError):
            target.close()


def stream_name(stream: Stream) -> str:
    """Return what to call a stream in a message."""
    # Streams without a codec may have a name all the same.
    codec = getattr(stream.codec_context or stream, "name", None)
    return f"{stream.type} stream {stream.index} ({codec or 'unknown'})"
