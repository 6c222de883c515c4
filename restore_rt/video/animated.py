"""Writes animated PNG and WebP, picture by picture, each with its own duration."""

from __future__ import annotations

import io
import struct
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from restore_rt.errors import OutputError
from restore_rt.files import output_error

__all__ = ["AnimationFile", "ApngFile", "WebpFile"]

_PNG_HEADER_END = 33
# Delays of PNG are fractions of numbers below this.
_LARGEST = 0xFFFF
_WEBP_LONGEST = 0xFFFFFF  # milliseconds
_RIFF_LARGEST = 0xFFFFFFFE
_HAS_ICC, _HAS_ALPHA, _IS_ANIMATION = 0x20, 0x10, 0x02
_REPLACES = 0x02  # a frame's pixels replace those below, transparent ones, too


class _Rectangle(NamedTuple):
    left: int
    top: int
    width: int
    height: int

    def of(self, pixels: NDArray[Any]) -> NDArray[Any]:
        rows, columns = slice(self.top, self.top + self.height), slice(self.left, None)
        return np.ascontiguousarray(pixels[rows, columns][:, : self.width])


class AnimationFile(ABC):
    """An animation that is being written; holds one picture in memory.

    Attributes
    ----------
    notes
        What could not be kept.
    """

    def __init__(self, path: Path, target: Path) -> None:
        self.notes: list[str] = []
        self._target = target
        self._last: NDArray[Any] | None = None
        self._count = 0
        self._shortened = 0
        try:
            self._file: Any = path.open("wb")
        except OSError as error:
            raise output_error(error, target) from error

    def add(self, pixels: NDArray[Any], begin: Fraction, end: Fraction) -> None:
        """Write a picture, (H, W, 3) or (H, W, 4), that is shown between two times in seconds.

        Raises
        ------
        OutputError
            The file cannot be written.
        """
        try:
            self._add(pixels, begin, end)
        except OSError as error:
            raise output_error(error, self._target) from error
        self._last = pixels
        self._count += 1

    def close(self) -> None:
        """Finish the file."""
        try:
            self._finish()
            self._file.close()
        except OSError as error:
            raise output_error(error, self._target) from error
        if self._shortened:
            self.notes.append(
                f"{self._shortened} pictures are shown for less long: {self._target.suffix} "
                f"cannot hold more than {self._longest:.4g} s for each"
            )

    def abort(self) -> None:
        """Close the file as it is."""
        self._file.close()

    @property
    @abstractmethod
    def _longest(self) -> float:
        """The longest duration of a picture, in seconds."""

    @abstractmethod
    def _add(self, pixels: NDArray[Any], begin: Fraction, end: Fraction) -> None: ...

    @abstractmethod
    def _finish(self) -> None: ...

    def _changed(self, pixels: NDArray[Any], multiple: int = 1) -> _Rectangle:
        """Return what differs from the picture before: where the rest may stay as it is."""
        height, width = pixels.shape[:2]
        if self._last is None:
            return _Rectangle(0, 0, width, height)
        differs = (pixels != self._last).any(axis=2)
        rows, columns = np.flatnonzero(differs.any(axis=1)), np.flatnonzero(differs.any(axis=0))
        if not len(rows):
            return _Rectangle(0, 0, 1, 1)
        left, top = (int(edge[0]) // multiple * multiple for edge in (columns, rows))
        return _Rectangle(left, top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top)


class ApngFile(AnimationFile):
    """An animated PNG.

    Parameters
    ----------
    path
        Where to write.
    target
        What the file will be called in the end, for messages.
    plays
        How often it is shown; 0 for without end.
    chunks
        Chunks for its beginning that say what its colours are.
    """

    def __init__(
        self, path: Path, target: Path, *, plays: int, chunks: tuple[tuple[bytes, bytes], ...]
    ) -> None:
        super().__init__(path, target)
        self._plays = plays
        self._chunks = chunks
        self._sequence = 0
        self._control = 0  # where the number of frames is

    @property
    def _longest(self) -> float:
        return float(_LARGEST)

    def _add(self, pixels: NDArray[Any], begin: Fraction, end: Fraction) -> None:
        import imagecodecs

        place = self._changed(pixels)
        data = bytes(imagecodecs.png_encode(place.of(pixels)))
        if self._last is None:
            self._file.write(data[:_PNG_HEADER_END])
            self._control = self._file.tell()
            self._write(b"acTL", struct.pack(">II", 0, self._plays))
            for kind, body in self._chunks:
                self._write(kind, body)
        delay = self._delay(end - begin)
        self._write(
            b"fcTL",
            struct.pack(
                ">IIIIIHHBB", self._number(), place.width, place.height, place.left, place.top,
                delay.numerator, delay.denominator, 0, 0,
            ),
        )  # fmt: skip
        for body in _chunk_bodies(data, b"IDAT"):
            if self._last is None:
                self._write(b"IDAT", body)
            else:
                self._write(b"fdAT", struct.pack(">I", self._number()) + body)

    def _finish(self) -> None:
        self._write(b"IEND", b"")
        self._file.seek(self._control)
        self._write(b"acTL", struct.pack(">II", self._count, self._plays))

    def _number(self) -> int:
        self._sequence += 1
        return self._sequence - 1

    def _delay(self, duration: Fraction) -> Fraction:
        if duration > _LARGEST:
            self._shortened += 1
            return Fraction(_LARGEST)
        # The simplest number that is nearer than FFmpeg's clock of PNG, 100,000 ticks a second,
        # can tell: a thirtieth is one again.
        for most in (100, 1000, 10_000):
            simple = duration.limit_denominator(most)
            if abs(simple - duration) < Fraction(1, 200_000):
                break
        else:
            simple = duration.limit_denominator(_LARGEST)
        if simple.numerator > _LARGEST:
            return simple.limit_denominator(max(1, _LARGEST // max(1, int(simple) + 1)))
        return simple

    def _write(self, kind: bytes, body: bytes) -> None:
        self._file.write(struct.pack(">I4s", len(body), kind) + body)
        self._file.write(struct.pack(">I", zlib.crc32(kind + body)))


def _chunk_bodies(png: bytes, wanted: bytes) -> Iterator[bytes]:
    position = 8
    while position < len(png):
        length, kind = struct.unpack_from(">I4s", png, position)
        if kind == wanted:
            yield png[position + 8 : position + 8 + length]
        position += 12 + length


class WebpFile(AnimationFile):
    """An animated WebP.

    Parameters
    ----------
    path
        Where to write.
    target
        What the file will be called in the end, for messages.
    plays
        How often it is shown; 0 for without end.
    quality
        1 to 100, None for lossless.
    icc
        ICC profile of its colours, or empty.
    """

    def __init__(
        self, path: Path, target: Path, *, plays: int, quality: int | None, icc: bytes
    ) -> None:
        super().__init__(path, target)
        self._plays = plays
        self._options = {"lossless": quality is None, "quality": quality or 80, "exact": True}
        self._icc = icc
        self._size = (0, 0)
        self._clear = False

    @property
    def _longest(self) -> float:
        return _WEBP_LONGEST / 1000

    def _add(self, pixels: NDArray[Any], begin: Fraction, end: Fraction) -> None:
        from PIL import Image

        if self._last is None:
            self._size = (pixels.shape[1], pixels.shape[0])
            self._file.write(self._head())
        place = self._changed(pixels, multiple=2)
        part = place.of(pixels)
        if part.shape[2] == 4 and (part[..., 3] == 255).all():
            part = np.ascontiguousarray(part[..., :3])
        self._clear = self._clear or part.shape[2] == 4
        still = io.BytesIO()
        Image.fromarray(part).save(still, "WEBP", **self._options)
        duration = round(end * 1000) - round(begin * 1000)
        self._shortened += duration > _WEBP_LONGEST
        sizes = (place.left // 2, place.top // 2, place.width - 1, place.height - 1)
        fields = (*sizes, min(duration, _WEBP_LONGEST))
        body = b"".join(value.to_bytes(3, "little") for value in fields)
        body += bytes([_REPLACES]) + _image_chunks(still.getvalue())
        if self._file.tell() + len(body) > _RIFF_LARGEST:
            raise OutputError(
                f"{self._target} would be larger than the 4 GiB that WebP can hold; give a lower "
                "--quality, or write .mp4"
            )
        self._file.write(_riff_chunk(b"ANMF", body))

    def _finish(self) -> None:
        size = self._file.tell()
        self._file.seek(0)
        self._file.write(self._head(size))

    def _head(self, size: int = 8) -> bytes:
        flags = _IS_ANIMATION | _HAS_ICC * bool(self._icc) | _HAS_ALPHA * self._clear
        canvas = b"".join((side - 1).to_bytes(3, "little") for side in self._size)
        head = _riff_chunk(b"VP8X", bytes([flags, 0, 0, 0]) + canvas)
        if self._icc:
            head += _riff_chunk(b"ICCP", self._icc)
        head += _riff_chunk(b"ANIM", bytes(4) + struct.pack("<H", min(self._plays, _LARGEST)))
        return b"RIFF" + struct.pack("<I", size - 8) + b"WEBP" + head


def _riff_chunk(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)


def _image_chunks(webp: bytes) -> bytes:
    """Return the chunks of a still that hold its pixels."""
    chunks, position = b"", 12
    while position + 8 <= len(webp):
        kind, length = struct.unpack_from("<4sI", webp, position)
        end = position + 8 + length + length % 2
        if kind in (b"VP8 ", b"VP8L", b"ALPH"):
            chunks += webp[position:end]
        position = end
    return chunks
