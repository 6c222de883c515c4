"""Timestamps that an encoder can take: one clock for the whole file, and later for each frame."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av

__all__ = ["Frame", "FrameClock", "PacketClock"]

# Packets are stored in the order of their decoding times, which grow; some files are untidy. What
# FFmpeg takes for a jump back in formats whose clock may jump is less.
_BACK, _BACK_WHERE_FREE = Fraction(-1), Fraction(-1, 10)
# What FFmpeg takes for a jump as well, in formats whose clock may jump.
_FORTH = Fraction(10)


@dataclass(frozen=True)
class Frame:
    """A decoded frame.

    Attributes
    ----------
    picture
        As the decoder gave it.
    pts
        When it is shown, in ``VideoReader.time_base``.
    duration
        How long, in the same unit; 0 when not known.
    """

    picture: av.VideoFrame
    pts: int
    duration: int


class PacketClock:
    """Makes one clock of a file's, where it begins anew: in files joined end to end, say.

    What follows such a place is moved behind what came before it, all streams by the same time,
    so that they stay together. The streams need not get there at once: a demuxer may hand out the
    last packet that one has of the old part after the first that another has of the new.

    Parameters
    ----------
    free
        The format's clock starts anywhere and can jump forward too.

    Attributes
    ----------
    jumps
        When the clock began anew, in seconds of the result.
    """

    def __init__(self, *, free: bool) -> None:
        self.jumps: list[Fraction] = []
        self._free = free
        self._newest = Fraction(0)  # what to add to times of the part that began last
        self._added: dict[int, Fraction] = {}  # what is added to a stream's times
        self._last: dict[int, Fraction] = {}  # decoding times by the file's clock
        self._now = self._end = Fraction(0)  # by the result's clock

    def move(self, packet: av.Packet[Any]) -> None:
        """Set a packet's times."""
        stream, time_base = packet.stream, packet.time_base
        pts = packet.dts if packet.pts is None else packet.pts
        dts = packet.pts if packet.dts is None else packet.dts
        if pts is None or dts is None or time_base is None:
            return
        begin, time = pts * time_base, dts * time_base
        added = self._added.get(stream.index, Fraction(0))
        if added != self._newest:
            if abs(time + self._newest - self._now) < abs(time + added - self._now):
                added = self._newest
        elif stream.type in ("video", "audio") and self._jumps(stream.index, time, time + added):
            self.jumps.append(self._end)
            added = self._newest = self._end - begin
        self._added[stream.index], self._last[stream.index] = added, time
        if stream.type in ("video", "audio"):
            self._now = time + added
            end = (pts + (packet.duration or 0)) * time_base + added
            self._end = max(self._end, end)
        if added:
            ticks = round(added / time_base)
            packet.pts = None if packet.pts is None else packet.pts + ticks
            packet.dts = None if packet.dts is None else packet.dts + ticks

    def _jumps(self, index: int, time: Fraction, now: Fraction) -> bool:
        last = self._last.get(index)
        if last is None:
            return False
        if time - last < (_BACK_WHERE_FREE if self._free else _BACK):
            return True
        # A stream that rested while the others went on has not jumped.
        return self._free and time - last > _FORTH and now - self._now > _FORTH


class FrameClock:
    """Timestamps that are there and grow, which encoders need; counts those it had to move.

    Where presentation times are missing, or go back more often than decoding times do, the
    decoding times count, as they do for FFmpeg: of the packet with which a frame came out.

    Attributes
    ----------
    moved
        Frames whose time was missing in the middle of the clip, or not later than the one before.
    """

    def __init__(self, rate: Fraction, time_base: Fraction) -> None:
        self._usual = max(1, round(1 / rate / time_base))
        self._last: int | None = None
        self._last_duration = self._step = 0
        self._presentation, self._decoding = _Order(), _Order()
        self._unknown = 0
        self.moved = 0

    def frame(self, picture: av.VideoFrame) -> Frame:
        """Return a decoded picture with its time."""
        pts = self._time_of(picture)
        duration = max(0, getattr(picture, "duration", None) or 0)
        if pts is not None:
            self.moved, self._unknown = self.moved + self._unknown, 0
        if self._last is None:
            pts = 0 if pts is None else pts
        elif pts is None and self._decoding.last is None:
            pts = self._last + (self._last_duration or self._usual)
            self.moved += 1
        elif pts is None:
            # The last frames, which come out when no packet is left, have no decoding time.
            pts = self._last + (self._step or self._usual)
            self._unknown += 1
        elif pts <= self._last:
            pts = self._last + 1
            self.moved += 1
        self._step = pts - (pts if self._last is None else self._last)
        self._last, self._last_duration = pts, duration
        return Frame(picture, pts, duration)

    def _time_of(self, picture: av.VideoFrame) -> int | None:
        pts, dts = picture.pts, picture.dts
        self._presentation.see(pts)
        self._decoding.see(dts)
        if pts is None or (dts is not None and self._presentation.back > self._decoding.back):
            return dts
        return pts


@dataclass
class _Order:
    """Counts how often times do not grow."""

    last: int | None = None
    back: int = 0

    def see(self, time: int | None) -> None:
        if time is not None:
            self.back += self.last is not None and time <= self.last
            self.last = time
