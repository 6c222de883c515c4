"""Pictures as a lossless video file that is made while it is read, so that few are in memory."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, NamedTuple

import av
import numpy as np
from numpy.typing import NDArray

from restore_rt.errors import MediaError

__all__ = ["Shown", "StreamedPictures"]

# By bytes of a sample and channels: of the array, and of FFV1, which holds the same samples.
_FORMATS = {
    (1, 3): ("rgb24", "bgr0"),
    (1, 4): ("rgba", "bgra"),
    (2, 3): ("rgb48le", "gbrp16le"),
    (2, 4): ("rgba64le", "gbrap16le"),
}


class Shown(NamedTuple):
    """A picture, (H, W, 3) or (H, W, 4), and when it is shown, in the stream's unit."""

    pixels: NDArray[Any]
    pts: int
    duration: int


class _Made:
    """Takes the file from its muxer.

    An object of its own, which leads back to nothing: where a muxer and the object that it writes
    to are collected as a circle, PyAV writes to what is no longer there.
    """

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes) -> int:
        self.data += data
        return len(data)


class StreamedPictures:
    """A file object for ``av.open`` that can only be read in order.

    Parameters
    ----------
    pictures
        All of one size and kind. Where one cannot be had, the file ends, and ``failure`` says why.
    time_base
        Unit of their times, in seconds.
    total
        How many there are.
    exact
        Times need not be whole milliseconds; durations are then not stored.

    Attributes
    ----------
    total
        See above.
    failure
        Why the file ended early.

    Raises
    ------
    MediaError
        The first picture cannot be read.
    """

    def __init__(
        self, pictures: Iterator[Shown], *, time_base: Fraction, total: int, exact: bool = False
    ) -> None:
        self.total = total
        self.failure = ""
        self._pictures = pictures
        self._made = _Made()
        self._time_base = time_base
        first = next(pictures)
        height, width, channels = first.pixels.shape
        self._format, stored = _FORMATS[first.pixels.itemsize, channels]
        self._file: Any = av.open(self._made, "w", format="nut" if exact else "matroska")
        rate = min(1 / time_base, Fraction(1000))
        self._stream: Any = self._file.add_stream("ffv1", rate=rate)
        self._stream.width, self._stream.height = width, height
        self._stream.pix_fmt = stored
        self._stream.codec_context.time_base = self._stream.time_base = time_base
        self._add(first)

    def read(self, count: int) -> bytes:
        """Hand a part of the file to the demuxer."""
        while len(self._made.data) < count and self._file is not None:
            try:
                picture = next(self._pictures, None)
            except MediaError as error:
                self.failure, picture = str(error), None
            self._add(picture)
        data = bytes(self._made.data[:count])
        del self._made.data[:count]
        return data

    def close(self) -> None:
        """Read no more."""
        if self._file is not None:
            with contextlib.suppress(av.FFmpegError, ValueError, OSError):
                self._file.close()
            self._file = None
        close = getattr(self._pictures, "close", None)
        if close is not None:
            close()

    def _add(self, picture: Shown | None) -> None:
        if picture is None:
            self._file.mux(self._stream.encode(None))
            self._file.close()
            self._file = None
            return
        pixels = np.ascontiguousarray(picture.pixels)
        frame = av.VideoFrame.from_ndarray(pixels, format=self._format)
        frame = frame.reformat(format=self._stream.pix_fmt)
        frame.pts, frame.time_base = picture.pts, self._time_base
        for packet in self._stream.encode(frame):
            packet.duration = picture.duration
            self._file.mux(packet)
