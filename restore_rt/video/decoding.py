"""Decodes a file from where it stands: frames with clean times, and the packets between them."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import av
from av.stream import Stream
from av.video.stream import VideoStream

from restore_rt.timing import StageTimes
from restore_rt.video.choices import Deinterlace
from restore_rt.video.clock import Frame, FrameClock, PacketClock
from restore_rt.video.damage import Damage
from restore_rt.video.deinterlacing import Deinterlacer
from restore_rt.video.ending import Ending
from restore_rt.video.opening import Opened
from restore_rt.wording import count_of

__all__ = ["FREE_CLOCKS", "Decoding", "Step"]

FREE_CLOCKS = ("mpegts", "mpeg")
"""Formats whose clock starts anywhere, and not at the beginning of the recording."""

# Packets of other streams that are handed on without waiting for a frame.
_MANY_PACKETS = 64
# AVI stores no presentation times; FFmpeg's guesses are wrong where there are B-frames.
_NO_PRESENTATION_TIMES = ("avi",)
_NEAR_A_JUMP = Fraction(1, 2)


@dataclass(frozen=True)
class Step:
    """What came next in the file: packets of other streams, then perhaps a frame."""

    packets: list[av.Packet[Any]] = field(default_factory=list)
    frame: Frame | None = None


class Decoding:
    """One way through a file, with clocks and counts of its own.

    Parameters
    ----------
    opened
        The file.
    stream
        The video stream to decode.
    others
        Streams whose packets come in the steps.
    rate
        Frames per second, before deinterlacing.
    time_base
        Unit of the frames' times.
    deinterlace
        See ``restore_video``.
    stages
        Receives the time of decoding.

    Attributes
    ----------
    steps
        All that comes; can be gone through once.
    frames
        Number of frames that were decoded so far.
    """

    def __init__(
        self,
        opened: Opened,
        stream: VideoStream,
        others: Sequence[Stream],
        *,
        rate: Fraction,
        time_base: Fraction,
        deinterlace: Deinterlace,
        stages: StageTimes,
    ) -> None:
        self._opened, self._container = opened, opened.container
        self._stream, self._others = stream, others
        self._time_base, self._stages = time_base, stages
        unit = stream.time_base or Fraction(1, 1000)
        self._times = PacketClock(free=self._container.format.name in FREE_CLOCKS)
        self._clock = FrameClock(rate, unit)
        self._deinterlacer = Deinterlacer(deinterlace, unit)
        self._three_fields = _duration_of_three_fields(stream)
        self._ending = Ending(self._container, stream)
        self.frames = self._repeats = 0
        self.forget_damage()
        self.steps: Generator[Step] = self._read()

    def forget_damage(self) -> None:
        """Begin anew to count what could not be decoded."""
        self._damage = Damage()
        self._incomplete: list[Fraction] = []  # when packets come that lack a part

    def notes(self, start: Fraction) -> list[str]:
        """Tell what was done to times and fields; ``start`` is when the clip begins."""
        notes = []
        if self._deinterlacer.used:
            notes.append("the clip is interlaced; pictures were made of its fields by bwdif")
        if jumps := self._times.jumps:
            places = ", ".join(f"{float(time - start):.2f} s" for time in jumps)
            notes.append(
                f"the file's clock begins anew at {places}; what follows was moved behind what "
                "came before"
            )
        if self._repeats:
            notes.append(
                f"{self._repeats} of {self.frames} frames last for three fields, as film does in "
                "broadcasts and on discs (telecine by flags): each is restored once and keeps its "
                "time"
            )
        if self._clock.moved:
            notes.append(
                f"{self._clock.moved} timestamps were missing or not later than the one before; "
                "they were moved"
            )
        return notes

    def damage(self, name: str) -> str:
        """Tell how the file ended early, or what could not be decoded so far; "" if all could."""
        # Where files were joined, demuxers take whole packets for incomplete ones.
        self._damage.incomplete = sum(
            all(abs(time - jump) > _NEAR_A_JUMP for jump in self._times.jumps)
            for time in self._incomplete
        )
        frames = count_of(self.frames, "frame")
        pictures = self._opened.pictures
        if pictures is not None and pictures.failure:
            return f"{pictures.failure}; {frames} came before"
        if not pictures and self._opened.is_file:
            self._damage.ending = self._ending.early()
        if not self._damage:
            return ""
        return f"{name} is damaged: {self._damage}; {frames} could be decoded"

    @property
    def undecoded(self) -> str:
        """What could not be decoded so far; "" if all could."""
        return str(self._damage)

    def _read(self) -> Generator[Step]:
        packets: list[av.Packet[Any]] = []
        demuxer = self._container.demux(self._stream, *self._others)
        going = True
        while going:
            frames: list[Frame] = []
            with self._stages.measure("decode"):
                try:
                    packet = next(demuxer, None)
                except (av.FFmpegError, OSError) as error:
                    self._damage.reading = str(error)
                    packet = None
                if packet is None:
                    going = False
                    frames = [*self._decode(None), *self._deinterlacer.finish()]
                elif packet.stream is self._stream:
                    frames = self._decode(packet)
                elif packet.size or packet.dts is not None:
                    self._ending.saw(packet)
                    self._times.move(packet)
                    packets.append(packet)
            for frame in frames:
                yield Step(packets, frame)
                packets = []
            if len(packets) >= _MANY_PACKETS:
                yield Step(packets)
                packets = []
        if packets:
            yield Step(packets)

    def _decode(self, packet: av.Packet[Any] | None) -> list[Frame]:
        if packet is not None and not packet.size and packet.dts is not None:
            return []  # the frame before goes on; a decoder would take it for the end
        if packet is not None and packet.size:
            if self._container.format.name in _NO_PRESENTATION_TIMES:
                packet.pts = None
            self._ending.saw(packet)
            self._times.move(packet)
            if packet.is_corrupt and packet.pts is not None:
                self._incomplete.append(packet.pts * self._time_base)
        try:
            pictures = self._stream.decode(packet)
        except av.error.EOFError:
            return []  # flushed before
        except av.FFmpegError:
            self._damage.packets += 1
            return []
        frames = []
        for picture in pictures:
            if picture.is_corrupt:
                self._damage.frames += 1
                if not self.frames:
                    continue  # nothing whole has come yet: it shows only debris
            self.frames += 1
            frame = self._clock.frame(picture)
            self._repeats += abs(frame.duration - self._three_fields) < 1
            frames.append(frame)
        return self._deinterlacer(frames)


def _duration_of_three_fields(stream: VideoStream) -> Fraction:
    """Return how many ticks a frame lasts that repeats a field; -1 where nothing tells.

    MPEG-2 states it by a flag, of which demuxers make the duration.
    """
    rate, time_base = stream.codec_context.framerate, stream.time_base
    if stream.codec_context.name != "mpeg2video" or not rate or not time_base:
        return Fraction(-1)
    return Fraction(3, 2) / rate / time_base
