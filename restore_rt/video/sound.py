"""Sound in another codec, for containers that cannot hold it as it is."""

from __future__ import annotations

import io
from fractions import Fraction
from functools import cache
from typing import Any

import av
from av.stream import Stream

__all__ = ["SoundConverter", "encoder_name", "holds_sound"]

_ENCODERS = {"opus": "libopus"}
# FFmpeg's names of the sample formats that an encoder takes, of 16 bits and of more.
_FORMATS = {
    "flac": ("s16", "s32"),
    "alac": ("s16p", "s32p"),
    "opus": ("s16", "flt"),
    "aac": ("fltp", "fltp"),
}
_OPUS_RATE = 48000
# Sound that is off by more than this is moved: silence is put in, or a frame left out.
_TOLERANCE = Fraction(1, 50)


def encoder_name(codec: str) -> str:
    """Return FFmpeg's name of the encoder for a codec."""
    return _ENCODERS.get(codec, codec)


@cache
def holds_sound(container: str, codec: str) -> bool:
    """Whether a container can hold a codec, and it can be encoded here."""
    target = av.open(io.BytesIO(), "w", format=container)
    try:
        stream: Any = target.add_stream(encoder_name(codec), rate=48000, layout="stereo")
        stream.codec_context.format = _FORMATS[codec][0]
        target.start_encoding()
        target.close()
    except (av.FFmpegError, ValueError):
        return False
    return True


class SoundConverter:
    """Decodes packets of a stream and encodes them as another codec, at the same times.

    Parameters
    ----------
    target
        The file to add the stream to.
    source
        The stream whose packets come.
    codec
        One of flac, alac, opus and aac.

    Attributes
    ----------
    stream
        The one that was added.
    lost
        Packets that could not be decoded.
    """

    def __init__(self, target: av.container.OutputContainer, source: Stream, codec: str) -> None:
        self._decoder: Any = source.codec_context
        self.rate = _OPUS_RATE if codec == "opus" else self._decoder.rate
        self.lost = 0
        self.stream: Any = target.add_stream(
            encoder_name(codec), rate=self.rate, layout=self._decoder.layout.name
        )
        deep = self._decoder.format.bytes > 2
        self.stream.codec_context.format = _FORMATS[codec][deep]
        self.stream.codec_context.time_base = Fraction(1, self.rate)
        self._resampler: av.AudioResampler | None = None
        self._begin: Fraction | None = None
        self._taken = self._given = 0  # samples, by the rate of either side

    def convert(self, packet: av.Packet[Any] | None) -> list[av.Packet[Any]]:
        """Return what a packet of the source becomes."""
        try:
            frames = self._decoder.decode(packet)
        except av.FFmpegError:
            self.lost += 1
            return []
        return [each for frame in frames for each in self._encode(frame)]

    def finish(self) -> list[av.Packet[Any]]:
        """Return what is left."""
        packets = self.convert(None)
        if self._begin is not None:
            packets += [*self._encoded(None), *self.stream.encode(None)]
        return packets

    def _encode(self, frame: av.AudioFrame) -> list[av.Packet[Any]]:
        begin = None if frame.pts is None else frame.pts * frame.time_base
        if self._begin is None:
            self._begin = begin or Fraction(0)
        missing = Fraction(0)
        if begin is not None:
            missing = begin - self._begin - Fraction(self._taken, frame.sample_rate)
        if missing < -_TOLERANCE:
            return []  # its time has passed
        packets = []
        if missing > _TOLERANCE:
            packets += self._encoded(_silence(frame, round(missing * frame.sample_rate)))
        return packets + self._encoded(frame)

    def _encoded(self, frame: av.AudioFrame | None) -> list[av.Packet[Any]]:
        context = self.stream.codec_context
        if self._resampler is None:
            self._resampler = av.AudioResampler(
                context.format, context.layout, self.rate, frame_size=context.frame_size
            )
        if frame is not None:
            self._taken += frame.samples
            frame.pts = None
        packets = []
        for each in self._resampler.resample(frame):
            assert self._begin is not None
            each.pts = round(self._begin * self.rate) + self._given
            each.time_base = Fraction(1, self.rate)
            self._given += each.samples
            packets += self.stream.encode(each)
        return packets


def _silence(like: av.AudioFrame, samples: int) -> av.AudioFrame:
    frame = av.AudioFrame(like.format.name, like.layout.name, samples)
    frame.sample_rate = like.sample_rate
    quiet = b"\x80" if like.format.name in ("u8", "u8p") else b"\0"
    for plane in frame.planes:
        plane.update(quiet * plane.buffer_size)
    return frame
