"""Subtitles of text in the form of another container."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import av
from av.stream import Stream

__all__ = ["TEXTS", "SubtitleConverter", "holds_text"]

# What each container holds; MP4 and QuickTime take the same.
_HELD = {"mp4": "mov_text", "mov": "mov_text", "matroska": "subrip", "webm": "webvtt"}


def holds_text(container: str) -> str:
    """Return the codec of subtitles that a container holds."""
    return _HELD[container]


# The tags of SubRip, those that WebVTT has, too, and where on the screen a line stands.
_TAG = re.compile(r"</?(?:[ibus]|font)(?:\s[^>]*)?>", re.IGNORECASE)
_FONT = re.compile(r"</?(?:font|s)(?:\s[^>]*)?>", re.IGNORECASE)
_SHARED_TAG = re.compile(r"(</?[ibu]>)", re.IGNORECASE)
_PLACE = re.compile(r"\{\\an?\d+\}")
# Of WebVTT: speakers, classes, times within a cue.
_CUE_TAG = re.compile(r"</?(?:c|v|lang|ruby|rt)(?:[.\s][^>]*)?>|<\d[\d:.]*>")


def _plain(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _of_mov_text(data: bytes) -> str:
    # Its length stands before it, and boxes with styles behind it.
    return _plain(data[2 : 2 + int.from_bytes(data[:2], "big")])


def _of_ass(data: bytes) -> str:
    # ReadOrder, Layer, Style, Name, MarginL, MarginR, MarginV, Effect, Text
    text = _plain(data).split(",", 8)[-1]
    return re.sub(r"\{[^}]*\}", "", text).replace(r"\N", "\n").replace(r"\n", "\n")


def _to_mov_text(text: str) -> bytes:
    data = _PLACE.sub("", _TAG.sub("", text)).encode()[:0xFFFF]
    return len(data).to_bytes(2, "big") + data


def _of_webvtt(data: bytes) -> str:
    return html.unescape(_CUE_TAG.sub("", _plain(data)))


def _to_webvtt(text: str) -> bytes:
    parts = _SHARED_TAG.split(_PLACE.sub("", _FONT.sub("", text)))
    # Every other part is a tag, which both have.
    parts[::2] = [html.escape(part, quote=False) for part in parts[::2]]
    return "".join(parts).encode()


@dataclass(frozen=True)
class Text:
    """How a codec stores a line.

    Attributes
    ----------
    read
        Its text, with the tags of SubRip where there are styles that these can tell.
    write
        From such a text.
    styled
        It has styles that are not tags in the text, or none.
    """

    read: Callable[[bytes], str]
    write: Callable[[str], bytes]
    styled: bool = False


TEXTS = {
    "srt": Text(_plain, str.encode),
    "subrip": Text(_plain, str.encode),
    "text": Text(_plain, str.encode),
    "webvtt": Text(_of_webvtt, _to_webvtt),
    "mov_text": Text(_of_mov_text, _to_mov_text, styled=True),
    "ass": Text(_of_ass, str.encode, styled=True),
    "ssa": Text(_of_ass, str.encode, styled=True),
}


class SubtitleConverter:
    """Stores the lines of a stream as another codec.

    Parameters
    ----------
    target
        The file to add the stream to.
    source
        The stream whose packets come.
    codec
        One of ``TEXTS``.

    Attributes
    ----------
    stream
        The one that was added.
    """

    def __init__(self, target: av.container.OutputContainer, source: Stream, codec: str) -> None:
        name = getattr(source.codec_context or source, "name", "")
        self._read, self._write = TEXTS[name].read, TEXTS[codec].write
        self.stream: Any = target.add_mux_stream(codec)
        self.stream.time_base = source.time_base

    def convert(self, packet: av.Packet[Any]) -> list[av.Packet[Any]]:
        """Return what a packet of the source becomes."""
        changed: av.Packet[Any] = av.Packet(self._write(self._read(bytes(packet))))
        changed.pts, changed.dts, changed.duration = packet.pts, packet.dts, packet.duration
        changed.time_base = packet.time_base
        changed.is_keyframe = True
        return [changed]

    def finish(self) -> list[av.Packet[Any]]:
        """Return what is left: nothing."""
        return []
