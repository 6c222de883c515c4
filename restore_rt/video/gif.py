"""Writes GIF: one palette for the whole clip, and each picture's own duration."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.filter
from numpy.typing import NDArray

from restore_rt.video.animated import AnimationFile

__all__ = ["GifFile", "palette_of"]

_HUNDREDTH = Fraction(1, 100)
_LONGEST = 0xFFFF  # hundredths of a second
# Browsers show what is meant to be shorter for a tenth of a second.
_SHORTEST = 2
_GRAPHIC_CONTROL = b"\x21\xf9\x04"
# One palette for all: with one each, what stays the same is stored anew, and pictures are hardly
# closer. Only what changes is dithered anew.
_DITHER = "dither=floyd_steinberg:diff_mode=rectangle"


def palette_of(pictures: Iterable[av.VideoFrame]) -> av.VideoFrame:
    """Return the 256 colours, one of them transparent, that fit RGB pictures best.

    Memory grows with the number of different colours, not of pictures.
    """
    graph: Any = None
    for number, picture in enumerate(pictures):
        if graph is None:
            graph = av.filter.Graph()
            source, sink = _source(graph, picture), graph.add("buffersink")
            palette = graph.add("palettegen", "stats_mode=full")
            source.link_to(palette)
            palette.link_to(sink)
            graph.configure()
        picture.pts, picture.time_base = number, _HUNDREDTH
        source.push(picture)
    source.push(None)
    found: av.VideoFrame = sink.pull()
    return found


def _source(graph: av.filter.Graph, picture: av.VideoFrame) -> Any:
    return graph.add_buffer(
        width=picture.width, height=picture.height, format=picture.format, time_base=_HUNDREDTH
    )


class GifFile(AnimationFile):
    """A GIF.

    Parameters
    ----------
    path
        Where to write.
    target
        What the file will be called in the end, for messages.
    plays
        How often it is shown; 0 for without end.
    palette
        As ``palette_of`` returns it.
    """

    def __init__(self, path: Path, target: Path, *, plays: int, palette: av.VideoFrame) -> None:
        super().__init__(path, target)
        self._palette = palette
        self._graph: Any = None
        # The muxer counts repetitions, and -1 means none.
        options = {"loop": str({0: 0, 1: -1}.get(plays, min(plays - 1, _LONGEST)))}
        self._muxer: Any = av.open(self._file, "w", format="gif", container_options=options)
        self._stream: Any = None
        self._now = 0
        self._duration = 0
        self._short = 0
        self._last_size = 0

    def abort(self) -> None:
        """Close the file as it is."""
        with contextlib.suppress(av.FFmpegError, ValueError, OSError):
            self._muxer.close()
        super().abort()

    @property
    def _longest(self) -> float:
        return _LONGEST / 100

    def _add(self, pixels: NDArray[Any], begin: Fraction, end: Fraction) -> None:
        name = "rgba" if pixels.shape[2] == 4 else "rgb24"
        picture = av.VideoFrame.from_ndarray(pixels, format=name).reformat(format="rgba")
        if self._graph is None:
            self._open(picture)
        duration = round(end * 100) - round(begin * 100)
        self._short += duration < _SHORTEST
        self._shortened += duration > _LONGEST
        picture.pts, picture.time_base = self._now, _HUNDREDTH
        self._now += min(duration, _LONGEST)
        self._duration = min(duration, _LONGEST)
        self._source.push(picture)
        self._mux(self._mapped())

    def _finish(self) -> None:
        self._source.push(None)
        self._mux(self._mapped())
        for packet in self._stream.encode(None):
            self._mux_one(packet)
        self._muxer.close()
        self._file.flush()
        self._set_last_duration()
        if self._short:
            self.notes.append(
                f"{self._short} pictures are shown for less than 0.02 s, which browsers make 0.1 s "
                "in a GIF; .webp and .png play as they should"
            )

    def _open(self, picture: av.VideoFrame) -> None:
        self._graph = av.filter.Graph()
        self._source, colours = _source(self._graph, picture), _source(self._graph, self._palette)
        use = self._graph.add("paletteuse", _DITHER)
        self._sink = self._graph.add("buffersink")
        self._source.link_to(use, 0, 0)
        colours.link_to(use, 0, 1)
        use.link_to(self._sink)
        self._graph.configure()
        self._palette.pts, self._palette.time_base = 0, _HUNDREDTH
        colours.push(self._palette)
        colours.push(None)
        self._stream = self._muxer.add_stream("gif", rate=100)
        self._stream.width, self._stream.height = picture.width, picture.height
        self._stream.pix_fmt = "pal8"
        self._stream.codec_context.time_base = self._stream.time_base = _HUNDREDTH

    def _mapped(self) -> Iterator[av.VideoFrame]:
        while True:
            try:
                yield self._sink.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return

    def _mux(self, pictures: Iterable[av.VideoFrame]) -> None:
        for picture in pictures:
            for packet in self._stream.encode(picture):
                self._mux_one(packet)

    def _mux_one(self, packet: Any) -> None:
        self._last_size = packet.size
        self._muxer.mux_one(packet)

    def _set_last_duration(self) -> None:
        """Write it where it belongs: the muxer would have to be told before the first picture."""
        end = self._file.seek(0, 2)
        begin = max(0, end - self._last_size - 1)
        with open(self._file.name, "r+b") as file:  # noqa: PTH123
            file.seek(begin)
            place = file.read().find(_GRAPHIC_CONTROL)
            file.seek(begin + place + 4)
            file.write(self._duration.to_bytes(2, "little"))
