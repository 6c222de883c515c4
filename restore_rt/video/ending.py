"""Whether a file ends where it says that it would."""

from __future__ import annotations

import os
from fractions import Fraction
from typing import Any

import av
from av.video.stream import VideoStream

__all__ = ["Ending", "stated_seconds"]

_MICROSECOND = Fraction(1, 1_000_000)
_GIF_TRAILER = b";"
# The boxes that may stand at the top of an MP4 or QuickTime file.
_BOXES = frozenset(
    b"ftyp styp moov moof mdat sidx ssix mfra emsg prft meta udta uuid free skip wide pnot".split()
)


class Ending:
    """Watches the packets of a file and compares where they end with what its header states."""

    def __init__(self, container: av.container.InputContainer, stream: VideoStream) -> None:
        self._container = container
        self._stream = stream
        self._packets = 0
        self._end = Fraction(0)  # of the video, in seconds
        self._end_of_all = Fraction(0)
        self._end_of_data = 0  # in bytes
        self._last: Fraction | None = None  # decoding time of the video's last packet
        self._longest_step = Fraction(0)  # between two of these

    def saw(self, packet: av.Packet[Any]) -> None:
        """Take note of a packet."""
        time_base, pts = packet.time_base, packet.dts if packet.pts is None else packet.pts
        if time_base is not None and pts is not None:
            end = (pts + (packet.duration or 0)) * time_base
            self._end_of_all = max(self._end_of_all, end)
            if packet.stream is self._stream:
                self._end = max(self._end, end)
        if packet.stream is self._stream:
            self._packets += 1
            if time_base is not None and packet.dts is not None:
                time = packet.dts * time_base
                self._longest_step = max(self._longest_step, time - (self._last or time))
                self._last = time
        if packet.pos is not None:
            self._end_of_data = max(self._end_of_data, packet.pos + packet.size)

    def early(self) -> str:
        """Say how the file ends early; ``""`` if it does not, or if nothing tells."""
        names = self._container.format.name.split(",")
        if "gif" in names:
            return "" if self._ends_with(_GIF_TRAILER) else "it ends before its trailer"
        if "yuv4mpegpipe" in names:
            whole = self._end_of_data >= self._container.size
            return "" if whole else "it ends within a frame"
        frame = 1 / (self._stream.average_rate or Fraction(25))
        if "mov" in names or "avi" in names:
            # Both must fall short: an edit list may leave frames out, a last frame be short.
            stated = stream_seconds(self._stream)
            short = self._packets < self._stream.frames
            said = _compare(self._end, stated if short else None, self._tolerance(frame / 2))
            return said or (self._cut_box() if "mov" in names else "")
        if "matroska" in names:
            if (tagged := _tagged_seconds(self._stream)) is not None:
                return _compare(self._end, tagged, frame / 2)
            duration = self._container.duration
            stated = None if duration is None else duration * _MICROSECOND
            return _compare(self._end_of_all, stated, max(frame, Fraction(1, 10)))
        return ""

    def _tolerance(self, usual: Fraction) -> Fraction:
        """Return what the end may lack: AVI counts ticks, of which a frame may last several."""
        tick = self._stream.time_base or Fraction(0)
        several = "avi" in self._container.format.name and self._longest_step > tick
        return max(usual, self._longest_step) if several else usual

    def _cut_box(self) -> str:
        """Walk the top-level boxes: fragments state no duration, but each box its size."""
        position, total = 0, self._container.size
        with open(self._container.name, "rb") as file:  # noqa: PTH123
            while position < total:
                file.seek(position)
                header = file.read(16)
                kind = header[4:8]
                if len(header) < 8:
                    return "it ends within a box's header" if header.strip(b"\0") else ""
                if kind not in _BOXES:
                    break  # what follows is not for players
                size = int.from_bytes(header[:4], "big")
                if size == 0:
                    break  # it goes to the end, wherever that is
                if size == 1:
                    size = int.from_bytes(header[8:], "big")
                if size < 8:
                    break
                position += size
                if position > total:
                    return f"its last box ({kind.decode()}) lacks {position - total} bytes"
        return ""

    def _ends_with(self, trailer: bytes) -> bool:
        with open(self._container.name, "rb") as file:  # noqa: PTH123
            file.seek(-min(64, self._container.size), os.SEEK_END)
            return file.read().rstrip(b"\0").endswith(trailer)


def stated_seconds(container: av.container.InputContainer, stream: VideoStream) -> Fraction | None:
    """Return how long a video is by its header; ``None`` when it does not say."""
    tagged = _tagged_seconds(stream)
    if tagged is not None:
        return tagged
    if stream.duration is not None and stream.time_base is not None:
        return stream.duration * stream.time_base
    return None if container.duration is None else container.duration * _MICROSECOND


def stream_seconds(stream: VideoStream) -> Fraction | None:
    """Return when a stream ends by its header, in seconds."""
    if stream.duration is None or stream.time_base is None:
        return None
    return ((stream.start_time or 0) + stream.duration) * stream.time_base


def _tagged_seconds(stream: VideoStream) -> Fraction | None:
    """Return the DURATION that Matroska writers leave in a stream's tags, as 00:00:05.000000000."""
    text = stream.metadata.get("DURATION", "")
    try:
        hours, minutes, seconds = text.split(":")
        return int(hours) * 3600 + int(minutes) * 60 + Fraction(seconds.strip())
    except ValueError:
        return None


def _compare(end: Fraction, stated: Fraction | None, tolerance: Fraction) -> str:
    if stated is None or end >= stated - tolerance:
        return ""
    return f"it ends at {float(end):.2f} s of {float(stated):.2f} s"
