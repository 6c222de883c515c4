"""Small clips, made and taken apart with PyAV, and restorers that need no model."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

import av
import numpy as np
from numpy.typing import NDArray

from restore_rt.frames import Planes
from restore_rt.model.manifest import Manifest
from restore_rt.streaming import overlapped
from restore_rt.timing import StageTimes
from restore_rt.unchanged import Reuse
from restore_rt.video.pixels import layout_of, new_frame, planes_of

Carried = TypeVar("Carried")

RATE = 25
QUIET = {"libx264": {"preset": "ultrafast"}, "libx265": {"x265-params": "log-level=none"}}


class Enlarger:
    """Repeats samples, in place of a network."""

    def __init__(
        self,
        scale: int = 2,
        *,
        colour: str = "luma",
        hook: Callable[[int], None] = lambda index: None,
    ) -> None:
        self.manifest = Manifest(
            name="enlarger",
            version="1",
            task="upscale",
            content="video",
            scale=scale,
            colour=colour,
            halo=0,
            tile=(64, 64),
            sha256="",
            trained_on="",
            licence="none",
            recipe="",
        )
        self.chroma = "bicubic"
        self.seen: list[Any] = []
        self._hook = hook

    @property
    def scale(self) -> int:
        return self.manifest.scale

    @property
    def workers(self) -> int:
        return 1

    @property
    def reruns(self) -> int:
        return 0

    @property
    def description(self) -> str:
        return "enlarger"

    def stream_into(
        self,
        items: Iterable[tuple[Carried, Any, Any]],
        *,
        stages: StageTimes | None = None,
        reuse: Reuse | None = None,
    ) -> Generator[tuple[Carried, Any], None, None]:
        times = StageTimes() if stages is None else stages

        def work(item: tuple[Carried, Any, Any]) -> tuple[Carried, Any]:
            carried, out, frame = item
            return carried, None if frame is None else self._restore(out, frame, times)

        return overlapped(work, items)

    def _restore(self, out: Any, frame: Any, times: StageTimes) -> Any:
        with times.measure("network"):
            self._hook(len(self.seen))
            self.seen.append(frame if not isinstance(frame, Planes) else frame.y.shape)
            if not isinstance(frame, Planes):
                return self._repeat(frame)
            frame.check_output(out, self.scale)
            for source, target in ((frame.y, out.y), (frame.cb, out.cb), (frame.cr, out.cr)):
                if target is not None:
                    height, width = target.shape
                    target[...] = self._repeat(source)[:height, :width]
            return out

    def _repeat(self, samples: Any) -> Any:
        return samples.repeat(self.scale, axis=0).repeat(self.scale, axis=1)


@dataclass
class Clip:
    """What a file holds."""

    pts: list[Fraction]
    pictures: list[av.VideoFrame]
    packets: dict[int, list[tuple[Fraction, bytes]]]
    kinds: list[str]
    metadata: dict[str, str]
    chapters: list[Any]
    video: dict[str, Any]
    stream_metadata: list[dict[str, str]] = field(default_factory=list)

    @property
    def others(self) -> list[list[tuple[Fraction, bytes]]]:
        """Packets of the streams that are not video, in order."""
        return [self.packets[index] for index, kind in enumerate(self.kinds) if kind != "video"]


def read_clip(path: Path) -> Clip:
    """Decode a file's video and collect the packets of everything else."""
    with av.open(str(path)) as file:
        stream = file.streams.video[0]
        kinds: list[str] = [other.type for other in file.streams]
        packets: dict[int, list[tuple[Fraction, bytes]]] = {n: [] for n in range(len(kinds))}
        pictures: list[av.VideoFrame] = []
        for packet in file.demux():
            if packet.stream is stream:
                pictures += stream.decode(packet)
            elif packet.pts is not None and packet.time_base is not None:
                packets[packet.stream.index].append((packet.pts * packet.time_base, bytes(packet)))
        first, context = pictures[0], stream.codec_context
        return Clip(
            pts=[Fraction(picture.pts or 0) * (stream.time_base or 1) for picture in pictures],
            pictures=pictures,
            packets=packets,
            kinds=kinds,
            metadata={key.lower(): text for key, text in file.metadata.items()},
            chapters=file.chapters(),
            video={
                "codec": context.name,
                "format": first.format.name,
                "size": (first.width, first.height),
                "tags": (
                    int(first.color_range),
                    int(getattr(first, "color_primaries", context.color_primaries)),
                    int(getattr(first, "color_trc", context.color_trc)),
                    int(first.colorspace),
                ),
                "sar": stream.sample_aspect_ratio,
                "rotation": first.rotation,
            },
            stream_metadata=[dict(other.metadata) for other in file.streams],
        )


