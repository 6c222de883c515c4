"""Encoders of a result's frames: in the file that is written, or apart from it."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
from av.codec.context import Flags
from av.video.stream import VideoStream

from restore_rt.threads import same_priority
from restore_rt.video.codecs import EncoderSettings
from restore_rt.video.colour import ColourTags
from restore_rt.video.reader import VideoReader

__all__ = ["Encoding", "FrameEncoder", "encoder_apart"]

# Encoders plan by the rate and refuse absurd ones; timestamps do not depend on it.
_HIGHEST_RATE = Fraction(240)
# Apple's players open HEVC only under this name.
_APPLE_HEVC = "hvc1"
# Of fewer frames x265 takes the decoding times from memory that it never wrote. They are in order.
_X265_DELAY = 3


@dataclass(frozen=True)
class Encoding:
    """What an encoder is to make of which frames.

    Attributes
    ----------
    settings
        The encoder.
    width, height, pixel_format
        Of the frames.
    tags
        Colour description.
    threads
        For the encoder.
    """

    settings: EncoderSettings
    width: int
    height: int
    pixel_format: str
    tags: ColourTags
    threads: int


class FrameEncoder:
    """An open encoder, with its stream in a file.

    Parameters
    ----------
    file
        The stream is added to it.
    container
        FFmpeg's name of its format.
    source
        Whose clock and pixel aspect ratio the frames have.
    encoding
        The encoder and its frames.

    Attributes
    ----------
    stream
        The one that was added.
    """

    def __init__(
        self,
        file: av.container.OutputContainer,
        container: str,
        source: VideoReader,
        encoding: Encoding,
    ) -> None:
        self._file = file
        self._codec = encoding.settings.codec
        self._frames = 0
        self._durations: dict[int | None, int | None] = {}
        self.stream = self._added(container, source, encoding)
        with same_priority():
            self.stream.codec_context.open()

    def encode(self, frame: av.VideoFrame) -> list[av.Packet[Any]]:
        """Encode a frame with its time and duration; return the packets that are ready."""
        if frame.duration:
            self._durations[frame.pts] = frame.duration
        self._frames += 1
        return self._packets(frame)

    def finish(self) -> list[av.Packet[Any]]:
        """Return the packets that are left; no frame can be encoded after this."""
        return self._packets(None)

    def close(self) -> None:
        """Close the file, and so release the encoder."""
        with contextlib.suppress(av.FFmpegError, ValueError, OSError):
            self._file.close()

    def _packets(self, frame: av.VideoFrame | None) -> list[av.Packet[Any]]:
        packets = list(self.stream.encode(frame))
        for packet in packets:
            # SVT-AV1 hands on no durations.
            packet.duration = self._durations.pop(packet.pts, packet.duration)
            if self._codec == "h265" and self._frames < _X265_DELAY:
                packet.dts = packet.pts
        return packets

    def _added(self, container: str, source: VideoReader, encoding: Encoding) -> VideoStream:
        settings, tags = encoding.settings, encoding.tags
        options = dict(settings.options)
        if tags.location:
            options["chroma_sample_location"] = tags.location
        if source.is_animation and settings.codec == "h264":
            # Frames last for different times, and MP4 measures a track by the order of decoding:
            # with B-frames the last frame's pause would be missing from that.
            options["bf"] = "0"
        rate = min(source.rate, _HIGHEST_RATE)
        stream: VideoStream = self._file.add_stream(  # type: ignore[assignment]
            settings.encoder, rate=rate, options=options
        )
        context = stream.codec_context
        context.width, context.height = encoding.width, encoding.height
        context.pix_fmt = encoding.pixel_format
        context.time_base = source.time_base
        stream.time_base = source.time_base
        context.color_range = tags.range
        context.color_primaries = tags.primaries
        context.color_trc = tags.transfer
        context.colorspace = tags.matrix
        if source.sample_aspect_ratio is not None:
            context.sample_aspect_ratio = source.sample_aspect_ratio
        context.thread_count = encoding.threads
        # Packets then last as long as their frames, also where the frame rate varies.
        context.flags |= Flags.frame_duration
        if settings.codec == "h265" and container in ("mp4", "mov"):
            context.codec_tag = _APPLE_HEVC
        return stream


def encoder_apart(container: str, source: VideoReader, encoding: Encoding) -> FrameEncoder:
    """Open an encoder as a file of a format needs it, in one that is never written.

    Its stream can be the template of a stream in a real file.
    """
    file = av.open(io.BytesIO(), "w", format=container)
    encoder = FrameEncoder(file, container, source, encoding)
    file.start_encoding()  # the stream then says what the encoder says
    return encoder
