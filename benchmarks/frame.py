"""One 640x360 luma frame through video-x2: split, network, merge and chroma, and the oracle.

Everything runs in one process, interleaved, after the output was verified.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
from results_file import describe_model, milliseconds, write
from rich.console import Console
from rich.table import Table

import restore_rt
from restore_rt import _ext, reference
from restore_rt.model import registry as zoo
from restore_rt.threads import available_threads
from restore_rt.tiled.session import OnnxRuntimeBackend

HEIGHT, WIDTH = 360, 640


def main() -> None:
    """Measure, print a table, write ``frame.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--threads", type=int, default=available_threads())
    options = parser.parse_args()
    steps = _steps(options.threads)
    timings: dict[str, list[float]] = {name: [] for name in steps}
    for step in steps.values():
        step()
    for run in range(options.runs):
        for name, step in steps.items():
            if name.startswith("oracle") and run % 8:
                continue
            begin = time.perf_counter()
            step()
            timings[name].append(time.perf_counter() - begin)
    stages = {name: milliseconds(values) for name, values in timings.items()}
    kernels = stages["split"]["median"] + stages["merge"]["median"]
    oracle = stages["oracle split"]["median"] + stages["oracle merge"]["median"]
    ratios = {
        "split_and_merge_over_network": round(kernels / stages["network"]["median"], 4),
        "oracle_over_split_and_merge": round(oracle / kernels, 1),
    }
    _print(stages, ratios)
    path = write(
        "frame",
        {
            "what": "video-x2, 640x360 8-bit luma to 1280x720, whole frame as one tile",
            "model": describe_model("video-x2"),
            "threads": options.threads,
            "milliseconds": stages,
            "ratios": ratios,
        },
    )
    print(f"written: {path}")


def _steps(threads: int) -> dict[str, Callable[[], object]]:
    """Return the steps by name, each on buffers of its own, verified against the oracle."""
    import onnx

    rng = np.random.default_rng(0)
    luma = rng.integers(16, 236, (HEIGHT, WIDTH), np.uint8)
    chroma = rng.integers(16, 241, (HEIGHT // 2, WIDTH // 2), np.uint8)
    backend = OnnxRuntimeBackend(onnx.load(zoo.path_of("video-x2")), threads=threads)
    restorer = restore_rt.load("video-x2", backend="onnxruntime", threads=threads)
    halo = restorer.manifest.halo
    grid = _ext.TileGrid(HEIGHT, WIDTH, (HEIGHT, WIDTH), overlap=2 * halo + 8, halo=halo, scale=2)
    tiles = np.empty((1, 1, HEIGHT, WIDTH), np.float32)
    results = np.empty((1, 1, 2 * HEIGHT, 2 * WIDTH), np.float32)
    out = np.empty((2 * HEIGHT, 2 * WIDTH), np.uint8)
    enlarged = np.empty((2, HEIGHT, WIDTH), np.uint8)

    def enlarge_chroma() -> None:
        for target in enlarged:
            _ext.upsample_plane_into(target, chroma, scale=2, phase=(0.5, 0.25), threads=threads)

    steps: dict[str, Callable[[], object]] = {
        "split": lambda: _ext.split_into(tiles, luma, grid, threads=threads),
        "network": lambda: backend.run(tiles, results),
        "merge": lambda: _ext.merge_into(out, results, grid, threads=threads),
        "chroma": enlarge_chroma,
        "whole call": lambda: restorer(luma),
        "oracle split": lambda: reference.split(luma, grid),
        "oracle merge": lambda: reference.merge(results, grid),
    }
    for step in steps.values():
        step()
    np.testing.assert_array_equal(tiles, reference.split(luma, grid))
    np.testing.assert_array_equal(out[..., None], reference.merge(results, grid)[0])
    np.testing.assert_array_equal(out, restorer(luma))
    expected = reference.upsample_plane(chroma, (HEIGHT, WIDTH), scale=2, phase=(0.5, 0.25))
    for plane in enlarged:
        np.testing.assert_array_equal(plane, expected)
    return steps


def _print(stages: dict[str, dict[str, float]], ratios: dict[str, float]) -> None:
    table = Table("step", "median ms", "p10", "p90", title="640x360 luma, video-x2")
    for name, figures in stages.items():
        table.add_row(name, *(f"{figures[key]:.2f}" for key in ("median", "p10", "p90")))
    Console().print(table)
    print(f"split + merge over network: {ratios['split_and_merge_over_network']:.1%}")
    print(f"oracle over split + merge: {ratios['oracle_over_split_and_merge']} times")


if __name__ == "__main__":
    main()
