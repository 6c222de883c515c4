"""How time and memory of video-x2 grow: with frames to 3840x2160, tiles, threads and callers.

Each case is measured as `restore-rt bench` measures, beside a prediction. Of time: that of the
first case of its series by multiply-adds, halos of tiles included, divided by the threads;
with more callers than processors it takes as many times as long. Of memory beside the frames: the
values that ONNX Runtime has to keep at once, the tiles and their results, from their shapes. The
memory of the native backend does not follow from shapes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import benchmark_tables as page
import onnx
from harness import model_entry, options, write

from restore_rt.bench import Case, Effort, Measurement, run
from restore_rt.model import registry
from restore_rt.model.counting import multiply_adds
from restore_rt.model.manifest import read_manifest
from restore_rt.model.sizing import size_network
from restore_rt.threads import available_threads
from restore_rt.tiled.sizes import TileSizes, result_slots

MODEL = "video-x2"
SIZES = ((360, 640), (720, 1280), (1080, 1920), (2160, 3840))
TILED, TILES = (720, 1280), (64, 128, 256, 512)

# By what grows: each case, and the case that it is predicted from.
Series = dict[str, dict[Case, Case]]


def main() -> None:
    """Measure and write the part ``scaling``."""
    chosen = options(__doc__, runs=2).parse_args()
    grown = series(available_threads())
    cases = list(dict.fromkeys(case for found in grown.values() for case in found))
    effort = Effort(rounds=chosen.runs, most_rounds=chosen.runs, seconds=0.5, sustain=0)
    report = run(cases, effort)
    if report.failures:
        raise SystemExit("; ".join(f"{each.case}: {each.reason}" for each in report.failures))
    made = dict(zip(cases, report.measurements, strict=True))
    model = onnx.load(registry.path_of(MODEL))
    record = {
        "what": " ".join((__doc__ or "").split("\n\n", 1)[1].split()),
        "model": model_entry(MODEL),
        "control": report.control,
        "series": {
            name: [described(case, made, base, model) for case, base in each.items()]
            for name, each in grown.items()
        },
    }
    page.show("scaling", page.scaling(write("scaling", record)))


def series(threads: int) -> Series:
    """Return the cases, each with the one that it is predicted from."""
    native, tiled = (Case(model=MODEL, backend=name) for name in ("native", "onnxruntime"))
    change: Any = dataclasses.replace
    sizes = {
        change(base, height=height, width=width): base
        for base in (native, tiled)
        for height, width in SIZES
    }
    whole = change(tiled, height=TILED[0], width=TILED[1])
    tiles = {change(whole, tile=(side, side)): whole for side in TILES}
    one = change(native, threads=1)
    by_threads = {
        change(base, threads=count): base
        for base in (one, change(tiled, threads=1))
        for count in sorted({1, threads})
    }
    streams = {change(one, streams=count): one for count in sorted({1, 2, threads, 4})}
    tiles = {whole: whole, **tiles}
    return {"size": sizes, "tile": tiles, "threads": by_threads, "streams": streams}


def described(
    case: Case, made: Mapping[Case, Measurement], base: Case, model: onnx.ModelProto
) -> dict[str, Any]:
    """Return what was measured of a case, and what its base lets one predict."""
    measured, (work, memory) = made[case], needs(case, model)
    share = work / needs(base, model)[0] / ((case.threads or 1) / (base.threads or 1))
    waiting = max(1.0, case.streams / available_threads())
    medians = [each.median_ms for each in measured.rounds]
    return {
        "backend": case.backend,
        "frame": f"{case.width}x{case.height}",
        **{key: getattr(case, key) for key in ("tile", "threads", "streams")},
        "multiply_adds": work,
        "predicted_ms": made[base].p50_ms.value * share * waiting,
        "milliseconds": {
            "median": measured.p50_ms.value,
            "fastest_round": min(medians),
            "slowest_round": max(medians),
        },
        "frames_per_second": measured.frames_per_second,
        "predicted_mb": memory,
        # With several callers it is taken when the first has restored a frame.
        "megabytes_beside_frames": measured.host_frames_mb if case.streams == 1 else None,
        "megabytes": measured.host_peak_mb,
    }


def needs(case: Case, model: onnx.ModelProto) -> tuple[int, float | None]:
    """Return the multiply-adds of a frame, and the MB of tiles, results and values in between."""
    manifest, size, count, slots = read_manifest(model), (case.height, case.width), 1, 1
    assert manifest is not None
    if case.backend != "native":
        sizes = TileSizes.of(manifest, tile=case.tile, overlap=None, feather=None, batch=case.batch)
        grid = sizes.grid(case.height, case.width, manifest.scale)
        size, count, slots = grid.tile, grid.count, result_slots(grid, case.batch)
    network = size_network(model, size)
    work, between = multiply_adds(network), network.peak()
    assert work is not None
    assert between is not None
    if case.backend == "native":
        return work, None
    values = manifest.channels * size[0] * size[1] * (1 + slots * manifest.scale**2)
    return work * count, (between + 4 * values) / 1e6


if __name__ == "__main__":
    main()
