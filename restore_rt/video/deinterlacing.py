"""Whole pictures of interlaced frames, by FFmpeg's filter bwdif."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import av
import av.filter

from restore_rt.video.choices import Deinterlace
from restore_rt.video.clock import Frame

__all__ = ["Deinterlacer"]


class Deinterlacer:
    """Makes pictures without combs; frames come out one later than they go in.

    Parameters
    ----------
    mode
        ``auto`` makes one picture of each frame that the stream calls interlaced, and hands on
        what comes before the first of these; ``frame`` makes one of every frame, ``field`` two;
        ``off`` leaves the fields woven.
    time_base
        Unit of the times of the frames that go in, in seconds.

    Attributes
    ----------
    used
        Whether any frame was deinterlaced.
    """

    def __init__(self, mode: Deinterlace, time_base: Fraction) -> None:
        self.used = False
        self._mode = mode
        self._time_base = time_base
        self._graph: av.filter.Graph | None = None
        self._shape: tuple[int, int, str] = (0, 0, "")
        self._durations: dict[int, int] = {}
        self._duration = 0

    @property
    def pictures_per_frame(self) -> int:
        """How many pictures come of a frame; the unit of their times is that much finer."""
        return 2 if self._mode == "field" else 1

    def __call__(self, frames: Iterable[Frame]) -> list[Frame]:
        """Return the pictures that come of some frames."""
        if self._mode == "off":
            return list(frames)
        return [picture for frame in frames for picture in self._take(frame)]

    def finish(self) -> list[Frame]:
        """Return what is left."""
        if self._graph is None:
            return []
        self._graph.vpush(None)
        pictures = self._pull()
        self._graph = None
        return pictures

    def _take(self, frame: Frame) -> list[Frame]:
        picture = frame.picture
        shape = (picture.width, picture.height, picture.format.name)
        pictures = [] if shape == self._shape else self.finish()
        if self._graph is None:
            if self._mode == "auto" and not picture.interlaced_frame:
                return [*pictures, frame]
            self._open(picture)
            self._shape = shape
        assert self._graph is not None
        picture.pts, picture.time_base = frame.pts, self._time_base
        self._durations[frame.pts] = frame.duration
        self._graph.vpush(picture)
        return pictures + self._pull()

    def _open(self, picture: av.VideoFrame) -> None:
        graph = av.filter.Graph()
        source = graph.add_buffer(
            width=picture.width,
            height=picture.height,
            format=picture.format,
            time_base=self._time_base,
        )
        mode = "send_field" if self._mode == "field" else "send_frame"
        which = "interlaced" if self._mode == "auto" else "all"
        bwdif = graph.add("bwdif", f"mode={mode}:deint={which}")
        sink = graph.add("buffersink")
        source.link_to(bwdif)
        bwdif.link_to(sink)
        graph.configure()
        self._graph, self.used = graph, True

    def _pull(self) -> list[Frame]:
        assert self._graph is not None
        pictures: list[Frame] = []
        while True:
            try:
                picture: Any = self._graph.vpull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return pictures
            time = picture.pts * picture.time_base / self._time_base
            # Of two pictures the later one has a time that no frame had.
            self._duration = self._durations.pop(int(time), self._duration)
            pictures.append(Frame(picture, int(time * self.pictures_per_frame), self._duration))
