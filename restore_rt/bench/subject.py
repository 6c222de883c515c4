"""What is measured: a restorer, frames for it, and what its first result is compared with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from restore_rt.bench.report import Case, Verified
from restore_rt.bench.sampling import Step
from restore_rt.bench.verification import is_exact, shown, verify
from restore_rt.manifest import Manifest
from restore_rt.modelfile import read_model
from restore_rt.timing import StageTimes

__all__ = ["U8", "Check", "Judged", "Measurable", "Subject", "judge", "test_frame"]

U8 = NDArray[np.uint8]
Judged = tuple[Verified | None, str]
# Of a frame and the windows of its result.
Check = Callable[[U8, list[U8]], Judged]
_STRIP = 32


class Measurable(Protocol):
    """What is measured: a ``Restorer``, or what behaves like one."""

    manifest: Manifest
    stages: StageTimes
    path: Path | None

    @property
    def description(self) -> str:
        """Model, backend and settings, for people."""

    def __call__(self, frame: Any, *, out: Any = None) -> Any:
        """Restore a frame."""


def test_frame(manifest: Manifest, height: int, width: int) -> U8:
    """Return a picture with edges, slopes and grain: (H, W) for luma, else (H, W, 3)."""
    channels = 1 if manifest.colour == "luma" else 3
    made = np.empty((height, width, channels), np.uint8)
    random = np.random.default_rng(0)
    # By strips, so that making it takes no memory that a measurement would count.
    for top in range(0, height, _STRIP):
        y, x = np.ogrid[top : min(top + _STRIP, height), 0:width]
        for channel in range(channels):
            shifted = x + 5 * channel
            waves = np.sin(shifted / 7) * np.cos(y / 11) + ((shifted // 16 + y // 16) % 2)
            grain = random.normal(0, 3, waves.shape)
            made[top : top + _STRIP, :, channel] = np.clip(110 + 55 * waves + grain, 0, 255)
    return made if channels == 3 else made[..., 0]


class Subject:
    """Frames, memory for their results, and a step for each stream.

    Attributes
    ----------
    frame, out
        Of the first stream.
    steps
        Restore a frame each; they return the seconds that count, or None if all do.
    """

    def __init__(self, restorer: Measurable, case: Case) -> None:
        manifest, stages = restorer.manifest, restorer.stages
        self.frame = test_frame(manifest, case.height, case.width)
        height, width = (manifest.scale * side for side in self.frame.shape[:2])
        self.out = np.empty((height, width, *self.frame.shape[2:]), np.uint8)
        # Each caller has a frame and a result of its own, as they would in use.
        pairs = [(self.frame, self.out)]
        pairs += [(self.frame.copy(), np.empty_like(self.out)) for _ in range(case.streams - 1)]

        def whole(frame: U8, out: U8) -> Step:
            def step() -> None:
                restorer(frame, out=out)

            return step

        def network(frame: U8, out: U8) -> Step:
            def step() -> float:
                before = stages.seconds.get("network", 0.0)
                restorer(frame, out=out)
                return stages.seconds["network"] - before

            return step

        make = network if case.scope == "network" else whole
        self.steps: list[Step] = [make(frame, out) for frame, out in pairs]
        self._restorer = restorer

    def verified(self, check: Check | None = None) -> Judged:
        """Judge the first step's result; without it, say why it cannot be judged.

        Parameters
        ----------
        check
            Judges the result; by default it is compared, in this process, with what the model's
            file makes of the frame.

        Raises
        ------
        VerificationError
            It is not what the network makes of the frame.
        """
        restorer = self._restorer
        parts = shown(self.out, self.frame, restorer.manifest)
        if check is not None:
            return check(self.frame, parts)
        exact = is_exact(restorer.description, restorer.manifest)
        return judge(restorer.path, restorer.manifest, self.frame, parts, exact=exact)


def judge(
    path: Path | None, manifest: Manifest, frame: U8, parts: list[U8], *, exact: bool
) -> Judged:
    """Compare windows of a result with what the file of a model makes of the frame.

    Returns
    -------
    tuple
        The verdict; without one, the reason why there is none.

    Raises
    ------
    VerificationError
        The result is not what the network makes of the frame.
    """
    if path is None or path.suffix != ".onnx":
        return None, "there is no .onnx file to compare with"
    return verify(read_model(path), manifest, frame, parts, exact=exact), ""
