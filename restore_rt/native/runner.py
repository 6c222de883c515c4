"""Whole frames through the native backend, on the CPU."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from restore_rt.chroma import ChromaNetwork, takes_network
from restore_rt.errors import RestoreError
from restore_rt.frames import Planes, not_finite
from restore_rt.model.manifest import Manifest
from restore_rt.native.chroma import NativeChroma
from restore_rt.timing import StageTimes
from restore_rt.unchanged import Box, Changes

if TYPE_CHECKING:
    from restore_rt.native.network import NativeNetwork

__all__ = ["NativeRunner"]


class NativeRunner:
    """Restores frames without tiles, in one pass, the stage ``network``; a ChangesRunner.

    Parameters
    ----------
    network
        May be shared with other runners.
    manifest
        The manifest of the network.
    threads
        CPU threads for a frame.
    chroma
        Enlarges the chroma of the frames that it takes, which then is the stage ``chroma``.
    """

    device = "cpu"
    tile = None

    def __init__(
        self,
        network: NativeNetwork,
        manifest: Manifest,
        threads: int,
        *,
        chroma: ChromaNetwork | None = None,
    ) -> None:
        self.threads = threads
        self.backend = network.name
        self.precision = network.precision
        self.description = f"{network.description}, {threads} threads"
        self._network: NativeNetwork | None = network
        self._manifest = manifest
        self._chroma = chroma
        self._changes: Changes | None = None

    def restore_into(
        self,
        out: NDArray[Any],
        frame: NDArray[Any],
        *,
        stages: StageTimes,
        peak: float | None = None,
    ) -> None:
        """See ``FrameRunner``."""
        network = self._opened()
        boxes = None if self._changes is None else self._changes.boxes[0]
        with stages.measure("network"):
            finite = network.run_into(out, frame, threads=self.threads, peak=peak, boxes=boxes)
        if not finite:
            raise not_finite(self._manifest.name, frame)

    def restore_colour_into(
        self, out: NDArray[Any], frame: NDArray[Any], *, stages: StageTimes
    ) -> None:
        """See ``FrameRunner``; everything is the stage ``network``."""
        network = self._opened()
        boxes = None if self._changes is None else self._changes.boxes[0]
        with stages.measure("network"):
            finite = network.run_colour_into(out, frame, threads=self.threads, boxes=boxes)
        if not finite:
            raise not_finite(self._manifest.name, frame)

    def restore_planes_into(self, out: Planes, planes: Planes, *, stages: StageTimes) -> None:
        """See ``FrameRunner``."""
        network, threads = self._opened(), self.threads
        boxes: Sequence[Sequence[Box] | None] = (None, None, None)
        if self._changes is not None:
            boxes = self._changes.boxes
        if self._chroma is not None and takes_network(planes):
            with stages.measure("network"):
                finite = network.run_into(
                    out.y, planes.y, threads=threads, peak=planes.peak, boxes=boxes[0]
                )
            with stages.measure("chroma"):
                if isinstance(self._chroma, NativeChroma):
                    finite &= self._chroma.enlarge_into(
                        out, planes, threads=threads, boxes=boxes[1]
                    )
                else:
                    finite &= self._chroma.enlarge_into(out, planes, threads=threads)
        else:
            with stages.measure("network"):
                finite = network.run_planes_into(out, planes, threads=threads, boxes=boxes)
        if not finite:
            raise not_finite(self._manifest.name, planes.y)

    def find_changes(self, frame: Any, before: Any) -> Changes | None:
        """See ``ChangesRunner``."""
        network = self._opened()
        if isinstance(frame, Planes):
            return self._find_plane_changes(frame, before)
        if not _is_alike(frame, before) or not self._takes(frame):
            return None
        boxes = network.find_changes(frame, before)
        return _changes([boxes], [side * network.scale for side in frame.shape[:2]])

    def only(self, changes: Changes) -> NativeRunner:
        """See ``ChangesRunner``."""
        made = copy.copy(self)
        made._changes = changes
        return made

    def _find_plane_changes(self, planes: Planes, before: Any) -> Changes | None:
        network = self._opened()
        if not (
            isinstance(before, Planes)
            and (planes.bit_depth, planes.siting) == (before.bit_depth, before.siting)
            and len(planes.arrays) == len(before.arrays)
            and all(map(_is_alike, planes.arrays, before.arrays))
            and self._manifest.colour == "luma"
        ):
            return None
        (height, width), _ = planes.enlarged(network.scale)
        boxes = [network.find_changes(planes.y, before.y)]
        if _covers(boxes[0], height, width):
            return None
        if self._chroma is None or not takes_network(planes):
            boxes += network.find_chroma_changes(planes, before)
        elif isinstance(self._chroma, NativeChroma):
            boxes += [self._chroma.find_changes(planes, before, scale=network.scale)] * 2
        else:
            return None
        return _changes(boxes, (height, width))

    def _takes(self, frame: NDArray[Any]) -> bool:
        """Whether one pass of the network restores all channels of an array."""
        channels = 1 if frame.ndim == 2 else frame.shape[2]
        if channels == 3 and self._manifest.colour == "luma":
            return True
        return channels in (1, 3) and channels == self._opened().channels

    def close(self) -> None:
        """See ``FrameRunner``."""
        self._network = None

    def _opened(self) -> NativeNetwork:
        if self._network is None:
            raise RestoreError("this Restorer is closed; load the model again")
        return self._network


def _is_alike(one: Any, other: Any) -> bool:
    """Tell whether two objects are arrays of one shape and dtype."""
    arrays = isinstance(one, np.ndarray) and isinstance(other, np.ndarray)
    return arrays and one.shape == other.shape and one.dtype == other.dtype


def _covers(boxes: Sequence[Box], height: int, width: int) -> bool:
    return list(boxes) == [(0, 0, height, width)]


def _changes(boxes: Sequence[Sequence[Box]], sides: Sequence[int]) -> Changes | None:
    """Return the changes; None if they are the whole."""
    height, width = sides
    if _covers(boxes[0], height, width):
        return None
    area = sum((bottom - top) * (right - left) for top, left, bottom, right in boxes[0])
    return Changes(boxes, area / (height * width))
