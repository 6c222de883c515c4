"""Writes a video file: encoded frames, and packets copied from the source."""

from __future__ import annotations

import contextlib
import math
import struct
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.stream import Stream
from av.video.stream import VideoStream

from restore_rt.errors import OutputError, RestoreError
from restore_rt.files import output_error
from restore_rt.video.containers import (
    FORMATS,
    add_copy,
    add_cover,
    copy_disposition,
    is_cover,
    kept_metadata,
    reason,
)
from restore_rt.video.encoding import Encoding, FrameEncoder, encoder_apart
from restore_rt.video.journal import Journal
from restore_rt.video.reader import VideoReader
from restore_rt.video.segments import SegmentedEncoder
from restore_rt.video.sound import PcmFiller, SoundConverter
from restore_rt.video.subtitles import SubtitleConverter
from restore_rt.video.texts import repaired_chapters
from restore_rt.video.tracks import Track

__all__ = ["VideoWriter"]

_DISPLAY_MATRIX = struct.Struct("=9i")
_FINEST_CLOCK = 10_000_000
# Of MP4 that is read while it is written, in microseconds.
_FRAGMENT = 20_000


class VideoWriter:
    """A video file being written.

    Parameters
    ----------
    path
        Where to write: a file, or an address of FFmpeg's, such as ``pipe:1``.
    target
        What that file will be called in the end: its suffix decides the container, and errors
        name it. For what is no file, what errors call it.
    source
        The file whose clock, tags, chapters and other streams are kept.
    tracks
        What becomes of those of its other streams whose packets will come.
    encoding
        How frames are encoded.
    journal
        Keeps what is encoded, if that is wanted.
    muxer
        FFmpeg's name of the container, if the suffix does not decide; packets are then written at
        once.

    Attributes
    ----------
    notes
        What could not be kept.

    Raises
    ------
    OutputError
        The file or the encoder cannot be opened.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        target: Path | str,
        source: VideoReader,
        tracks: Sequence[Track],
        encoding: Encoding,
        journal: Journal | None = None,
        muxer: str | None = None,
    ) -> None:
        self.notes: list[str] = []
        self._target = target
        self._source = source
        self._encoding = encoding
        self._journal = journal
        self._opened = contextlib.ExitStack()
        suffix = Path(target).suffix
        self._format = FORMATS[suffix.lower()] if muxer is None else muxer
        self._at_once = muxer is not None
        self._container_name = muxer or suffix
        try:
            options = self._container_options([track.stream for track in tracks])
            self._file = av.open(str(path), "w", format=self._format, container_options=options)
        except (av.FFmpegError, OSError) as error:
            raise self._failure(error) from error
        try:
            self._copies: dict[int, Stream] = {}
            self._fillers: dict[int, PcmFiller] = {}
            self._converters: dict[int, SoundConverter | SubtitleConverter] = {}
            self._last: dict[int, int] = {}
            self._earliest = Fraction(0)
            wanted = {track.stream.index: track for track in tracks}
            for stream in source.container.streams:
                if stream is source.stream:
                    self._add_video()
                elif track := wanted.get(stream.index):
                    self._add_track(track)
            self._file.metadata.update(kept_metadata(source.container.metadata))
            self._add_chapters()
            self._file.start_encoding()
        except OutputError:
            self.abort()
            raise
        except (av.FFmpegError, ValueError, OSError) as error:
            self.abort()
            raise self._failure(error) from error
        except BaseException:
            self.abort()
            raise

    def copy(self, packets: Iterable[av.Packet[Any]]) -> None:
        """Write packets of the source's other streams."""
        for packet in packets:
            if self._is_cut_away(packet):
                continue
            index = packet.stream.index
            if (copy := self._copies.get(index)) is not None:
                self._put_in_time(packet)
                filler = self._fillers.get(index)
                for each in [packet] if filler is None else filler.fill(packet):
                    each.stream = copy
                    self._mux(each)
            elif (converter := self._converters.get(index)) is not None:
                # What its decoder needs before the beginning is not written.
                earliest = self._earliest
                self._put_in_time(packet)
                self._earliest = earliest
                self._mux_converted(converter, converter.convert(packet))

    def encode(self, frame: av.VideoFrame, *, pts: int, duration: int) -> None:
        """Encode a frame; times are in the source's ``time_base``."""
        frame.pts = self._time(pts)
        frame.time_base = self._source.time_base
        frame.duration = duration
        self._mux_video(lambda: self._encoder.encode(frame))

    def holds(self, number: int, pts: int) -> bool:
        """Whether the journal has a frame: by its number, and its time in the source's unit."""
        return self._journal is not None and self._journal.holds(number, self._time(pts))

    def take_over(self, pts: int) -> None:
        """Write what an earlier run made of a frame that the journal holds."""
        segments = self._encoder
        assert isinstance(segments, SegmentedEncoder)
        self._mux_video(lambda: segments.take_over(self._time(pts)))

    def close(self) -> None:
        """Encode what is left and finish the file."""
        self._mux_video(self._encoder.finish)
        for index, converter in self._converters.items():
            self._mux_converted(converter, converter.finish())
            if lost := getattr(converter, "lost", 0):
                self.notes.append(f"packets of stream {index} that could not be decoded: {lost}")
        try:
            self._file.close()
        except (av.FFmpegError, OSError) as error:
            raise self._failure(error) from error
        self._opened.close()
        if self._earliest:
            self.notes.append(
                f"all times are {-float(self._earliest):.3f} s later: {self._container_name} "
                "cannot begin before 0, where MP4 has the encoder's delay of the sound"
            )

    def abort(self) -> None:
        """Close the file as it is."""
        with contextlib.suppress(av.FFmpegError, ValueError, OSError):
            self._file.close()
        self._opened.close()

    def _container_options(self, copied: Iterable[Stream]) -> dict[str, str]:
        """Make MP4 note late starts exactly; it rounds them to milliseconds unless told.

        Where it is written at once, it is fragmented, so that frames can be read as they come. (By
        ``frag_every_frame`` FFmpeg would write wrong times of sound.)
        """
        if self._at_once and self._format == "mp4":
            return {
                "flush_packets": "1",
                "movflags": "empty_moov+default_base_moof",
                "frag_duration": str(_FRAGMENT),
            }
        if self._format not in ("mp4", "mov"):
            return {"flush_packets": "1"} if self._at_once else {}
        clocks = [
            (stream.start_time or 0, stream.time_base)
            for stream in (self._source.stream, *copied)
            if stream.time_base is not None
        ]
        late = any(start > self._source.shift(time_base) for start, time_base in clocks)
        exact = math.lcm(*(time_base.denominator for _, time_base in clocks))
        return {"movie_timescale": str(exact)} if late and exact <= _FINEST_CLOCK else {}

    def _add_video(self) -> None:
        source = self._source
        self._encoder: FrameEncoder | SegmentedEncoder
        self._video: VideoStream
        try:
            if self._journal is None:
                self._encoder = FrameEncoder(self._file, self._format, source, self._encoding)
                self._video = self._encoder.stream
            else:
                self._add_segments(self._journal)
        except (av.FFmpegError, ValueError, OSError) as error:
            raise self._encoding_failure(error) from error
        if source.sample_aspect_ratio is not None:
            self._note_lost_aspect(source.sample_aspect_ratio)
        self._video.metadata.update(kept_metadata(source.stream.metadata))
        copy_disposition(self._video, source.stream)
        self._turn(self._video)

    def _add_segments(self, journal: Journal) -> None:
        """Add a stream that says what the encoders of the segments say, all of them the same."""

        def opened() -> FrameEncoder:
            return encoder_apart(self._format, self._source, self._encoding)

        first = opened()
        self._encoder = SegmentedEncoder(journal, opened, first)
        self._opened.callback(self._encoder.close)
        self._video = self._file.add_stream_from_template(first.stream, opaque=True)
        self._video.codec_context.codec_tag = first.stream.codec_context.codec_tag

    def _add_track(self, track: Track) -> None:
        stream = track.stream
        if is_cover(stream) and self._format == "matroska":
            add_cover(self._file, stream, self._source.packet_before_frames(stream.index))
        elif not track.codec:
            self._copies[stream.index] = add_copy(self._file, stream)
            context = stream.codec_context
            if self._format == "mov" and context is not None and context.name.startswith("pcm_"):
                self._fillers[stream.index] = PcmFiller(stream)
        else:
            kind = SoundConverter if stream.type == "audio" else SubtitleConverter
            converter = kind(self._file, stream, track.codec)
            converter.stream.metadata.update(kept_metadata(stream.metadata))
            copy_disposition(converter.stream, stream)
            self._converters[stream.index] = converter

    def _mux_converted(
        self, converter: SoundConverter | SubtitleConverter, packets: Iterable[av.Packet[Any]]
    ) -> None:
        for packet in packets:
            packet.stream = converter.stream
            self._mux(packet)

    def _turn(self, stream: VideoStream) -> None:
        data = self._source.extras.get("DISPLAYMATRIX", b"")
        if len(data) != _DISPLAY_MATRIX.size:
            return
        if hasattr(stream, "set_display_matrix"):
            stream.set_display_matrix(_DISPLAY_MATRIX.unpack(data))
        else:
            self.notes.append("the clip's rotation cannot be kept by this PyAV; upgrade av")

    def _note_lost_aspect(self, ratio: Fraction) -> None:
        """PyAV cannot set it in Matroska, and not every codec carries it."""
        codec, name = self._encoding.settings.codec, self._container_name
        if ratio != 1 and self._format in ("matroska", "webm") and codec in ("av1", "ffv1"):
            self.notes.append(
                f"the pixel aspect ratio {ratio} cannot be kept with {codec} in {name}; "
                "use --codec h264 or h265, or .mp4 for av1"
            )

    def _add_chapters(self) -> None:
        chapters = repaired_chapters(self._source.container)
        for chapter in chapters:
            shift = self._source.shift(chapter["time_base"])
            chapter["start"], chapter["end"] = chapter["start"] - shift, chapter["end"] - shift
        if chapters:
            self._file.set_chapters(chapters)

    def _put_in_time(self, packet: av.Packet[Any]) -> None:
        """Move a packet by the source's start, and past the one before where a muxer insists."""
        if packet.dts is None:
            packet.dts = packet.pts
        if packet.pts is None:
            packet.pts = packet.dts
        if packet.dts is None or packet.pts is None or packet.time_base is None:
            # A cover picture has no time.
            packet.pts = packet.dts = 0
            return
        shift = self._source.shift(packet.time_base)
        packet.pts -= shift
        packet.dts -= shift
        index = packet.stream.index
        lowest = self._last.get(index, packet.dts - 1)
        if self._format in ("mp4", "mov"):
            # At least a tick of the track's clock, which may be longer than one of the source's.
            tick = Fraction(self._copies[index].time_base or 0) if index in self._copies else 0
            lowest += max(1, math.ceil(tick / packet.time_base))
        if packet.dts < lowest:
            packet.pts = max(packet.pts, lowest)
            packet.dts = lowest
        self._last[index] = packet.dts
        if self._moves_priming(packet.stream):
            self._earliest = min(self._earliest, packet.pts * packet.time_base)

    def _is_cut_away(self, packet: av.Packet[Any]) -> bool:
        """Whether an edit list hides a packet, and the result can have no edit list to hide it.

        The last one before the beginning stays: decoders of sound need it. (Fragmented MP4 would
        move all the rest for its sake.)
        """
        if self._at_once and self._format == "mp4":
            return packet.pts is not None and packet.pts < 0
        if not packet.is_discard or self._format in ("mp4", "mov"):
            return False
        return packet.pts is None or packet.pts >= 0 or packet.pts + 2 * (packet.duration or 0) <= 0

    def _moves_priming(self, stream: Stream) -> bool:
        """Whether sound before time 0 moves all the rest: MP4 names its length for Opus only."""
        context = stream.codec_context
        return (
            self._format in ("matroska", "webm")
            and "mov" in self._source.container.format.name.split(",")
            and stream.type == "audio"
            and context is not None
            and not context.name.endswith("opus")
        )

    def _time(self, pts: int) -> int:
        return pts - self._source.shift(self._source.time_base)

    def _mux_video(self, packets: Callable[[], list[av.Packet[Any]]]) -> None:
        try:
            encoded = packets()
        except RestoreError:
            raise
        except (av.FFmpegError, OSError) as error:
            raise self._encoding_failure(error) from error
        for packet in encoded:
            packet.stream = self._video
            self._mux(packet)

    def _mux(self, packet: av.Packet[Any]) -> None:
        try:
            self._file.mux_one(packet)
        except (av.FFmpegError, OSError, ValueError) as error:
            raise self._failure(error) from error

    def _failure(self, error: Exception) -> OutputError:
        if isinstance(error, OSError) and isinstance(self._target, Path):
            return output_error(error, self._target)
        hint = "; .mkv, which can hold most streams, may do"
        if self._format == "matroska" or self._at_once:
            hint = ""
        return OutputError(f"cannot write {self._target}: {reason(error)}{hint}")

    def _encoding_failure(self, error: Exception) -> OutputError:
        codec = self._encoding.settings.codec
        return OutputError(f"{codec} could not encode: {reason(error)}; try another --codec")
