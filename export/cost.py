"""Cost of a precision: quality against fp32, size and time."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Sequence

import numpy as np
import onnx
from numpy.typing import NDArray

from restore_rt.export.conversion import open_session, run

__all__ = ["Cost", "measure_cost", "psnr", "time_ratio"]

Batch = NDArray[np.float32]
# Of each graph, taking turns; the first runs are not counted.
RUNS, WARM_UP = 9, 2


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cost:
    """Losses and gains of a graph against fp32, on the same inputs.

    `psnr` is the mean over the samples and `least_psnr` that of the worst one, in dB, of outputs
    limited to 0 and 1; `worst_pixel` is the largest difference, of 1. `size` and `time` are the
    bytes of the file and the time of a run over those in fp32, in ONNX Runtime on this CPU, see
    `time_ratio`.
    """

    psnr: float
    least_psnr: float
    worst_pixel: float
    size: float
    time: float

    def __str__(self) -> str:
        """Return the cost in a line."""
        return (
            f"against fp32: PSNR {self.psnr:.1f} dB, at least {self.least_psnr:.1f}; worst pixel "
            f"{255 * self.worst_pixel:.1f} of 255; {self.size:.0%} of the size; "
            f"{self.time:.0%} of the time in ONNX Runtime on this CPU"
        )


def psnr(a: Batch, b: Batch) -> float:
    """PSNR in dB of two outputs, limited to 0 and 1; 200 if they are the same, 0 if one is NaN."""
    difference = np.clip(a, 0, 1).astype(np.float64) - np.clip(b, 0, 1)
    error = float(np.mean(difference**2))
    return -10 * float(np.log10(max(error, 1e-20))) if np.isfinite(error) else 0.0


def measure_cost(
    fp32: onnx.ModelProto,
    model: onnx.ModelProto,
    samples: Sequence[Batch],
    *,
    compute: Callable[[Batch], Batch] | None = None,
    threads: int = 2,
) -> Cost:
    """Compare a graph with its fp32 version on inputs (N, C, H, W).

    `compute` gives its outputs, if not ONNX Runtime on the CPU, whose own count for the least PSNR
    alone then.
    """
    sessions = [open_session(each, threads=threads) for each in (fp32, model)]
    qualities, worst, least = [], 0.0, math.inf
    for x in samples:
        expected = run(sessions[0], x)
        computed = run(sessions[1], x)
        actual = compute(x) if compute else computed
        qualities.append(psnr(actual, expected))
        least = min(least, qualities[-1], psnr(computed, expected))
        difference = np.abs(np.clip(actual, 0, 1) - np.clip(expected, 0, 1))
        worst = max(worst, float(difference.max()))
    sizes = [each.ByteSize() for each in (fp32, model)]
    return Cost(
        psnr=float(np.mean(qualities)),
        least_psnr=least,
        worst_pixel=worst,
        size=sizes[1] / sizes[0],
        time=time_ratio(fp32, [model], samples[0], threads=threads)[0],
    )


def time_ratio(
    fp32: onnx.ModelProto, models: Sequence[onnx.ModelProto], x: Batch, *, threads: int = 2
) -> list[float]:
    """Return each graph's time over that of `fp32`, on the same input.

    The graphs run in turn, and the fastest runs are compared, as other load only adds time.
    """
    sessions = [open_session(each, threads=threads) for each in (fp32, *models)]
    times: list[list[float]] = [[] for _ in sessions]
    for _ in range(WARM_UP + RUNS):
        for session, mine in zip(sessions, times, strict=True):
            begin = time.perf_counter()
            run(session, x)
            mine.append(time.perf_counter() - begin)
    base, *others = (min(mine[WARM_UP:]) for mine in times)
    return [other / base for other in others]
