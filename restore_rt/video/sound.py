"""Sound in another codec, for containers that cannot hold it as it is."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from typing import Any

import av
from av.stream import Stream

__all__ = ["MOST_CHANNELS", "PcmFiller", "SoundConverter", "encoder_name", "holds_sound"]

_ENCODERS = {"opus": "libopus"}
# FFmpeg's names of the sample formats that an encoder takes, of 16 bits and of more.
_FORMATS = {
    "flac": ("s16", "s32"),
    "alac": ("s16p", "s32p"),
    "opus": ("s16", "flt"),
    "aac": ("fltp", "fltp"),
}
_OPUS_RATE = 48000
# The layouts that all of these encoders take, by the number of channels.
_LAYOUTS = ("mono", "stereo", "3.0", "quad", "5.0", "5.1", "6.1", "7.1")
MOST_CHANNELS = len(_LAYOUTS)
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
        decoder: Any = source.codec_context
        self.lost = 0
        rate = _OPUS_RATE if codec == "opus" else decoder.rate
        layout = _LAYOUTS[decoder.layout.nb_channels - 1]
        stream: Any = target.add_stream(encoder_name(codec), rate=rate, layout=layout)
        self.stream = stream
        self._decoder, self._encoder = decoder, stream.codec_context
        self._encoder.format = _FORMATS[codec][decoder.format.bytes > 2]
        self._encoder.time_base = Fraction(1, rate)
        self._resampler: av.AudioResampler | None = None
        self._taken_as: tuple[Any, ...] = ()  # format, layout and rate of what it takes
        self._samples = av.AudioFifo()
        self._begin: Fraction | None = None
        self._heard = Fraction(0)  # seconds since then
        self._given = 0  # samples

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
            self._resample(None)
            packets += [*self._encoded(rest=True), *self._encoder.encode(None)]
        return packets

    def _encode(self, frame: av.AudioFrame) -> list[av.Packet[Any]]:
        begin = self._begin if self._begin is not None else Fraction(0)
        if frame.pts is not None and frame.time_base is not None:
            time = frame.pts * frame.time_base
            begin = time if self._begin is None else time - self._heard
        if self._begin is None:
            self._begin = begin
        if begin - self._begin < -_TOLERANCE:
            return []  # its time has passed
        packets = []
        if begin - self._begin > _TOLERANCE:
            missing = round((begin - self._begin) * frame.sample_rate)
            for done in range(0, missing, frame.sample_rate):
                self._resample(_silence(frame, min(frame.sample_rate, missing - done)))
                packets += self._encoded()
        self._resample(frame)
        return packets + self._encoded()

    def _resample(self, frame: av.AudioFrame | None) -> None:
        """Put a frame's samples, or with None what is left, behind those to be encoded."""
        if frame is not None:
            self._heard += Fraction(frame.samples, frame.sample_rate)
            frame.pts = None
            taken_as = (frame.format.name, frame.layout.name, frame.sample_rate)
            if taken_as != self._taken_as:
                self._resample(None)
                encoder = self._encoder
                self._resampler = av.AudioResampler(encoder.format, encoder.layout, encoder.rate)
                self._taken_as = taken_as
        if self._resampler is not None:
            for each in self._resampler.resample(frame):
                each.pts = None
                self._samples.write(each)

    def _encoded(self, *, rest: bool = False) -> list[av.Packet[Any]]:
        """Encode the samples that fill a frame of the encoder; with ``rest``, all."""
        packets = []
        size = self._encoder.frame_size
        while self._samples.samples >= max(size, 1) or (rest and self._samples.samples):
            frame = self._samples.read(size, partial=True)
            assert frame is not None
            assert self._begin is not None
            frame.pts = round(self._begin * self._encoder.rate) + self._given
            frame.time_base = Fraction(1, self._encoder.rate)
            self._given += frame.samples
            packets += self._encoder.encode(frame)
        return packets


class PcmFiller:
    """Puts silence where PCM sound pauses: QuickTime files count its samples and know no pauses.

    Parameters
    ----------
    source
        The stream whose packets come.
    """

    def __init__(self, source: Stream) -> None:
        context: Any = source.codec_context
        name = context.name
        bits = re.search(r"\d+", name)
        self._frame = context.layout.nb_channels * (int(bits[0]) // 8 if bits else 1)
        self._rate = context.rate
        self._quiet = {"pcm_u8": b"\x80", "pcm_alaw": b"\xd5", "pcm_mulaw": b"\xff"}.get(
            name, b"\0"
        )
        self._begin: Fraction | None = None
        self._heard = 0  # samples since then

    def fill(self, packet: av.Packet[Any]) -> Iterator[av.Packet[Any]]:
        """Yield the silence before a packet, and the packet."""
        if packet.pts is not None and packet.time_base is not None:
            time = packet.pts * packet.time_base
            if self._begin is None:
                self._begin = time
            missing = round((time - self._begin) * self._rate) - self._heard
            if missing > _TOLERANCE * self._rate:
                for done in range(0, missing, self._rate):
                    yield self._silence(packet, min(self._rate, missing - done))
        self._heard += packet.size // self._frame
        yield packet

    def _silence(self, like: av.Packet[Any], samples: int) -> av.Packet[Any]:
        assert self._begin is not None
        assert like.time_base is not None
        packet: av.Packet[Any] = av.Packet(self._quiet * (samples * self._frame))
        time = self._begin + Fraction(self._heard, self._rate)
        packet.pts = packet.dts = round(time / like.time_base)
        packet.duration = round(Fraction(samples, self._rate) / like.time_base)
        packet.time_base = like.time_base
        self._heard += samples
        return packet


def _silence(like: av.AudioFrame, samples: int) -> av.AudioFrame:
    frame = av.AudioFrame(like.format.name, like.layout.name, samples)
    frame.sample_rate = like.sample_rate
    quiet = b"\x80" if like.format.name in ("u8", "u8p") else b"\0"
    for plane in frame.planes:
        plane.update(quiet * plane.buffer_size)
    return frame
