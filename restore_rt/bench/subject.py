"""What is measured: a restorer, frames for it, and what its first result is compared with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from restore_rt.bench.device import Gpu, gpu_of
from restore_rt.bench.report import Case, Verified
from restore_rt.bench.sampling import Step
from restore_rt.bench.verification import shown, verify
from restore_rt.model.interface import read_interface
from restore_rt.model.manifest import Manifest
from restore_rt.model.reading import read_model
from restore_rt.timing import StageTimes

if TYPE_CHECKING:
    from restore_rt.gpu import DeviceFrame

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
    def backend(self) -> str:
        """What runs the network."""

    @property
    def precision(self) -> str:
        """The least that any layer computes in."""

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


def _whole(restorer: Measurable, frame: U8, out: U8) -> Step:
    def step() -> None:
        restorer(frame, out=out)

    return step


def _resident(restorer: Measurable, frame: DeviceFrame, out: DeviceFrame) -> Step:
    def step() -> None:
        made = restorer(frame, out=out)
        # A result that is there when the call returns is made by no stream any more.
        if made.stream is not None:
            made.stream.synchronize()

    return step


def _network(restorer: Measurable, frame: U8, out: U8) -> Step:
    stages = restorer.stages

    def step() -> float:
        before = stages.seconds.get("network", 0.0)
        restorer(frame, out=out)
        return stages.seconds["network"] - before

    return step


def _network_on(gpu: Gpu, case: Case) -> Step:
    return lambda: gpu.network_seconds((case.height, case.width))


class Subject:
    """Frames, memory for their results, and a step for each stream.

    Attributes
    ----------
    restorer, case
        What is measured, and how.
    frame
        Of the first stream.
    gpu
        Where it runs; None on a CPU.
    alone
        Whether the network is timed on a GPU, where it then runs over tiles without any frame.
    first
        Restores the frame of the first stream, whatever is timed.
    steps
        What is timed of a frame, for each stream; they return the seconds that count, or None if
        all do.

    Raises
    ------
    InputError
        The case is for a GPU, and the Restorer runs on a CPU.
    """

    def __init__(
        self, restorer: Measurable, case: Case, *, gpu_memory_before: int | None = None
    ) -> None:
        manifest = restorer.manifest
        self.restorer, self.case = restorer, case
        self.gpu = gpu_of(restorer, case, memory_before=gpu_memory_before)
        self.alone = self.gpu is not None and case.scope == "network"
        self.frame = test_frame(manifest, case.height, case.width)
        height, width = (manifest.scale * side for side in self.frame.shape[:2])
        shape = (height, width, *self.frame.shape[2:])
        if self.gpu is not None and case.scope == "device":
            # Each caller has a frame and a result of its own, as they would in use.
            there = [self.gpu.pair(self.frame, shape) for _ in range(case.streams)]
            self._out: Any = there[0][1]
            self.steps = [_resident(restorer, frame, out) for frame, out in there]
            self.first = self.steps[0]
            return
        # Written, so that it is in memory before anything is counted.
        self._out = np.full(shape, 1, np.uint8)
        pairs = [(self.frame, self._out)]
        pairs += [(self.frame.copy(), np.full(shape, 1, np.uint8)) for _ in range(case.streams - 1)]
        self.steps = [_whole(restorer, frame, out) for frame, out in pairs]
        self.first = self.steps[0]
        if case.scope == "network":
            on_gpu = None if self.gpu is None else _network_on(self.gpu, case)
            self.steps = [on_gpu or _network(restorer, frame, out) for frame, out in pairs]

    def look(self) -> None:
        """See how much memory of the GPU is in use between frames, if there is one."""
        if self.gpu is not None:
            self.gpu.look()

    def verified(self, check: Check | None = None) -> Judged:
        """Judge the first result; without an .onnx file, say why it cannot be judged.

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
        restorer = self.restorer
        out = self._out if isinstance(self._out, np.ndarray) else self._out.to_host()
        parts = shown(out, self.frame, restorer.manifest)
        if check is not None:
            return check(self.frame, parts)
        return judge(
            restorer.path, restorer.manifest, self.frame, parts, precision=restorer.precision
        )


def judge(
    path: Path | None, manifest: Manifest, frame: U8, parts: list[U8], *, precision: str
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
    model = read_model(path)
    takes = read_interface(model, path)
    if takes.height is not None or takes.width is not None:
        return None, "the file takes one size alone, and what is compared is smaller"
    return verify(model, manifest, frame, parts, precision=precision), ""
