"""Encoding in segments: each begins with a new encoder, and its packets are kept on the disk."""

from __future__ import annotations

import hashlib
import heapq
import os
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av

from restore_rt.errors import MediaError
from restore_rt.files import output_error
from restore_rt.video.encoding import FrameEncoder
from restore_rt.video.journal import Journal, Segment

__all__ = ["SegmentedEncoder"]

# Presentation time, decoding time, duration, size, and whether it is a key frame.
_HEAD = struct.Struct("<qqqI?")


class _Record(NamedTuple):
    """A packet as it is kept."""

    pts: int
    dts: int
    duration: int
    is_key: bool
    data: bytes

    @classmethod
    def of(cls, packet: av.Packet[Any]) -> _Record:
        assert packet.pts is not None
        dts = packet.pts if packet.dts is None else packet.dts
        return cls(packet.pts, dts, packet.duration or 0, packet.is_keyframe, bytes(packet))

    def packet(self, dts: int, time_base: Fraction) -> av.Packet[Any]:
        """Return it with a decoding time."""
        packet: av.Packet[Any] = av.Packet(self.data)
        packet.pts, packet.dts, packet.duration = self.pts, dts, self.duration
        packet.time_base = time_base
        packet.is_keyframe = self.is_key
        return packet


class SegmentedEncoder:
    """Encodes frames in segments of a fixed number, or takes over what an earlier run encoded.

    Every packet passes through the form in which it is kept, so that the result does not depend
    on which run encoded it. A segment is kept once it has all its frames: the last ones of a clip,
    which are fewer, are not, since only the end of the source tells that there are no more.

    Parameters
    ----------
    journal
        Keeps the segments.
    open_encoder
        Opens an encoder for the next segment.
    first
        One that is open already.
    """

    def __init__(
        self,
        journal: Journal,
        open_encoder: Callable[[], FrameEncoder],
        first: FrameEncoder,
    ) -> None:
        self._journal = journal
        self._open_encoder = open_encoder
        self._encoder: FrameEncoder | None = first
        self._time_base = first.stream.codec_context.time_base or Fraction(1, 1000)
        self._frames = 0
        self._begin = 0
        self._sink: _Sink | None = None
        self._kept: Iterator[_Record] | None = None
        self._times = _DecodingTimes()

    def encode(self, frame: av.VideoFrame) -> list[av.Packet[Any]]:
        """Encode a frame; return the packets that are ready."""
        assert frame.pts is not None
        if self._sink is None:
            self._sink = _Sink(self._journal.path(self._number))
            self._begin = frame.pts
        if self._encoder is None:
            self._encoder = self._open_encoder()
        packets = self._encoder.encode(frame)
        number, ends = self._number, self._counts()
        if ends:
            packets += self._encoder.finish()
            self._release()
        records = self._sink.keep(packets)
        if ends:
            size, checksum = self._sink.finish()
            self._sink = None
            self._journal.add(Segment(number, self._begin, frame.pts, size, checksum))
        return self._timed(records)

    def take_over(self, pts: int) -> list[av.Packet[Any]]:
        """Return packets of a segment that was kept, in place of encoding a frame of it.

        Raises
        ------
        MediaError
            The frames are not those of the run that encoded the segment.
        """
        number = self._number
        if self._kept is None:
            self._kept = _records(self._journal.path(number))
        # One for each frame, so that they come as evenly as from an encoder.
        records = [record for record in (next(self._kept, None),) if record is not None]
        if self._counts():
            records += self._kept
            self._kept = None
            if pts != self._journal.segments[number].last:
                raise self._other_frames()
        return self._timed(records)

    def finish(self) -> list[av.Packet[Any]]:
        """Return the packets that are left.

        Raises
        ------
        MediaError
            Fewer frames came than an earlier run had encoded.
        """
        if self._frames < self._journal.end:
            raise self._other_frames()
        if self._encoder is None or self._sink is None:
            return []
        packets = self._encoder.finish()
        self._release()
        return self._timed(list(map(_Record.of, packets)))

    def close(self) -> None:
        """Release the encoder and the file of the segment that is not finished."""
        self._release()
        if self._sink is not None:
            self._sink.close()

    @property
    def _number(self) -> int:
        return self._frames // self._journal.length

    def _counts(self) -> bool:
        """Count a frame; return whether it is the last of its segment."""
        self._frames += 1
        return self._frames % self._journal.length == 0

    def _release(self) -> None:
        if self._encoder is not None:
            self._encoder.close()
        self._encoder = None

    def _timed(self, records: list[_Record]) -> list[av.Packet[Any]]:
        return [record.packet(self._times.of(record), self._time_base) for record in records]

    def _other_frames(self) -> MediaError:
        return MediaError(
            f"the source gave other frames than to the run that left {self._journal.folder}, "
            f"where {self._journal.end} were restored: if it can be read again, try once more; "
            "else remove that folder to begin anew"
        )


class _Sink:
    """The file of a segment's packets, as it is being written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._digest = hashlib.sha256()
        self._size = 0
        try:
            self._file = path.open("wb")
        except OSError as error:
            raise output_error(error, path) from error

    def keep(self, packets: list[av.Packet[Any]]) -> list[_Record]:
        """Write packets; return them as they will be read."""
        records = list(map(_Record.of, packets))
        try:
            for pts, dts, duration, is_key, data in records:
                for part in (_HEAD.pack(pts, dts, duration, len(data), is_key), data):
                    self._digest.update(part)
                    self._size += self._file.write(part)
        except OSError as error:
            raise output_error(error, self._path) from error
        return records

    def finish(self) -> tuple[int, str]:
        """Bring all to the disk; return the file's size and checksum."""
        try:
            with self._file:
                self._file.flush()
                os.fsync(self._file.fileno())
        except OSError as error:
            raise output_error(error, self._path) from error
        return self._size, self._digest.hexdigest()

    def close(self) -> None:
        """Close the file, and remove it: it is not whole."""
        with suppress(OSError):  # of a full disk, which was told before
            self._file.close()
        with suppress(OSError):
            self._path.unlink()


def _records(path: Path) -> Iterator[_Record]:
    try:
        with path.open("rb") as file:
            while head := file.read(_HEAD.size):
                pts, dts, duration, size, is_key = _HEAD.unpack(head)
                yield _Record(pts, dts, duration, is_key, file.read(size))
    except OSError as error:
        raise MediaError(f"cannot read {path}: {error.strerror}") from error


class _DecodingTimes:
    """Decoding times over all segments, as one encoder for the whole clip would give them.

    An encoder that reorders frames by at most n gives the packet number i the presentation time
    of frame i - n, and the first n packets times before these. Where segments meet, the first n
    packets of each but the first segment would have times of their own, which need not grow where
    the frame rate varies.
    """

    def __init__(self) -> None:
        self._waiting: list[int] = []  # a heap of presentation times
        self._first: int | None = None
        self._early = True

    def of(self, record: _Record) -> int:
        """Return the decoding time of the next packet."""
        if self._first is None:
            self._first = record.pts
        heapq.heappush(self._waiting, record.pts)
        self._early = self._early and record.dts < self._first
        return record.dts if self._early else heapq.heappop(self._waiting)
