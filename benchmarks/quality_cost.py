"""How good networks are, and what they cost: ours, those that others trained, and plain filters.

Quality is measured as ``restore-rt eval`` does it, on the same pictures for all of a scale. That of
our models is not measured here but in ``models.py``, which has more cases for them.

Time is that of one RGB picture of 640x360, bytes in and bytes out, each in the library that it runs
in here, all in one process, in turn and each from rest. Of networks for luma it is the whole way,
chroma included, as a `Restorer` takes it for RGB; video, which comes as luma and chroma, is faster.
A slow one is run less often. What cannot be run is listed with the reason.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import functools
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import models
import native
import numpy as np
from data_option import add_data_option
from figure_parts import part
from numpy.typing import NDArray
from other_engines import Unavailable
from other_weights import OTHERS, Opened, Restore, open_other, runs_in
from results_file import describe_model, milliseconds, write
from rich.console import Console
from rich.table import Table
from turns import Step, interleaved_at_rest

import restore_rt
from restore_rt.model import registry as zoo
from restore_rt.threads import available_threads
from restore_rt.training.evaluation import Candidate, baselines
from restore_rt.training.metrics.fidelity import picture_metrics

HEIGHT, WIDTH = 360, 640
FIGURES = ("psnr_y", "ssim_y")
# What takes longer is run a third as often.
SLOW = 0.2
COMICS = {
    label: dataclasses.replace(case, ocr=False) for label, case in models.CASES["comic-x2"].items()
}
CLIPS = "clips, H.264 CRF 28"
# What others' networks are measured on, by scale; the labels are those of models.py.
CASES: dict[int, dict[str, models.Case]] = {
    2: {**models.PHOTOS, CLIPS: models.VIDEO[CLIPS], **COMICS},
    3: models.PHOTOS,
    4: models.PHOTOS,
}

Record = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Timed:
    """What is timed, and what the record says of it."""

    restore: Restore
    scale: int
    described: Record


def main() -> None:
    """Measure, print tables, write ``quality_cost.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_data_option(parser, "test/sr/Set5 and weights")
    parser.add_argument("--runs", type=int, default=27)
    parser.add_argument("--threads", type=int, default=available_threads())
    parser.add_argument(
        "--times",
        action="store_true",
        help="measure time alone, and keep the quality in the file of results",
    )
    options = parser.parse_args()
    others, absent = open_others(options.data / "weights", options.threads)
    if options.times:
        cases = part("quality_cost")["cases"]
    else:
        cases = measure_quality(others, options.data)
    with contextlib.ExitStack() as stack:
        timed = {**filters(), **ours(options.threads, stack), **theirs(others)}
        times = measure_times(timed, options.runs, options.threads)
    record = {
        "what": (
            "psnr_y and ssim_y as restore-rt eval measures them; ms_per_megapixel of output, for "
            f"an RGB picture of {WIDTH}x{HEIGHT}, with chroma where a network restores luma alone"
        ),
        "threads": options.threads,
        "times": times,
        "cases": cases,
        "absent": absent,
    }
    show(record)
    print(f"written: {write('quality_cost', record)}")


def open_others(folder: Path, threads: int) -> tuple[dict[str, Opened], list[Record]]:
    """Return the networks of others that run, and why the rest does not."""
    opened, absent = {}, []
    for name, (file, _) in OTHERS.items():
        try:
            opened[name] = open_other(name, folder, threads)
        except Unavailable as reason:
            absent.append({"name": name, "file": file, "reason": str(reason)})
    return opened, absent


def measure_quality(opened: Mapping[str, Opened], data: Path) -> dict[str, Record]:
    """Measure filters and networks of others, by scale and pictures."""
    found: dict[str, Record] = {}
    for scale, cases in CASES.items():
        metrics = {name: picture_metrics(scale)[name] for name in FIGURES}
        candidates = [
            *(dataclasses.replace(filter_, timed=False) for filter_ in baselines(scale)),
            *(
                Candidate(name=name, restore=one.restore, scale=scale, timed=False)
                for name, one in opened.items()
                if one.scale == scale
            ),
        ]
        found[f"x{scale}"] = {
            label: measure_case(case, candidates, data, metrics) for label, case in cases.items()
        }
    return found


