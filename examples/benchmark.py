"""Measure frames per second: ``python examples/benchmark.py video-x2 960 540``.

The first frames are not counted: buffers are made then. For figures to publish there is
``restore-rt bench``, which also checks results and leaves out rounds in which
the machine was busy.
"""

import statistics
import sys
import time

import numpy as np

import restore_rt


def main(model: str = "video-x2", width: str = "480", height: str = "270") -> None:
    """Time single calls and a stream of frames of noise."""
    frame = np.random.default_rng(0).integers(0, 256, (int(height), int(width), 3), np.uint8)
    with restore_rt.load(model) as restorer:
        larger = restorer(frame)
        seconds = []
        for _ in range(12):
            start = time.perf_counter()
            restorer(frame, out=larger)
            seconds.append(time.perf_counter() - start)
        call = statistics.median(seconds[2:])
        start = time.perf_counter()
        count = sum(1 for _ in restorer.stream(frame for _ in range(20)))
        stream = count / (time.perf_counter() - start)
    print(f"{restorer.description}, frames of {width}x{height}")
    print(f"one call: {call * 1e3:.1f} ms (median of {len(seconds[2:])})")
    print(f"stream: {stream:.1f} frames/s")


if __name__ == "__main__":
    main(*sys.argv[1:])
