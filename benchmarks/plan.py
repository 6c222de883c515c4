"""The native engine's planner beside a sweep: which algorithm it picks, and which is the fastest.

Each shape of convolution is made by all algorithms that can, on one thread, interleaved; what
counts is the time of the thread, the least of some runs. Rings of several sizes follow.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from results_file import write
from rich.console import Console
from rich.table import Table

from restore_rt import _ext
from restore_rt._ext import Network

WIDTHS = (4, 8, 16, 24, 32, 48, 64)
RINGS = tuple(size << 10 for size in (64, 128, 256, 512, 1024, 2048, 4096))
LAYERS = 6
FRAME = (96, 192)


def main() -> None:
    """Measure, print a table, write ``plan.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=9)
    options = parser.parse_args()
    shapes = [
        _shape(side, inputs, outputs, options.runs)
        for side in (3, 1)
        for inputs in WIDTHS
        for outputs in WIDTHS
    ]
    rings = _rings(options.runs)
    _print(shapes)
    what = "convolutions, nanoseconds for each pixel on one thread; rings, milliseconds for 640x360"
    print(f"written: {write('plan', {'what': what, 'shapes': shapes, 'rings': rings})}")


def _shape(side: int, inputs: int, outputs: int, runs: int) -> dict[str, Any]:
    """Return what each algorithm takes for a convolution, and which one is picked."""
    networks = {"none": _layers(side, inputs, outputs, 0, ["direct"])}
    for name in _ext.algorithms("bf16"):
        network = _layers(side, inputs, outputs, LAYERS, [name])
        # Where it cannot make the layer, another has.
        if network.plan[1] == name:
            networks[name] = network
    frame = np.random.default_rng(0).integers(0, 256, FRAME).astype(np.uint8)
    out = np.empty_like(frame)
    steps = {
        name: lambda network=network: network.run_into(out, frame)
        for name, network in networks.items()
    }
    seconds = _least(steps, runs)
    base = seconds.pop("none")
    pixels = frame.size * LAYERS
    picked = {
        precision: _layers(side, inputs, outputs, 1, None, precision).plan[1]
        for precision in ("fp32", "bf16")
        if precision == "fp32" or _ext.has_bf16()
    }
    nanoseconds = {name: round((value - base) / pixels * 1e9, 2) for name, value in seconds.items()}
    return {
        "side": side,
        "inputs": inputs,
        "outputs": outputs,
        "nanoseconds": nanoseconds,
        "picked": picked,
    }


def _layers(
    side: int,
    inputs: int,
    outputs: int,
    count: int,
    algorithms: list[str] | None,
    precision: str = "bf16",
) -> Network:
    """Return ``count`` layers of a shape that read the same value; each adds the one before."""
    rng = np.random.default_rng(0)

    def layer(source: int, made: int, taps: int, read: int) -> dict[str, Any]:
        spread = 1 / np.sqrt(read * taps * taps)
        weights = rng.normal(0, spread, (made, read, taps, taps)).astype(np.float32)
        bias = np.zeros(made, np.float32)
        return {
            "step": "convolution",
            "source": source,
            "weights": weights,
            "bias": bias,
            "activation": "relu",
        }

    # The first makes channels in blocks, and is the same in all networks.
    layers = [layer(0, inputs, 1, 1)]
    for index in range(count):
        residual = {"residual": index + 1} if index else {}
        layers.append(layer(1, outputs, side, inputs) | residual)
    last = inputs if count == 0 else outputs
    layers.append(layer(len(layers), 1, 1, last))
    if not _ext.has_bf16():
        precision = "fp32"
    return Network(layers, channels=1, precision=precision, algorithms=algorithms)


def _rings(runs: int) -> list[dict[str, Any]]:
    """Return what networks take with rings of each size, and which one is picked."""
    frame = np.random.default_rng(0).integers(0, 256, (360, 640)).astype(np.uint8)
    out = np.empty((720, 1280), np.uint8)
    found = []
    for width, depth in ((16, 8), (32, 8)):
        networks = {str(size): _chain(width, depth, size) for size in RINGS}
        steps = {
            name: lambda network=network: network.run_into(out, frame)
            for name, network in networks.items()
        }
        times = {name: round(value * 1e3, 3) for name, value in _least(steps, runs).items()}
        picked = _chain(width, depth, None).ring_bytes
        found.append({"width": width, "depth": depth, "milliseconds": times, "picked": picked})
    return found


def _chain(width: int, depth: int, ring_bytes: int | None) -> Network:
    rng = np.random.default_rng(0)
    layers = []
    for index, (inputs, outputs) in enumerate(pairwise([1, *[width] * (depth - 1), 4])):
        weights = rng.normal(0, 1 / np.sqrt(9 * inputs), (outputs, inputs, 3, 3))
        layers.append(
            {
                "step": "convolution",
                "source": index,
                "weights": weights.astype(np.float32),
                "bias": np.zeros(outputs, np.float32),
                "activation": "relu",
            }
        )
    return Network(layers, channels=1, shuffle=2, ring_bytes=ring_bytes)


def _least(steps: Mapping[str, Callable[[], object]], runs: int) -> dict[str, float]:
    seconds = dict.fromkeys(steps, np.inf)
    for _ in range(runs):
        for name, step in steps.items():
            begin = time.thread_time()
            step()
            seconds[name] = min(seconds[name], time.thread_time() - begin)
    return seconds


def _print(shapes: list[dict[str, Any]]) -> None:
    names = _ext.algorithms("bf16")
    table = Table("convolution", *names, "picked", title=f"ns for each pixel, {_ext.isa()}")
    for shape in shapes:
        row = [f"{shape['nanoseconds'].get(name, ''):}" for name in names]
        what = f"{shape['side']}x{shape['side']}, {shape['inputs']} to {shape['outputs']}"
        table.add_row(what, *row, ", ".join(shape["picked"].values()))
    Console().print(table)


if __name__ == "__main__":
    main()