def measure_case(
    case: models.Case, candidates: Sequence[Candidate], data: Path, metrics: Mapping[str, Any]
) -> Record:
    """Measure all that enlarge alike on the same pictures."""
    evaluation = models.run_case(case, candidates, data, metrics)
    totals = {candidate.name: evaluation.totals(candidate.name) for candidate in candidates}
    return {
        "folder": case.folder,
        "files": case.files,
        "degrade": case.degrade,
        "pictures": len(evaluation.pictures),
        "totals": {
            name: {key: round(figures[key], 4) for key in FIGURES}
            for name, figures in totals.items()
        },
    }


def filters() -> dict[str, Timed]:
    """Return what is timed of plain filters."""
    return {
        f"{filter_.name} x{scale}": Timed(
            filter_.restore,
            scale,
            {"name": filter_.name, "by": "filters", "runs_in": "Pillow, 1 thread"},
        )
        for scale in CASES
        for filter_ in baselines(scale)
    }


def ours(threads: int, stack: contextlib.ExitStack) -> dict[str, Timed]:
    """Return what is timed of what is shipped, open as long as ``stack`` is."""
    found = {}
    for manifest in zoo.models():
        restorer = stack.enter_context(restore_rt.load(manifest.name, threads=threads))
        described = {
            **describe_model(manifest.name),
            "by": "restore_rt",
            "colour": manifest.colour,
            "runs_in": runs_in(restorer),
        }
        found[manifest.name] = Timed(restorer, manifest.scale, described)
    return found


def theirs(opened: Mapping[str, Opened]) -> dict[str, Timed]:
    """Return what is timed of networks of others."""
    return {
        name: Timed(
            one.restore,
            one.scale,
            {"name": name, "by": "others", "colour": one.colour, "runs_in": one.runs_in},
        )
        for name, one in opened.items()
    }


def measure_times(timed: Mapping[str, Timed], runs: int, threads: int) -> list[Record]:
    """Time everything in turn, on one picture."""
    frame = picture()
    steps: dict[str, Step] = {
        key: functools.partial(one.restore, frame) for key, one in timed.items()
    }
    counts = {key: runs_for(step, runs) for key, step in steps.items()}
    timings = interleaved_at_rest(steps, counts, threads=threads)
    found = []
    for key, one in timed.items():
        times = milliseconds(timings[key])
        megapixels = one.scale**2 * HEIGHT * WIDTH / 1e6
        found.append(
            {
                **one.described,
                "scale": one.scale,
                "milliseconds": times,
                "ms_per_megapixel": round(times["median"] / megapixels, 2),
            }
        )
    return found


def runs_for(step: Step, runs: int) -> int:
    """Return how often something is run, by how long it takes once it has run before."""
    step()
    begin = time.perf_counter()
    step()
    return runs if time.perf_counter() - begin < SLOW else -(-runs // 3)


def picture() -> NDArray[np.uint8]:
    """Return an RGB picture with edges, slopes and grain; its channels differ."""
    plane = native.picture(HEIGHT, WIDTH)
    return np.stack([np.roll(plane, shift, axis=1) for shift in range(3)], axis=2)


def show(record: Record) -> None:
    """Print times, quality, and what is absent."""
    table = Table("", "scale", "ms/Mpixel", "median ms", "p10", "p90", "runs in", title="times")
    for one in record["times"]:
        times = one["milliseconds"]
        cells = (f"{times[key]:.1f}" for key in ("median", "p10", "p90"))
        table.add_row(
            one["name"], str(one["scale"]), f"{one['ms_per_megapixel']:.1f}", *cells, one["runs_in"]
        )
    console = Console(width=140)
    console.print(table)
    for scale, cases in record["cases"].items():
        table = Table("", "pictures", *FIGURES, title=scale)
        for label, case in cases.items():
            for name, figures in case["totals"].items():
                cells = (f"{figures[key]:.4g}" for key in FIGURES)
                table.add_row(f"{label}: {name}", str(case["pictures"]), *cells)
        console.print(table)
    table = Table("", "not measured, because", title="absent")
    for one in record["absent"]:
        table.add_row(one["name"], one["reason"])
    console.print(table)


if __name__ == "__main__":
    main()
