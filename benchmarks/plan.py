"""The native backend's planner beside a sweep: the algorithm it picks, and the fastest.

Each shape of convolution is made by all algorithms that can, on one thread, in turn; the least time
of the thread counts. Rings of several sizes follow.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from harness import options, write

from restore_rt import _ext
from restore_rt._ext import Network

WIDTHS = (4, 8, 16, 24, 32, 48, 64)
RINGS = tuple(size << 10 for size in (64, 128, 256, 512, 1024, 2048, 4096))
LAYERS, FRAME = 6, (96, 192)

Record = dict[str, Any]


def main() -> None:
    """Measure and write the part ``plan``."""
    chosen = options(__doc__, runs=9).parse_args()
    shapes = []
    for shape in itertools.product((3, 1), WIDTHS, WIDTHS):
        shapes.append(measure_shape(*shape, chosen.runs))
        print(shapes[-1], flush=True)
    rings = [measure_rings(width, 8, chosen.runs) for width in (16, 32)]
    what = "convolutions, nanoseconds for each pixel on one thread; rings, milliseconds for 640x360"
    write("plan", {"what": what, "shapes": shapes, "rings": rings})


def measure_shape(side: int, inputs: int, outputs: int, runs: int) -> Record:
    """Return the time of a convolution by each algorithm, and the algorithms that are picked."""
    networks = {"none": _same_input(side, inputs, outputs, 0, ["direct"])}
    for name in _ext.algorithms("bf16"):
        network = _same_input(side, inputs, outputs, LAYERS, [name])
        # If this algorithm cannot make the layer, another one has.
        if network.plan[1] == name:
            networks[name] = network
    seconds = _least(networks, np.empty(FRAME, np.uint8), FRAME, runs)
    base, pixels = seconds.pop("none"), LAYERS * FRAME[0] * FRAME[1]
    return {
        "side": side,
        "inputs": inputs,
        "outputs": outputs,
        "nanoseconds": {name: round((s - base) / pixels * 1e9, 2) for name, s in seconds.items()},
        "picked": {
            precision: _same_input(side, inputs, outputs, 1, None, precision).plan[1]
            for precision in ("fp32", "bf16")
            if precision == "fp32" or _ext.has_bf16()
        },
    }


def measure_rings(width: int, depth: int, runs: int) -> Record:
    """Return the time of a network with rings of each size, and the size that is picked."""
    sizes = itertools.pairwise([1, *[width] * (depth - 1), 4])
    layers = [_layer(index, *each, 3) for index, each in enumerate(sizes)]
    given: Any = {"channels": 1, "shuffle": 2}
    networks = {str(size): Network(layers, ring_bytes=size, **given) for size in RINGS}
    seconds = _least(networks, np.empty((720, 1280), np.uint8), (360, 640), runs)
    times = {name: round(value * 1e3, 3) for name, value in seconds.items()}
    picked = Network(layers, ring_bytes=None, **given).ring_bytes
    return {"width": width, "depth": depth, "milliseconds": times, "picked": picked}


def _layer(source: int, inputs: int, outputs: int, side: int) -> Record:
    spread, shape = 1 / np.sqrt(inputs * side * side), (outputs, inputs, side, side)
    weights = np.random.default_rng(0).normal(0, spread, shape).astype(np.float32)
    rest = {"bias": np.zeros(outputs, np.float32), "activation": "relu"}
    return {"step": "convolution", "source": source, "weights": weights, **rest}


def _same_input(
    side: int, inputs: int, outputs: int, count: int, algorithms: Any, precision: str = "bf16"
) -> Network:
    """Return ``count`` layers of a shape that read the same value; each adds the one before."""
    # The first layer makes channels in blocks, and is the same in all networks.
    layers = [_layer(0, 1, inputs, 1)]
    for index in range(count):
        residual = {"residual": index + 1} if index else {}
        layers.append({**_layer(1, inputs, outputs, side), **residual})
    layers.append(_layer(len(layers), outputs if count else inputs, 1, 1))
    kind = precision if _ext.has_bf16() else "fp32"
    return Network(layers, channels=1, precision=kind, algorithms=algorithms)


def _least(
    networks: Mapping[str, Network], out: Any, shape: tuple[int, int], runs: int
) -> dict[str, float]:
    """Return the least time of the thread for a frame, by network."""
    frame = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    seconds = dict.fromkeys(networks, np.inf)
    for _ in range(runs):
        for name, network in networks.items():
            begin = time.thread_time()
            network.run_into(out, frame)
            seconds[name] = min(seconds[name], time.thread_time() - begin)
    return seconds


if __name__ == "__main__":
    main()
