"""A clip through a model to pictures: an animation, or numbered files."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import av
import numpy as np
from numpy.typing import NDArray

from restore_rt.errors import InputError, TruncatedInputError
from restore_rt.files import whole_file
from restore_rt.folders import make_folder
from restore_rt.images import FORMATS, Picture, format_of, write_picture
from restore_rt.images.picture import Chunk
from restore_rt.timing import StageTimes
from restore_rt.video.animated import ApngFile, WebpFile
from restore_rt.video.choices import NUMBERED, Container, Deinterlace, container_of
from restore_rt.video.containers import stream_name
from restore_rt.video.conversion import RgbConversion
from restore_rt.video.gif import GifFile, palette_of
from restore_rt.video.reader import VideoReader
from restore_rt.video.sequences import Pattern, check_numbered_target
from restore_rt.video.tracks import TrackChoices

__all__ = ["PictureChoices", "PictureFile", "PictureWriter", "pictures_written"]

_QUALITIES = (1, 100)
_LONGEST_SIDES = {"gif": 0xFFFF, "apng": (1 << 31) - 1, "webp": 16383}


@dataclass(frozen=True)
class PictureChoices:
    """What was asked of the pictures; ``restore_video`` says what each means."""

    codec: str | None = None
    quality: int | None = None
    preset: str | None = None
    pixel_format: str = "auto"
    bit_depth: int | None = None
    overwrite: bool = False

    def check(self, target: Path) -> None:
        """Raise ``InputError`` if a value is not allowed for a target."""
        suffix = target.suffix.lower()
        for name, value in (("codec", self.codec), ("preset", self.preset)):
            if value is not None:
                raise InputError(f"{name} is {value!r}, but {suffix} has none; leave it out")
        if self.pixel_format not in ("auto", "keep"):
            raise InputError(
                f"pixel_format is {self.pixel_format!r}, but {suffix} holds RGB; leave it out, or "
                "choose its depth by bit_depth"
            )
        allowed = [8, 16] if _bits_of(target) == 16 else [8]
        if self.bit_depth not in (None, *allowed):
            raise InputError(
                f"bit_depth is {self.bit_depth}; for {suffix} {' and '.join(map(str, allowed))} "
                "are allowed"
            )
        low, high = _QUALITIES
        if self.quality is None:
            return
        if not _has_quality(target):
            raise InputError(f"quality is {self.quality}, but {suffix} has none; leave it out")
        if not low <= self.quality <= high:
            raise InputError(
                f"quality is {self.quality}; for {suffix} {low} (smallest) to {high} (best) are "
                "allowed"
            )


def _bits_of(target: Path) -> int:
    kind = container_of(target)
    return format_of(target).bits if kind is NUMBERED else 16 if kind.name == "apng" else 8


def _has_quality(target: Path) -> bool:
    kind = container_of(target)
    return format_of(target).quality if kind is NUMBERED else kind.name == "webp"


class PictureFile(Protocol):
    """What takes pictures with the times between which they are shown, in seconds."""

    notes: list[str]

    def add(self, pixels: NDArray[Any], begin: Fraction, end: Fraction) -> None:
        """Write a picture."""

    def close(self) -> None:
        """Finish."""

    def abort(self) -> None:
        """Leave what there is."""


class NumberedFiles:
    """Numbered files, from 1 on; each appears when it is whole."""

    def __init__(self, target: Path, choices: PictureChoices, like: Picture) -> None:
        self.notes: list[str] = []
        self._pattern = Pattern.of(target)
        self._format = format_of(target)
        self._choices = choices
        self._like = like
        self._number = 0

    def add(self, pixels: NDArray[Any], begin: Fraction, end: Fraction) -> None:
        """Write a picture; its times are lost."""
        self._number += 1
        picture = Picture(pixels, icc=self._like.icc, chunks=self._like.chunks)
        notes = write_picture(
            self._pattern.path(self._number),
            picture,
            self._format,
            quality=self._choices.quality,
            overwrite=self._choices.overwrite,
        )
        self.notes += [note for note in notes if note not in self.notes]

    def close(self) -> None:
        """Do nothing: each file is finished."""

    abort = close


class PictureWriter:
    """Takes restored frames in place of a ``VideoWriter``; holds one until the next one begins."""

    def __init__(self, source: VideoReader, file: PictureFile) -> None:
        self._time_base, self._usual = source.time_base, 1 / source.rate
        self._file = file
        self._first: Fraction | None = None
        self._held: tuple[NDArray[Any], Fraction, Fraction] | None = None

    @property
    def notes(self) -> list[str]:
        """What could not be kept."""
        return self._file.notes

    def copy(self, packets: Iterable[av.Packet[Any]]) -> None:
        """Pass over packets: pictures hold no sound."""

    def encode(self, frame: NDArray[Any], *, pts: int, duration: int) -> None:
        """Write the frame before, and hold this one; times are in the source's ``time_base``."""
        time = pts * self._time_base
        if self._first is None:
            self._first = time
        begin = time - self._first
        if self._held is not None:
            pixels, earlier, _ = self._held
            self._file.add(pixels, earlier, begin)
        self._held = (frame, begin, begin + (duration * self._time_base or self._usual))

    def holds(self, number: int, pts: int) -> bool:
        """Say that no frame was kept by an earlier run."""
        return False

    def take_over(self, pts: int) -> None:
        """Do nothing, as none is held."""

    def close(self) -> None:
        """Write the last frame and finish."""
        if self._held is not None:
            self._file.add(*self._held)
        self._file.close()

    def abort(self) -> None:
        """Leave what there is."""
        self._file.abort()


