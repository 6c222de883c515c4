"""Reads a video file: decoded frames, and the packets of everything else."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av
from av.codec.context import Flags

from restore_rt.errors import InputError, MediaError, TruncatedInputError
from restore_rt.files import check_plausible
from restore_rt.timing import StageTimes
from restore_rt.video.choices import Deinterlace
from restore_rt.video.clock import Frame
from restore_rt.video.colour import BT709, ColourTags, matrix_name
from restore_rt.video.decoding import FREE_CLOCKS, Decoding, Step
from restore_rt.video.description import chroma_location
from restore_rt.video.ending import stated_seconds
from restore_rt.video.hdr import side_data
from restore_rt.video.losses import losses
from restore_rt.video.opening import Opened, choose_stream, open_source
from restore_rt.video.pixels import layout_of
from restore_rt.video.seeking import check_seconds, go_to, places_before
from restore_rt.video.texts import repair_texts
from restore_rt.wording import count_of

__all__ = ["VideoReader"]

# A clip that begins later than this is of a longer recording, or dated by the clock on the wall.
_LATE = Fraction(10)
_DEFAULT_RATE = Fraction(25)
# Times that are given as floats are not exact.
_MOMENT = Fraction(1, 1_000_000)


class VideoReader:
    """An open video file whose first frame has been decoded. A context manager.

    Attributes
    ----------
    path
        The file.
    name
        Of the source, for people.
    stream
        The video stream that is decoded.
    others
        All other streams; their packets come in the steps.
    time_base
        Unit of the frames' timestamps, in seconds.
    rate
        Average frame rate.
    total
        Number of frames by the file's index or duration, ``None`` when not known.
    width, height
        Of every frame.
    layout
        Pixel format of every frame, see ``PixelLayout``.
    tags
        Colour description.
    centred_chroma
        Whether the lack of a chroma location means centred.
    sample_aspect_ratio
        Width over height of a pixel, ``None`` when not known.
    extras
        Side data of the first frame (display matrix, HDR metadata), by FFmpeg's name.
    plays
        How often an animation is shown, 0 for without end; None for what is no animation.
    icc
        ICC profile of an animation or of numbered pictures, or empty.
    notes
        What the user should know.

    Parameters
    ----------
    path
        A file, or the pattern of numbered pictures.
    threads
        For the decoder.
    deinterlace
        See ``restore_video``.
    rate
        Pictures per second of numbered pictures.
    as_rgb
        Frames will become RGB with alpha: nothing is noted of what other results lose.
    stages
        Receives the time of decoding.
    opened
        What ``path`` only names: a source that is no file. The reader closes it.
    """

    def __init__(
        self,
        path: Path,
        *,
        threads: int = 2,
        deinterlace: Deinterlace = "auto",
        rate: Fraction | None = None,
        as_rgb: bool = False,
        stages: StageTimes | None = None,
        opened: Opened | None = None,
    ) -> None:
        self.path = path
        self.name = str(path) if opened is None else opened.name
        self.notes: list[str] = []
        self._taken = 1
        self._stages = StageTimes() if stages is None else stages
        self._as_rgb = as_rgb
        self._open(rate, threads, deinterlace, opened)
        self._reopen = functools.partial(self._open, rate, threads, deinterlace)
        try:
            self._take_first_frame()
        except BaseException:
            self._opened.close()
            raise

    @property
    def container(self) -> av.container.InputContainer:
        """The open file."""
        return self._container

    @property
    def is_animation(self) -> bool:
        """Whether the file is one of the picture formats that move."""
        return self.plays is not None

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; no steps can be taken after this."""
        self._steps.close()
        self._opened.close()

    def steps(self) -> Iterator[Step]:
        """Return everything in the file, in its order; can be gone through once.

        Raises
        ------
        TruncatedInputError
            At the end: the file ended early, or parts of it could not be decoded. Midway: the size
            or the pixel format changes.
        """
        yield self._first
        for step in self._steps:
            if step.frame is not None:
                self._check(step.frame)
            yield step
        self._note_times()
        if damage := self._decoding.damage(self.name):
            raise TruncatedInputError(damage)

    def seek(self, seconds: float) -> None:
        """Go to the frame that is shown at a time; ``steps`` then begins with it.

        In MP4, QuickTime, Matroska and WebM, decoding starts at a key frame before it, and in all
        other formats at the beginning.

        Parameters
        ----------
        seconds
            From the beginning of the clip.

        Raises
        ------
        InputError
            The clip is not that long, or no file.
        MediaError
            No frame can be decoded there.
        """
        target = check_seconds(seconds)
        if not self._opened.is_file:
            raise InputError(f"{self.name} can only be read in order; give a file to seek in")
        self._steps.close()
        for place in places_before(target, self._container):
            if not place:
                notes = list(self.notes)
                self._opened.close()
                self._reopen()
                self.notes[:] = notes
            elif go_to(self._container, place + self._start):
                self._begin_reading()
            else:
                continue
            if self._find(target, from_start=not place):
                return
        raise MediaError(f"{self.name} has no frame that can be decoded at {seconds:g} s")

    @property
    def position(self) -> Fraction:
        """When the first of ``steps`` is shown, in seconds from the beginning of the clip."""
        return self.seconds(self.first.pts)

    @property
    def first(self) -> Frame:
        """The first frame of ``steps``."""
        assert self._first.frame is not None
        return self._first.frame

    def seconds(self, pts: int) -> Fraction:
        """Return a frame's time in seconds from the beginning of the clip."""
        return (pts - self.shift(self.time_base)) * self.time_base

    def _find(self, target: Fraction, *, from_start: bool) -> bool:
        """Decode up to the frame that is shown at a time; False if all that came was later."""
        packets: list[av.Packet[Any]] = []
        end = Fraction(0)
        for step in self._steps:
            packets += step.packets
            if step.frame is None:
                continue
            self._check(step.frame)
            begin = self.seconds(step.frame.pts)
            if not end and begin > target + _MOMENT and not from_start:
                return False
            end = begin + (step.frame.duration * self.time_base or 1 / self.rate)
            if end > target + _MOMENT:
                self._first, self._taken = Step(packets, step.frame), 1
                # What could not be decoded lies between that place and the frame.
                self._decoding.forget_damage()
                return True
            packets = []
        if end:
            raise InputError(
                f"seconds is {float(target):g}, but {self.name} ends at {float(end):.2f} s"
            )
        return False

    def packet_before_frames(self, index: int) -> bytes:
        """Return the first packet of a stream that came before the first frame, or nothing."""
        found = (packet for packet in self._first.packets if packet.stream.index == index)
        return next(map(bytes, found), b"")

    def shift(self, time_base: Fraction) -> int:
        """Return what to take from timestamps in ``time_base`` so that the clip begins near 0.

        It is 0 except for transport and program streams, whose clock starts anywhere, and for
        clips that begin late.
        """
        return round(self._start / time_base)

    def _open(
        self,
        rate: Fraction | None,
        threads: int,
        deinterlace: Deinterlace,
        opened: Opened | None = None,
    ) -> None:
        self._opened = open_source(self.path, rate) if opened is None else opened
        self._container = self._opened.container
        self.plays, self.icc = self._opened.plays, self._opened.icc
        self._take_notes()
        if repair_texts(self._container):
            self.notes.append("texts that are not in UTF-8 were read as Latin or Cyrillic ones")
        try:
            self.stream = choose_stream(self._container, self.name)
            self._prepare(threads, deinterlace)
        except BaseException:
            self._opened.close()
            raise

    def _prepare(self, threads: int, deinterlace: Deinterlace) -> None:
        stream, context = self.stream, self.stream.codec_context
        self.others = [other for other in self._container.streams if other is not stream]
        self._location = chroma_location(self._container, stream)
        unit = stream.time_base or Fraction(1, 1000)
        self._frame_rate = stream.average_rate or stream.guessed_rate or _DEFAULT_RATE
        number = 2 if deinterlace == "field" else 1
        self.time_base, self.rate = unit / number, self._frame_rate * number
        self.sample_aspect_ratio = stream.sample_aspect_ratio or None
        pictures = self._opened.pictures
        self.total = pictures.total if pictures else stream.frames or self._estimated_total()
        self.total = self.total and self.total * number
        self._start = self._clip_start()
        self._mode = deinterlace
        stream.thread_type = "AUTO"
        stream.thread_count = threads
        # Frames with damaged parts are worth more than gaps; they are counted.
        context.flags |= Flags.output_corrupt
        self._begin_reading()

    def _begin_reading(self) -> None:
        """Read on from where the file stands, with clocks and counts of their own."""
        self._decoding = Decoding(
            self._opened,
            self.stream,
            self.others,
            rate=self._frame_rate,
            time_base=self.time_base,
            deinterlace=self._mode,
            stages=self._stages,
        )
        self._steps = self._decoding.steps

    def _clip_start(self) -> Fraction:
        start = Fraction(self._container.start_time or 0, 1_000_000)
        if self._container.format.name in FREE_CLOCKS:
            return start
        if start <= _LATE:
            return Fraction(0)
        if self._opened.is_file:
            self.notes.append(
                f"the file's clock begins at {float(start):.0f} s; the result's begins at 0"
            )
        return start

    def _estimated_total(self) -> int | None:
        seconds = stated_seconds(self._container, self.stream)
        return None if not seconds else max(1, round(seconds * self._frame_rate))

    def _take_first_frame(self) -> None:
        packets: list[av.Packet[Any]] = []
        for step in self._steps:
            packets += step.packets
            if step.frame is not None:
                self._first = Step(packets, step.frame)
                break
        else:
            undecoded = self._decoding.undecoded
            raise MediaError(
                f"{self.name} has no frame that can be decoded"
                + (f": {undecoded}" if undecoded else "; it may be damaged")
            )
        picture = self._first.frame.picture  # type: ignore[union-attr]
        self.width, self.height = picture.width, picture.height
        if self._opened.is_file and self.path.is_file():
            check_plausible(self.width, self.height, self.path.stat().st_size, self.path)
        self._format = picture.format.name
        self.layout = layout_of(picture.format)
        # PyAV frees an ICC profile's name twice, which only PNG has: the process would crash.
        named = self.stream.codec_context.name in ("png", "apng")
        self.extras = {} if named else side_data(picture)
        self.tags = ColourTags.of(self.stream, picture, self._location)
        if (picture.format.is_rgb or picture.format.has_palette) and not self._as_rgb:
            self.notes.append(
                f"{self._format} becomes {self.layout.name} by the {matrix_name(BT709)} "
                "matrix, limited range"
            )
        self.centred_chroma = (
            self._format.startswith("yuvj")
            or picture.format.is_rgb
            or self.stream.codec_context.name in ("mjpeg", "mpeg1video")
        )
        self.notes += losses(
            self.stream, picture, self.layout, self.tags, self.extras, as_rgb=self._as_rgb
        )

    def _check(self, frame: Frame) -> None:
        picture = frame.picture
        size = (picture.width, picture.height)
        if size != (self.width, self.height) or picture.format.name != self._format:
            self._note_times()
            seconds = float(self.seconds(frame.pts))
            raise TruncatedInputError(
                f"{self.name} changes from {self.width}x{self.height} {self._format} to "
                f"{size[0]}x{size[1]} {picture.format.name} at {seconds:.2f} s, and a result has "
                f"one size and format: cut the file there to restore what follows; "
                f"{count_of(self._taken, 'frame')} came before"
            )
        self._taken += 1

    def _take_notes(self) -> None:
        self.notes += self._opened.notes
        self._opened.notes.clear()

    def _note_times(self) -> None:
        self._take_notes()
        self.notes += self._decoding.notes(self._start)