def samples(picture: av.VideoFrame) -> list[NDArray[Any]]:
    """Copy a picture's planes."""
    planes = planes_of(picture, layout_of(picture.format), "left")
    return [plane.copy() for plane in (planes.y, planes.cb, planes.cr) if plane is not None]


def moving_picture(width: int, height: int, pixel_format: str, index: int) -> av.VideoFrame:
    """Draw a ramp that moves, with colour."""
    layout = layout_of(av.VideoFormat(pixel_format, width, height))
    picture, planes = new_frame(width, height, layout, "left")
    top = (1 << layout.bit_depth) - 1
    for number, plane in enumerate((planes.y, planes.cb, planes.cr)):
        if plane is not None:
            rows, columns = np.indices(plane.shape)
            ramp = (rows * 3 + columns * (number + 2) + index * 5) * (top // 255)
            plane[...] = top // 16 + ramp % (top // 2 + 1)
    return picture


def make_clip(
    path: Path,
    *,
    size: tuple[int, int] = (64, 48),
    frames: int = 10,
    pixel_format: str = "yuv420p",
    codec: str = "libx264",
    options: dict[str, str] | None = None,
    pts: Sequence[int] | None = None,
    time_base: Fraction = Fraction(1, RATE),
    tags: tuple[int, int, int, int] | None = None,
    sound: str | None = None,
    sound_options: dict[str, str] | None = None,
    subtitles: str | None = None,
    prepare: Callable[[av.container.OutputContainer, Any], None] = lambda file, stream: None,
    draw: Callable[[int], av.VideoFrame] | None = None,
) -> Path:
    """Write a clip.

    ``pts`` are in ``time_base``; ``sound`` is an audio encoder; ``subtitles`` the codec of a line
    shown in the first half second; ``prepare`` may change the file before its header is written.
    """
    width, height = size
    with av.open(str(path), "w") as file:
        options = {**QUIET.get(codec, {}), **(options or {})}
        stream: Any = file.add_stream(codec, rate=RATE, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, pixel_format
        stream.codec_context.time_base = time_base
        stream.time_base = time_base
        context = stream.codec_context
        if tags is not None:
            (
                context.color_range,
                context.color_primaries,
                context.color_trc,
                context.colorspace,
            ) = tags
        voice = _add_sound(file, sound, sound_options)
        words: Any = file.add_mux_stream(subtitles) if subtitles else None
        prepare(file, stream)
        for index in range(frames):
            picture = draw(index) if draw else moving_picture(width, height, pixel_format, index)
            picture.pts = index if pts is None else pts[index]
            picture.time_base = time_base
            file.mux(stream.encode(picture))
            if voice is not None:
                begin = Fraction(0 if pts is None else pts[0]) * time_base
                file.mux(voice.encode(_tone(voice, index, begin)))
        file.mux(stream.encode(None))
        if voice is not None:
            file.mux(voice.encode(None))
        if words is not None:
            file.mux(_subtitle(words, counted=subtitles == "mov_text"))
    return path


def _add_sound(
    file: av.container.OutputContainer, sound: str | None, options: dict[str, str] | None
) -> Any:
    if sound is None:
        return None
    voice: Any = file.add_stream(sound, rate=48000, options=options or {})
    voice.codec_context.layout = "mono"
    return voice


def _tone(voice: Any, index: int, begin: Fraction) -> av.AudioFrame:
    count = 48000 // RATE
    time = np.arange(index * count, (index + 1) * count)
    wave = np.sin(time * (0.05 + index * 0.001))
    kind = voice.codec_context.format.name
    data = (wave * 20000).astype(np.int16) if kind.startswith("s16") else wave.astype(np.float32)
    tone = av.AudioFrame.from_ndarray(data.reshape(1, -1), format=kind, layout="mono")
    tone.sample_rate = 48000
    tone.pts = index * count + round(begin * 48000)
    tone.time_base = Fraction(1, 48000)
    return tone


def _subtitle(words: Any, *, counted: bool) -> av.Packet[Any]:
    text = b"Hello there"
    packet: av.Packet[Any] = av.Packet(len(text).to_bytes(2, "big") + text if counted else text)
    packet.stream = words
    packet.pts = packet.dts = 0
    packet.duration = 500
    packet.time_base = Fraction(1, 1000)
    return packet
