"""The restorer under test, its frames, and the calls that are timed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from restore_rt.bench.device import gpu_of
from restore_rt.bench.report import Case, Verified
from restore_rt.bench.sampling import Step
from restore_rt.bench.verification import Reference, verify
from restore_rt.model.manifest import Manifest
from restore_rt.restorer import Restorer

if TYPE_CHECKING:
    from restore_rt.gpu import DeviceFrame

__all__ = ["Subject", "test_frame"]

U8 = NDArray[np.uint8]
_STRIP = 32


def test_frame(manifest: Manifest, height: int, width: int) -> U8:
    """Return a picture with edges, gradients and grain: (H, W) for luma, else (H, W, 3)."""
    channels = 1 if manifest.colour == "luma" else 3
    made = np.empty((height, width, channels), np.uint8)
    random = np.random.default_rng(0)
    # In strips, so that temporary arrays do not show in the measured memory.
    for top in range(0, height, _STRIP):
        y, x = np.ogrid[top : min(top + _STRIP, height), 0:width]
        for channel in range(channels):
            shifted = x + 5 * channel
            waves = np.sin(shifted / 7) * np.cos(y / 11) + ((shifted // 16 + y // 16) % 2)
            grain = random.normal(0, 3, waves.shape)
            made[top : top + _STRIP, :, channel] = np.clip(110 + 55 * waves + grain, 0, 255)
    return made if channels == 3 else made[..., 0]


class Subject:
    """A restorer with frames and memory for the results.

    ``first`` restores the first stream's frame, whatever the scope; ``steps`` are the timed calls,
    one for each stream. ``alone`` tells that the network is timed on a GPU, without any frame.

    Raises
    ------
    InputError
        The case needs a GPU, and the restorer runs on a CPU.
    """

    def __init__(
        self, restorer: Restorer, case: Case, *, gpu_memory_before: int | None = None
    ) -> None:
        self.restorer = restorer
        self.gpu = gpu_of(restorer, case, memory_before=gpu_memory_before)
        self.alone = self.gpu is not None and case.scope == "network"
        self.frame = test_frame(restorer.manifest, case.height, case.width)
        scale = restorer.manifest.scale
        shape = (scale * case.height, scale * case.width, *self.frame.shape[2:])
        pairs: list[tuple[Any, Any]]
        if self.gpu is not None and case.scope == "device":
            pairs = [self.gpu.pair(self.frame, shape) for _ in range(case.streams)]
            self.steps = [_resident(restorer, *pair) for pair in pairs]
        else:
            # Filled, so that the memory is there before any is counted.
            pairs = [(self.frame.copy(), np.full(shape, 1, np.uint8)) for _ in range(case.streams)]
            self.steps = [_whole(restorer, *pair) for pair in pairs]
        self._out = pairs[0][1]
        self.first = self.steps[0]
        if self.alone:
            self.steps = [self._network_on_gpu]
        elif case.scope == "network":
            self.steps = [_network(restorer, *pairs[0])]

    def look(self) -> None:
        """Note the GPU memory in use, if there is a GPU."""
        if self.gpu is not None:
            self.gpu.look()

    def verified(self, reference: Reference) -> Verified | None:
        """Compare the first result with the reference; see ``verify``."""
        out = self._out if isinstance(self._out, np.ndarray) else self._out.to_host()
        size = self.frame.shape[0], self.frame.shape[1]
        return verify(out, reference, self.restorer.manifest, size, self.restorer.precision)

    def _network_on_gpu(self) -> float:
        assert self.gpu is not None
        return self.gpu.network_seconds((self.frame.shape[0], self.frame.shape[1]))


def _whole(restorer: Restorer, frame: U8, out: U8) -> Step:
    def step() -> None:
        restorer(frame, out=out)

    return step


def _resident(restorer: Restorer, frame: DeviceFrame, out: DeviceFrame) -> Step:
    def step() -> None:
        made = restorer(frame, out=out)
        # A result without a stream is complete.
        if made.stream is not None:
            made.stream.synchronize()

    return step


def _network(restorer: Restorer, frame: U8, out: U8) -> Step:
    stages = restorer.stages

    def step() -> float:
        before = stages.seconds.get("network", 0.0)
        restorer(frame, out=out)
        return stages.seconds["network"] - before

    return step
