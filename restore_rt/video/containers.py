"""The files that can be written, and what of a source file they can hold."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.stream import Disposition, Stream

from restore_rt.errors import InputError
from restore_rt.video.codecs import CODECS, CodecName, open_trial

__all__ = [
    "FORMATS",
    "add_copy",
    "add_cover",
    "check_codec",
    "check_together",
    "copied_streams",
    "copy_disposition",
    "format_for",
    "is_cover",
    "kept_metadata",
    "reason",
]

FORMATS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}

_DISCARD_ALL = 48  # FFmpeg's AVDISCARD_ALL

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


def format_for(path: Path) -> str:
    """Return FFmpeg's name of the container for a file name.

    Raises
    ------
    InputError
        The suffix is not one that can be written.
    """
    try:
        return FORMATS[path.suffix.lower()]
    except KeyError:
        raise InputError(
            f"{path} ends in {path.suffix or 'no suffix'!r}; allowed are {', '.join(FORMATS)}"
        ) from None


def check_codec(codec: CodecName, path: Path) -> None:
    """Raise ``InputError`` if the container of ``path`` cannot hold ``codec``."""
    if not _holds_codec(FORMATS[path.suffix.lower()], codec):
        fits = [suffix for suffix, name in FORMATS.items() if _holds_codec(name, codec)]
        codecs = [other for other in CODECS if _holds_codec(FORMATS[path.suffix.lower()], other)]
        raise InputError(
            f"{path.suffix} cannot hold {codec}; use {' or '.join(fits)}, "
            f"or --codec {' or '.join(codecs)}"
        )


def copied_streams(
    source: av.container.InputContainer, others: Iterable[Stream], path: Path
) -> tuple[list[Stream], list[str]]:
    """Decide which streams beside the restored one are copied.

    Returns
    -------
    list of Stream, list of str
        The streams to copy, and notes on those that are left out: further videos, and data that
        the container cannot hold. Tracks that writers make anew are in neither: the text of
        chapters, and the timecode of a video, which Matroska keeps as a tag.

    Raises
    ------
    InputError
        The container cannot hold an audio or subtitle stream.
    """
    container = FORMATS[path.suffix.lower()]
    copied: list[Stream] = []
    notes = []
    timed = any("timecode" in stream.metadata for stream in source.streams.video)
    for stream in others:
        name = _name(stream)
        if stream.type == "video" and not is_cover(stream):
            notes.append(f"{name} is left out: one video stream is restored, the first")
        elif is_cover(stream) and not _holds_cover(container):
            notes.append(f"the cover picture is left out: it is not written to {path.suffix}")
        elif _is_chapter_text(stream, source):
            continue
        elif _is_timecode(stream):
            # A copy has no video to count the frames of, which makes the file invalid.
            if not timed:
                notes.append(f"{name} is left out: it is a timecode without a video")
        elif _holds(container, stream):
            copied.append(stream)
        elif stream.type in ("audio", "subtitle"):
            fits = [suffix for suffix, other in FORMATS.items() if _holds(other, stream)]
            fix = f"write {' or '.join(fits)}" if fits else "convert or remove it first"
            raise InputError(f"{path.suffix} cannot hold {name}; {fix}")
        else:
            notes.append(f"{name} is left out: {path.suffix} cannot hold it")
    return copied, notes


def check_together(
    path: Path, streams: Iterable[Stream], first_packet: Callable[[int], bytes]
) -> None:
    """Write a file of nothing but the streams to copy, before any work.

    Muxers object to some streams only when the file is finished, and to some only beside others.

    Parameters
    ----------
    path
        Its suffix decides the container.
    streams
        To be copied.
    first_packet
        Returns a stream's first packet by its index, or nothing.

    Raises
    ------
    InputError
        The container of ``path`` cannot hold them together.
    """
    container = FORMATS[path.suffix.lower()]
    streams = [stream for stream in streams if not (is_cover(stream) and container == "matroska")]
    if not streams:
        return
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
        names = ", ".join(map(_name, streams))
        raise InputError(
            f"{path.suffix} cannot hold together {names} ({reason(error)}); "
            f"write {'.mp4' if container == 'matroska' else '.mkv'}, or remove one first"
        ) from error


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


def _holds_cover(container: str) -> bool:
    has_attachments = hasattr(av.container.OutputContainer, "add_attachment")
    return container == "mp4" or (container == "matroska" and has_attachments)


def _holds(container: str, stream: Stream) -> bool:
    """Try it: only the muxer knows."""
    with _scratch(container) as target:
        try:
            add_copy(target, stream)
            target.start_encoding()
            target.close()
        except (av.FFmpegError, ValueError, OSError):
            return False
        return True


def _is_chapter_text(stream: Stream, source: av.container.InputContainer) -> bool:
    """Whether a data stream is how MP4 and QuickTime store the titles of the file's chapters."""
    chapters = source.chapters()
    if stream.type != "data" or not chapters or "mov" not in source.format.name.split(","):
        return False
    # Demuxers discard its packets; older PyAV cannot tell, but a sample for each chapter does.
    discard = getattr(stream, "discard", None)
    return stream.frames == len(chapters) if discard is None else discard == _DISCARD_ALL


def _is_timecode(stream: Stream) -> bool:
    return stream.type == "data" and "timecode" in stream.metadata


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


def _name(stream: Stream) -> str:
    # Streams without a codec may have a name all the same.
    codec = getattr(stream.codec_context or stream, "name", None)
    return f"{stream.type} stream {stream.index} ({codec or 'unknown'})"
