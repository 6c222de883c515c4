"""Sinks of live video: files, standard output, addresses, a window, and nowhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal, cast, get_args

import av

from restore_rt.errors import InputError, OutputError
from restore_rt.files import check_target_of, whole_file
from restore_rt.live.clock import RunClock
from restore_rt.live.sink import Sink
from restore_rt.live.window import KEYS, WindowSink
from restore_rt.video.choices import STANDARD
from restore_rt.video.clock import Frame
from restore_rt.video.codecs import EncoderSettings, held_formats
from restore_rt.video.containers import FORMATS
from restore_rt.video.encoding import Encoding
from restore_rt.video.pixels import PixelLayout, written_layout
from restore_rt.video.reader import VideoReader
from restore_rt.video.tracks import Track, TrackChoices, choose_tracks
from restore_rt.video.writer import VideoWriter

__all__ = ["WINDOW", "StreamFormat", "muxer_of", "open_sink"]

WINDOW = "window"
"""The sink that shows frames."""

StreamFormat = Literal["mkv", "mp4", "nut", "yuv4mpeg", "raw", "mpegts", "flv"]
"""What is written to standard output or an address."""

_MUXERS = {
    "mkv": "matroska",
    "mp4": "mp4",
    "nut": "nut",
    "yuv4mpeg": "yuv4mpegpipe",
    "raw": "rawvideo",
    "mpegts": "mpegts",
    "flv": "flv",
}
_BY_PROTOCOL: dict[str, StreamFormat] = {"tcp": "mpegts", "udp": "mpegts", "rtmp": "flv"}
_RAW = ("nut", "yuv4mpegpipe", "rawvideo")
# WebM has no codec that is encoded as fast.
_FILES = [suffix for suffix, muxer in FORMATS.items() if muxer != "webm"]
# Sound that these hold as it is; other sound becomes AAC.
_COPIED = {
    "mpegts": ("aac", "mp2", "mp3", "mp3float", "ac3", "eac3"),
    "flv": ("aac", "mp3", "mp3float"),
}
# Each frame leaves the encoder before the next one comes.
_AT_ONCE = {"preset": "veryfast", "tune": "zerolatency", "crf": "20"}


class WrittenSink(Sink):
    """A file, an address or standard output."""

    def __init__(self, writer: VideoWriter, layout: PixelLayout, kept: ExitStack) -> None:
        super().__init__(layout)
        self._writer, self._kept = writer, kept

    def copy(self, packets: Iterable[av.Packet[Any]]) -> None:
        """Write packets."""
        with self._while_read():
            self._writer.copy(packets)

    def deliver(self, frame: Frame, picture: av.VideoFrame, *, age: float, model: str) -> None:
        """Encode a picture at the time of its frame."""
        with self._while_read():
            self._writer.encode(picture, pts=frame.pts, duration=frame.duration)

    def close(self) -> None:
        """Finish; a file appears now."""
        if self.ended:
            self.abort()
            return
        with self._while_read():
            self._writer.close()
        self._kept.close()

    def abort(self) -> None:
        """Leave what there is; a file does not appear."""
        self._writer.abort()
        error = InterruptedError()
        self._kept.__exit__(type(error), error, None)

    @contextmanager
    def _while_read(self) -> Iterator[None]:
        """End the run if nobody reads it any more: a player was closed."""
        try:
            yield
        except OutputError as error:
            if not isinstance(error.__cause__, BrokenPipeError | ConnectionResetError):
                raise
            self.ended = True


def muxer_of(sink: str, format_name: str | None) -> str:
    """Return FFmpeg's name of the container that a sink gets; "" for one that gets none.

    Raises
    ------
    InputError
        The sink or the format is not allowed.
    """
    if format_name is not None and format_name not in get_args(StreamFormat):
        allowed = ", ".join(get_args(StreamFormat))
        raise InputError(f"format is {format_name!r}; allowed are {allowed}")
    if sink in ("null", WINDOW):
        if format_name is not None:
            raise InputError(f"format is {format_name!r}, but the sink is {sink}; leave it out")
        return ""
    if sink == STANDARD:
        return _MUXERS[format_name or "mkv"]
    protocol, found, _ = sink.partition("://")
    if found and protocol in _BY_PROTOCOL:
        return _MUXERS[format_name or _BY_PROTOCOL[protocol]]
    suffix = Path(sink).suffix.lower()
    if found or suffix not in _FILES:
        raise InputError(
            f"the sink is {sink!r}; allowed are window, null, - for standard output, addresses "
            f"that begin with {', '.join(f'{name}://' for name in _BY_PROTOCOL)}, and files that "
            f"end in {', '.join(_FILES)}"
        )
    if format_name is not None:
        raise InputError(
            f"format is {format_name!r}, but the suffix of {sink} says it; leave it out"
        )
    return FORMATS[suffix]


def open_sink(
    sink: str,
    reader: VideoReader,
    *,
    format_name: str | None = None,
    scale: int,
    threads: int,
    overwrite: bool = False,
    clock: RunClock | None = None,
) -> tuple[Sink, list[str]]:
    """Open a sink for a source that was opened.

    Parameters
    ----------
    sink
        ``window``, ``null``, ``-``, an address, or a file.
    reader
        Of the source.
    format_name
        Of the stream to ``-`` or an address; the usual one by default.
    scale
        Output size over input size.
    threads
        For the encoder.
    overwrite
        Replace a file.
    clock
        Of the run: a window shows its user how old frames are, and pauses it.

    Returns
    -------
    Sink, list of str
        It, and notes for the user.

    Raises
    ------
    InputError
        The sink or the format is not allowed.
    OutputError
        It cannot be opened.
    """
    muxer = muxer_of(sink, format_name)
    if sink == WINDOW:
        notes = [f"keys: {'; '.join(f'{key}: {what}' for key, what in KEYS.items())}"]
        if any(stream.type == "audio" for stream in reader.others):
            notes.append("the window plays no sound")
        return WindowSink(reader, clock or RunClock(), scale=scale), notes
    if not muxer:
        return Sink(reader.layout), []
    streamed = sink == STANDARD or "://" in sink
    raw = muxer in _RAW
    layout = reader.layout
    if not raw:
        layout = written_layout(
            layout, "auto", None, held=held_formats("h264"), plays=muxer != "matroska",
            hdr=reader.tags.is_hdr,
        )  # fmt: skip
    # The writer takes the codec's name for messages alone where frames stay as they are.
    settings = EncoderSettings(
        cast("Any", "rawvideo") if raw else "h264",
        "rawvideo" if raw else "libx264",
        {} if raw else dict(_AT_ONCE),
        keeps_hdr=False,
    )
    encoding = Encoding(
        settings=settings,
        width=reader.width * scale,
        height=reader.height * scale,
        pixel_format=layout.name,
        tags=reader.tags.enlarged(reader.width, reader.height, scale),
        threads=threads,
    )
    tracks, notes = _sound(
        reader,
        muxer,
        Path("stream.mp4" if muxer == "mp4" else "stream.mkv") if streamed else Path(sink),
    )
    kept = ExitStack()
    shown: Path | str = "standard output" if sink == STANDARD else sink
    path: Path | str = "pipe:1" if sink == STANDARD else sink
    if not streamed:
        shown = Path(sink)
        check_target_of(reader.path, shown, overwrite=overwrite)
        path = kept.enter_context(whole_file(shown, overwrite=overwrite))
    try:
        writer = VideoWriter(
            path,
            target=shown,
            source=reader,
            tracks=tracks,
            encoding=encoding,
            muxer=muxer if streamed else None,
        )
    except BaseException as error:
        kept.__exit__(type(error), error, None)
        raise
    return WrittenSink(writer, layout, kept), notes


def _sound(reader: VideoReader, muxer: str, path: Path) -> tuple[list[Track], list[str]]:
    """Decide what becomes of sound; subtitles and data would make the muxer wait for them."""
    if muxer in ("yuv4mpegpipe", "rawvideo"):
        return [], ["sound is left out: this format holds pictures alone"] * any(
            stream.type == "audio" for stream in reader.others
        )
    sound = [stream for stream in reader.others if stream.type == "audio"]
    if muxer == "nut":
        return [Track(stream) for stream in sound], []
    if muxer not in _COPIED:
        return choose_tracks(
            reader.container, sound, path, TrackChoices(), reader.packet_before_frames
        )
    tracks = []
    for stream in sound:
        name = stream.codec_context.name if stream.codec_context else ""
        tracks.append(Track(stream, "" if name in _COPIED[muxer] else "aac"))
    return tracks, []
