"""Where the frames of a live run go."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import av

from restore_rt.video.clock import Frame
from restore_rt.video.pixels import PixelLayout

__all__ = ["Sink"]


class Sink:
    """Takes restored frames, and the packets of sound beside them; this one keeps nothing.

    Parameters
    ----------
    layout
        Pixel format of the frames that it takes.

    Attributes
    ----------
    ended
        Its user wants no more: the run ends.
    """

    def __init__(self, layout: PixelLayout) -> None:
        self.layout = layout
        self.ended = False

    def copy(self, packets: Iterable[av.Packet[Any]]) -> None:
        """Take packets."""

    def deliver(self, frame: Frame, picture: av.VideoFrame, *, age: float, model: str) -> None:
        """Take a decoded frame, what a model made of it, and how many seconds that took."""

    def idle(self) -> None:
        """Do what there is to do between frames; called several times a second."""

    def close(self) -> None:
        """Finish."""

    def abort(self) -> None:
        """Leave what there is."""