@contextlib.contextmanager
def pictures_written(
    reader: VideoReader,
    target: Path,
    choices: PictureChoices,
    tracks: TrackChoices,
    *,
    scale: int,
    deinterlace: Deinterlace,
    rate: Fraction | None,
    stages: StageTimes,
    note: Callable[[str], None],
) -> Iterator[tuple[RgbConversion, PictureWriter]]:
    """Give the conversion and the writer for a clip that becomes pictures.

    An animation appears when the block succeeds; numbered files one by one.

    Parameters
    ----------
    reader
        Of the clip, opened with ``as_rgb``.
    target
        The animation's file, or the pattern of the numbered files.
    choices, tracks
        What was asked for.
    scale
        Output size over input size.
    deinterlace, rate
        With which the reader was opened: a GIF's palette needs another pass.
    stages
        Receives the time of converting.
    note
        Called with what the user should know.

    Raises
    ------
    InputError
        A value is not allowed, or the pictures are too large for the format.
    OutputError
        The target cannot be written.
    """
    kind = container_of(target)
    if target.suffix.lower() == ".png" and kind is not NUMBERED and not reader.is_animation:
        raise InputError(
            f"{target} would be one picture: give numbered ones, as in "
            f"{target.with_name(f'{target.stem}_%05d.png')}, or {target.with_suffix('.apng')} for "
            "an animation"
        )
    format_name = format_of(target).name if kind is NUMBERED else kind.name
    bits = choices.bit_depth or (8 if reader.layout.bit_depth == 8 else _bits_of(target))
    holds_alpha = kind is not NUMBERED or FORMATS[format_name].alpha
    alpha = reader.layout.has_alpha and holds_alpha
    convert = RgbConversion(reader, scale=scale, bits=bits, alpha=alpha, stages=stages)
    _check_size(convert, kind, format_name)
    for text in _losses(reader, tracks, format_name, bits=bits, alpha=alpha):
        note(text)
    chunks = _colour_chunks(reader)
    icc = reader.icc if reader.icc[16:20] == b"RGB " else b""
    if kind is NUMBERED:
        check_numbered_target(target, overwrite=choices.overwrite)
        make_folder(target.parent)
        numbered = NumberedFiles(target, choices, Picture(np.empty(0), icc=icc, chunks=chunks))
        yield convert, PictureWriter(reader, numbered)
        return
    plays = reader.plays or 0
    with whole_file(target, overwrite=choices.overwrite) as path:
        file: PictureFile
        if format_name == "gif":
            palette = _palette(reader, deinterlace, rate, convert)
            file = GifFile(path, target, plays=plays, palette=palette)
        elif format_name == "apng":
            file = ApngFile(path, target, plays=plays, chunks=_with_icc(chunks, icc))
        else:
            file = WebpFile(path, target, plays=plays, quality=choices.quality, icc=icc)
        yield convert, PictureWriter(reader, file)


def _check_size(convert: RgbConversion, kind: Container, format_name: str) -> None:
    sides = {**_LONGEST_SIDES, **{name: item.longest_side for name, item in FORMATS.items()}}
    longest = (_LONGEST_SIDES if kind is not NUMBERED else sides)[format_name]
    if max(convert.width, convert.height) > longest:
        raise InputError(
            f"{format_name} cannot hold pictures as large as {convert.width}x{convert.height}: "
            f"its longest side has {longest} pixels; write .png"
        )


def _losses(
    reader: VideoReader, tracks: TrackChoices, format_name: str, *, bits: int, alpha: bool
) -> list[str]:
    notes = []
    dropped = tracks.dropped(reader.others)
    others = [
        stream_name(stream)
        for stream in reader.others
        if stream.index not in dropped and (stream.type, tracks.audio) != ("audio", "none")
    ]
    if others:
        notes.append(f"left out, as {format_name} holds pictures alone: {', '.join(others)}")
    if reader.layout.has_alpha and not alpha:
        notes.append(f"alpha is dropped: {format_name} cannot hold it")
    if bits < reader.layout.bit_depth:
        notes.append(f"samples of {reader.layout.bit_depth} bits were reduced to {bits}")
    if reader.tags.is_hdr and format_name in ("gif", "webp"):
        notes.append(f"the clip is HDR, which {format_name} cannot state: it will look pale")
    if reader.icc and format_name == "gif":
        notes.append("the ICC profile is left out, GIF has no place for it")
    if reader.sample_aspect_ratio not in (None, 1):
        notes.append(f"the pixel aspect ratio {reader.sample_aspect_ratio} cannot be kept")
    return notes


def _colour_chunks(reader: VideoReader) -> tuple[Chunk, ...]:
    """Return what says that colours are those of HDR; other clips are shown as sRGB is."""
    tags = reader.tags
    if not tags.is_hdr:
        return ()
    return ((b"cICP", bytes([tags.primaries, tags.transfer, 0, 1])),)


def _with_icc(chunks: tuple[Chunk, ...], icc: bytes) -> tuple[Chunk, ...]:
    profile = (b"iCCP", b"ICC Profile\0\0" + zlib.compress(icc))
    return (*chunks, profile) if icc else chunks


def _palette(
    reader: VideoReader, deinterlace: Deinterlace, rate: Fraction | None, convert: RgbConversion
) -> av.VideoFrame:
    """Return the palette of a clip before it is restored, whose colours are about the same."""

    def pictures() -> Iterator[av.VideoFrame]:
        with (
            VideoReader(reader.path, deinterlace=deinterlace, rate=rate, as_rgb=True) as again,
            contextlib.suppress(TruncatedInputError),
        ):
            for step in again.steps():
                if step.frame is not None:
                    pixels = convert.pixels(step.frame.picture)
                    name = "rgba" if pixels.shape[2] == 4 else "rgb24"
                    picture = av.VideoFrame.from_ndarray(pixels, format=name)
                    yield picture.reformat(format="rgba")

    return palette_of(pictures())
