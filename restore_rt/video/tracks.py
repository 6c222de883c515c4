"""What becomes of the streams beside the one that is restored: copied, converted, or left out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import av
from av.stream import Stream

from restore_rt.errors import InputError
from restore_rt.video.choices import AudioChoice
from restore_rt.video.containers import (
    FORMATS,
    holds_copy,
    holds_cover,
    is_cover,
    refused_together,
    stream_name,
)
from restore_rt.video.sound import MOST_CHANNELS, holds_sound
from restore_rt.video.subtitles import TEXTS, holds_text

__all__ = ["Track", "TrackChoices", "choose_tracks"]

# What sound becomes that a container cannot hold: without loss where it holds such a codec at all.
_SOUND = {"mp4": "flac", "mov": "alac", "matroska": "flac", "webm": "opus"}
_LOSSLESS = ("flac", "alac")
_KINDS = {"audio": "audio", "subtitles": "subtitle", "data": "data", "attachments": "attachment"}
_DISCARD_ALL = 48  # FFmpeg's AVDISCARD_ALL


@dataclass(frozen=True)
class Track:
    """A stream that goes along.

    Attributes
    ----------
    stream
        Of the source.
    codec
        What it is converted to; "" to copy it as it is.
    """

    stream: Stream
    codec: str = ""


@dataclass(frozen=True)
class TrackChoices:
    """What the user wants of the streams beside the restored one.

    Attributes
    ----------
    audio
        ``auto`` copies sound, and converts what the container cannot hold; ``copy`` copies it or
        leaves it out; ``flac`` and ``aac`` convert all of it; ``none`` leaves it out.
    drop
        What to leave out: a kind (audio, subtitles, data, attachments), or one of a kind, counted
        from 0: ``audio:1``.

    Raises
    ------
    InputError
        A value is not allowed.
    """

    audio: AudioChoice = "auto"
    drop: Sequence[str] = ()

    def __post_init__(self) -> None:
        if self.audio not in get_args(AudioChoice):
            allowed = ", ".join(get_args(AudioChoice))
            raise InputError(f"audio is {self.audio!r}; allowed are {allowed}")
        for text in self.drop:
            _parse(text)

    def dropped(self, streams: Iterable[Stream]) -> set[int]:
        """Return the indices of the streams to leave out.

        Raises
        ------
        InputError
            There is no stream of such a number.
        """
        indices = set[int]()
        for text in self.drop:
            kind, number = _parse(text)
            found = [each.index for each in streams if each.type == kind]
            if number is not None and number >= len(found):
                raise InputError(
                    f"drop is {text!r}, but the file has {len(found)} such streams; they are "
                    "counted from 0"
                )
            indices.update(found if number is None else [found[number]])
        return indices


def choose_tracks(
    source: av.container.InputContainer,
    others: Sequence[Stream],
    path: Path,
    choices: TrackChoices,
    first_packet: Callable[[int], bytes],
) -> tuple[list[Track], list[str]]:
    """Decide what becomes of each stream beside the restored one.

    Tracks that writers make anew are not told of: the text of chapters, and the timecode of a
    video, which Matroska keeps as a tag. ``first_packet`` returns a stream's first packet by its
    index, or nothing.

    Returns
    -------
    list of Track, list of str
        Those that go along, and notes on what is converted or left out.

    Raises
    ------
    InputError
        The container of ``path`` cannot hold the codec that was asked for, or a choice names a
        stream that is not there.
    """
    container = FORMATS[path.suffix.lower()]
    if choices.audio in ("flac", "aac") and not holds_sound(container, choices.audio):
        fits = [suffix for suffix, other in FORMATS.items() if holds_sound(other, choices.audio)]
        raise InputError(
            f"audio is {choices.audio!r}, which {path.suffix} cannot hold; write "
            f"{' or '.join(fits)}, or leave the option out"
        )
    dropped = choices.dropped(others)
    timed = any("timecode" in stream.metadata for stream in source.streams.video)
    tracks: list[Track] = []
    notes: list[str] = []
    for stream in others:
        if stream.index in dropped or (stream.type == "audio" and choices.audio == "none"):
            continue
        if _is_chapter_text(stream, source) or (_is_timecode(stream) and timed):
            continue
        track, note = _choose(stream, container, path.suffix, choices)
        tracks += [track] if track is not None else []
        notes += [note] if note else []
    copied = [track.stream for track in tracks if not track.codec]
    for stream, reason in refused_together(container, copied, first_packet):
        tracks = [track for track in tracks if track.stream is not stream]
        why = f"{path.suffix} cannot hold it here ({reason})"
        if stream.type == "audio" and choices.audio == "auto" and _is_decoded(stream):
            track, note = _converted(stream, container, why)
            tracks.append(track)
            notes.append(note)
        else:
            notes.append(f"{stream_name(stream)} is left out: {why}")
    return tracks, notes


def _choose(
    stream: Stream, container: str, suffix: str, choices: TrackChoices
) -> tuple[Track | None, str]:
    name = stream_name(stream)
    if stream.type == "video" and not is_cover(stream):
        return None, f"{name} is left out: one video stream is restored, the first"
    if is_cover(stream):
        if holds_cover(container):
            return Track(stream), ""
        return None, f"the cover picture is left out: it is not written to {suffix}"
    if _is_timecode(stream):
        # A copy has no video to count the frames of, which makes the file invalid.
        return None, f"{name} is left out: it is a timecode without a video"
    if stream.type == "audio" and choices.audio in ("flac", "aac"):
        if _is_decoded(stream):
            return Track(stream, choices.audio), ""
        return None, f"{name} is left out: it cannot be decoded here"
    codec = getattr(stream.codec_context or stream, "name", None) or ""
    why = f"{suffix} cannot hold it"
    if container == "mp4" and codec.startswith("pcm_"):
        # As of 2022 it may; players of before that play noise, or nothing.
        why = f"few players read it in {suffix}"
    elif holds_copy(container, stream):
        return Track(stream), ""
    if stream.type == "audio" and choices.audio == "auto" and _is_decoded(stream):
        return _converted(stream, container, why)
    if stream.type == "subtitle" and codec in TEXTS and (text := holds_text(container)):
        lost = "; its styles are lost" if TEXTS[codec].styled or TEXTS[text].styled else ""
        return Track(stream, text), f"{name} is converted to {text}: {why}{lost}"
    return None, f"{name} is left out: {why}"


def _converted(stream: Stream, container: str, why: str) -> tuple[Track, str]:
    sound = _SOUND[container]
    lossy = "" if sound in _LOSSLESS else ", with loss"
    return Track(stream, sound), f"{stream_name(stream)} is converted to {sound}{lossy}: {why}"


def _is_decoded(stream: Stream) -> bool:
    context: Any = stream.codec_context
    if context is None or not context.rate:
        return False
    return context.layout.nb_channels in range(1, MOST_CHANNELS + 1)


def _parse(text: str) -> tuple[str, int | None]:
    found = re.fullmatch(rf"({'|'.join(_KINDS)})(?::(\d+))?", text)
    if found is None:
        raise InputError(
            f"drop is {text!r}; allowed are {', '.join(_KINDS)}, or one of them with a number "
            "that counts from 0, as in audio:1"
        )
    return _KINDS[found[1]], None if found[2] is None else int(found[2])


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
