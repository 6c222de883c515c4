"""How good networks are, and what they cost: ours, those that others trained, and plain filters.

Quality is measured as ``restore-rt eval`` does it, on the same pictures for all of a scale; that of
our own models is measured by ``models.py``. Time is that of one RGB picture of 640x360, bytes in
and out, chroma included, in one process, in turn; a slow network is run less often. A network that
cannot be run is listed with the reason.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import benchmark_tables as page
import models
import numpy as np
import tables
from harness import (
    Step,
    Unavailable,
    interleaved,
    milliseconds,
    model_entry,
    options,
    picture,
    write,
)
from numpy.typing import NDArray
from other_weights import OTHERS, Opened, open_other, runs_in

import restore_rt
from restore_rt.model import registry
from restore_rt.threads import available_threads
from restore_rt.training.evaluation import Candidate, baselines
from restore_rt.training.metrics.fidelity import picture_metrics

HEIGHT, WIDTH = 360, 640
FIGURES = ("psnr_y", "ssim_y")
# Seconds; a network that takes longer is run a third as often.
SLOW = 0.2
COMICS = {
    label: dataclasses.replace(case, ocr=False) for label, case in models.CASES["comic-x2"].items()
}
CLIPS = "clips, H.264 CRF 28"
# The pictures for networks of others, by scale; the labels are those of models.py.
CASES: dict[int, dict[str, models.Case]] = {
    2: {**models.PHOTOS, CLIPS: models.VIDEO[CLIPS], **COMICS},
    3: models.PHOTOS,
    4: models.PHOTOS,
}

Record = dict[str, Any]


class Timed(NamedTuple):
    """A function to time, its scale, and its description for the record."""

    restore: Callable[[NDArray[np.uint8]], Any]
    scale: int
    described: Record


def main() -> None:
    """Measure and write the part ``quality_cost``."""
    parser = options(__doc__, runs=27, threads=available_threads(), data="test/sr/Set5 and weights")
    parser.add_argument("--times", action="store_true", help="keep the quality that was measured")
    chosen = parser.parse_args()
    others, absent = open_others(chosen.data / "weights", chosen.threads)
    if chosen.times:
        cases = tables.part("quality_cost")["cases"]
    else:
        cases = measure_quality(others, chosen.data)
    with contextlib.ExitStack() as stack:
        timed = everything(others, chosen.threads, stack)
        times = measure_times(timed, chosen.runs, chosen.threads)
    what = (
        "psnr_y and ssim_y as restore-rt eval measures them; ms_per_megapixel of output, for an "
        f"RGB picture of {WIDTH}x{HEIGHT}, with chroma where a network restores luma alone"
    )
    record = {"what": what, "threads": chosen.threads, "times": times, "cases": cases}
    found = write("quality_cost", {**record, "absent": absent})
    page.show("quality_cost", page.quality_cost(found))


def open_others(folder: Path, threads: int) -> tuple[dict[str, Opened], list[Record]]:
    """Return the networks of others that run, and the reasons for those that do not."""
    opened, absent = {}, []
    for name, given in OTHERS.items():
        try:
            opened[name] = open_other(name, folder, threads)
        except Unavailable as reason:
            absent.append({"name": name, "file": given["file"], "reason": str(reason)})
    return opened, absent


def measure_quality(opened: Mapping[str, Opened], data: Path) -> dict[str, Record]:
    """Measure filters and networks of others, by scale and pictures."""
    found: dict[str, Record] = {}
    for scale, cases in CASES.items():
        metrics = {name: picture_metrics(scale)[name] for name in FIGURES}
        candidates = [dataclasses.replace(filter_, timed=False) for filter_ in baselines(scale)]
        for name, one in opened.items():
            if one.scale == scale:
                candidates.append(
                    Candidate(name=name, restore=one.restore, scale=scale, timed=False)
                )
        found[f"x{scale}"] = {
            label: models.described(case, models.run_case(case, candidates, data, metrics), FIGURES)
            for label, case in cases.items()
        }
    return found


def everything(
    opened: Mapping[str, Opened], threads: int, stack: contextlib.ExitStack
) -> dict[str, Timed]:
    """Return filters, our models, which stay open as long as `stack`, and networks of others."""
    found = {}
    for scale in CASES:
        for each in baselines(scale):
            described = {"name": each.name, "by": "filters", "runs_in": "Pillow, 1 thread"}
            found[f"{each.name} x{scale}"] = Timed(each.restore, scale, described)
    for manifest in registry.models():
        restorer = stack.enter_context(restore_rt.load(manifest.name, threads=threads))
        described = {
            **model_entry(manifest.name),
            "by": "restore_rt",
            "colour": manifest.colour,
            "runs_in": runs_in(restorer),
        }
        found[manifest.name] = Timed(restorer, manifest.scale, described)
    for name, one in opened.items():
        described = {"name": name, "by": "others", "colour": one.colour, "runs_in": one.runs_in}
        found[name] = Timed(one.restore, one.scale, described)
    return found


def measure_times(timed: Mapping[str, Timed], runs: int, threads: int) -> list[Record]:
    """Time everything in turn, on one picture."""
    frame = picture(HEIGHT, WIDTH, 3)
    steps = {key: functools.partial(one.restore, frame) for key, one in timed.items()}
    counts = {key: runs_for(step, runs) for key, step in steps.items()}
    timings = interleaved(steps, counts, threads=threads)
    found = []
    for key, one in timed.items():
        ms = milliseconds(timings[key])
        each = round(ms["median"] / (one.scale**2 * HEIGHT * WIDTH / 1e6), 2)
        figures = {"scale": one.scale, "milliseconds": ms, "ms_per_megapixel": each}
        found.append({**one.described, **figures})
    return found


def runs_for(step: Step, runs: int) -> int:
    """Return how often something is run, by the time of its second run."""
    step()
    begin = time.perf_counter()
    step()
    return runs if time.perf_counter() - begin < SLOW else -(-runs // 3)


if __name__ == "__main__":
    main()
