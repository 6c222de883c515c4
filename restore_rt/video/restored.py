"""What restores the frames of a video, and the frames that come out."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeVar

import av
from numpy.typing import NDArray

from restore_rt.errors import InputError
from restore_rt.frames import ChromaSiting, Planes
from restore_rt.model.manifest import Manifest
from restore_rt.timing import StageTimes
from restore_rt.unchanged import Reuse
from restore_rt.video.decoding import Step
from restore_rt.video.pixels import PixelLayout, planes_of

__all__ = ["FrameRestorer", "RestoredFrame", "RestoredStep"]

Carried = TypeVar("Carried")


class FrameRestorer(Protocol):
    """What a ``Pipeline`` needs of a ``Restorer``."""

    manifest: Manifest
    chroma: str

    @property
    def scale(self) -> int:
        """Output size over input size."""

    @property
    def workers(self) -> int:
        """Frames that ``stream_into`` restores at once."""

    @property
    def reruns(self) -> int:
        """Frames that were run again in fp32."""

    @property
    def description(self) -> str:
        """What runs the network, for people."""

    def stream_into(
        self,
        items: Iterable[tuple[Carried, Any, Any]],
        *,
        stages: StageTimes | None = None,
        reuse: Reuse | None = None,
    ) -> Generator[tuple[Carried, Any], None, None]:
        """Restore frames in order; see ``Restorer.stream_into``."""


class RestoredStep(NamedTuple):
    """A step of the source with its restored picture; None if it has no frame, or one skipped."""

    step: Step
    picture: Any


@dataclass(frozen=True)
class RestoredFrame:
    """A restored frame of a ``Pipeline``.

    Attributes
    ----------
    number
        Its place in the order of delivery, from 0, counted from the last seek.
    pts_seconds
        When it is shown, from the beginning of the clip.
    duration_seconds
        How long it is shown.
    picture
        A PyAV frame with its time, matrix and range; None for ``pixel_format="rgb"``.
    pixels
        RGB of shape (H, W, 3), or (H, W, 4) where there is transparency; uint8, or uint16 for
        clips of more than 8 bits. None for all other pixel formats.
    """

    number: int
    pts_seconds: float
    duration_seconds: float
    picture: av.VideoFrame | None
    pixels: NDArray[Any] | None
    _layout: PixelLayout
    _siting: ChromaSiting

    @property
    def planes(self) -> Planes:
        """Y'CbCr samples, which share the memory of ``picture``.

        Raises
        ------
        InputError
            The pipeline delivers RGB.
        """
        if self.picture is None:
            raise InputError(
                "this frame is RGB and has no planes; open the Pipeline with pixel_format='keep'"
            )
        return planes_of(self.picture, self._layout, self._siting)
