"""How time and memory of video-x2 grow: with frames to 3840x2160, tiles, threads and callers.

Each case is measured as `restore-rt bench` measures, and beside it stands what one would predict.
Of time: that of the smallest frame, by multiply-adds, which `restore-rt info` counts, halos of
tiles included; with so many threads, that of one thread's over their number; with so many callers
of one thread each, that of one, and as many times as long where there are more callers than
processors.
Of memory beside the frames: the values of the network that ONNX Runtime has to keep at once, and
the tiles and their results, from their shapes. The native engine's is no matter of shapes.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Mapping
from typing import Any

import onnx
from results_file import describe_model, write
from rich.console import Console
from rich.table import Table

from restore_rt.bench import Case, Effort, Measurement, run
from restore_rt.model import registry as zoo
from restore_rt.model.counting import multiply_adds
from restore_rt.model.manifest import read_manifest
from restore_rt.model.sizing import size_network
from restore_rt.threads import available_threads
from restore_rt.tiled.sizes import TileSizes, result_slots

MODEL = "video-x2"
BACKENDS = ("native", "onnxruntime")
SIZES = ((360, 640), (720, 1280), (1080, 1920), (2160, 3840))
TILED, TILES = (720, 1280), (64, 128, 256, 512)
EFFORT = Effort(rounds=2, most_rounds=2, seconds=0.5, sustain=0)
_FLOAT_BYTES = 4

# What grows, and which case each is held against.
Series = dict[str, dict[Case, Case]]


def main() -> None:
    """Measure, print, write ``scaling.json``."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    grown = series(available_threads())
    cases = list(dict.fromkeys(case for found in grown.values() for case in found))
    report = run(cases, EFFORT)
    if report.failures:
        raise SystemExit("; ".join(f"{case}: {reason}" for case, reason in report.failures))
    made = dict(zip(cases, report.measurements, strict=True))
    model = onnx.load(zoo.path_of(MODEL))
    found = {
        name: [described(case, made, base, model) for case, base in each.items()]
        for name, each in grown.items()
    }
    show(found)
    record = {
        "what": " ".join((__doc__ or "").split("\n\n", 1)[1].split()),
        "model": describe_model(MODEL),
        "control": report.control,
        "series": found,
    }
    print(f"written: {write('scaling', record)}")


def series(threads: int) -> Series:
    """Return what is measured, with what each is predicted from."""
    usual = {backend: Case(model=MODEL, backend=backend) for backend in BACKENDS}
    sizes = {
        dataclasses.replace(base, height=height, width=width): base
        for base in usual.values()
        for height, width in SIZES
    }
    height, width = TILED
    whole = dataclasses.replace(usual["onnxruntime"], height=height, width=width)
    tiles = {dataclasses.replace(whole, tile=(side, side)): whole for side in TILES}
    alone = {backend: dataclasses.replace(case, threads=1) for backend, case in usual.items()}
    counts = sorted({1, threads})
    by_threads = {
        dataclasses.replace(base, threads=count): base
        for base in alone.values()
        for count in counts
    }
    one = alone["native"]
    streams = {dataclasses.replace(one, streams=count): one for count in sorted({1, 2, threads, 4})}
    return {
        "size": sizes,
        "tile": {whole: whole, **tiles},
        "threads": by_threads,
        "streams": streams,
    }


def described(
    case: Case, made: Mapping[Case, Measurement], base: Case, model: onnx.ModelProto
) -> dict[str, Any]:
    """Return what was measured of a case, and what its base lets one predict."""
    measured = made[case]
    work, memory = needs(case, model)
    share = work / needs(base, model)[0] / ((case.threads or 1) / (base.threads or 1))
    waiting = max(1.0, case.streams / available_threads())
    medians = [each.median_ms for each in measured.rounds]
    return {
        "backend": case.backend,
        "frame": f"{case.width}x{case.height}",
        "tile": case.tile,
        "threads": case.threads,
        "streams": case.streams,
        "multiply_adds": work,
        "predicted_ms": made[base].p50_ms.value * share * waiting,
        "milliseconds": {
            "median": measured.p50_ms.value,
            "fastest_round": min(medians),
            "slowest_round": max(medians),
        },
        "frames_per_second": measured.frames_per_second,
        "predicted_mb": memory,
        # It is looked at when the first of them has restored a frame.
        "megabytes_beside_frames": measured.host_frames_mb if case.streams == 1 else None,
        "megabytes": measured.host_peak_mb,
    }


def needs(case: Case, model: onnx.ModelProto) -> tuple[int, float | None]:
    """Return the multiply-adds of a frame, and the MB of tiles, results and what is between."""
    manifest = read_manifest(model)
    assert manifest is not None
    size, count = (case.height, case.width), 1
    slots = 1
    if case.backend != "native":
        sizes = TileSizes.of(manifest, tile=case.tile, overlap=None, feather=None, batch=case.batch)
        grid = sizes.grid(case.height, case.width, manifest.scale)
        size, count, slots = grid.tile, grid.count, result_slots(grid, case.batch)
    network = size_network(model, size)
    work = multiply_adds(network)
    assert work is not None
    if case.backend == "native":
        return work, None
    height, width = size
    values = manifest.channels * height * width * (1 + slots * manifest.scale**2)
    between = network.peak()
    assert between is not None
    return work * count, (between + _FLOAT_BYTES * values) / 1e6


def show(found: dict[str, list[dict[str, Any]]]) -> None:
    """Print a table for each of what grows."""
    for name, rows in found.items():
        head = ("backend", "frame", "tile", "threads", "streams", "ms", "predicted", "frames/s")
        table = Table(*head, "MB beside frames", "predicted", title=f"by {name}")
        for row in rows:
            tile, beside, memory = (
                row[key] for key in ("tile", "megabytes_beside_frames", "predicted_mb")
            )
            table.add_row(
                row["backend"],
                row["frame"],
                "" if tile is None else f"{tile[1]}x{tile[0]}",
                "" if row["threads"] is None else str(row["threads"]),
                str(row["streams"]),
                f"{row['milliseconds']['median']:.1f}",
                f"{row['predicted_ms']:.1f}",
                f"{row['frames_per_second']:.1f}",
                "" if beside is None else f"{beside:.1f}",
                "" if memory is None else f"{memory:.1f}",
            )
        Console(width=130).print(table)


if __name__ == "__main__":
    main()
