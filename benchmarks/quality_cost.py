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
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import figures
import numpy as np
from harness import Step, Unavailable, interleaved, milliseconds, model_entry, options, write
from models import CASES, described, run_case
from numpy.typing import NDArray
from other_weights import OTHERS, Opened, open_other, runs_in
from tables import part, toml

import restore_rt
from restore_rt.bench.subject import picture
from restore_rt.model import registry
from restore_rt.threads import available_threads
from restore_rt.training.evaluation import Candidate, baselines
from restore_rt.training.metrics.fidelity import picture_metrics

HEIGHT, WIDTH = 360, 640
FIGURES = ("psnr_y", "ssim_y")
# Seconds; a network that takes longer is run a third as often.
SLOW = 0.2
SCALES = (2, 3, 4)
Record = dict[str, Any]


class Timed(NamedTuple):
    """A function to time, its scale, and its description for the record."""

    restore: Callable[[NDArray[np.uint8]], Any]
    scale: int
    told: Record


def main() -> None:
    """Measure and write the part ``quality_cost``."""
    parser = options(__doc__, runs=27, threads=available_threads(), data="test/sr/Set5 and weights")
    parser.add_argument("--times", action="store_true", help="keep the quality that was measured")
    chosen = parser.parse_args()
    others, absent = open_others(chosen.data / "weights", chosen.threads)
    cases = part("quality_cost")["cases"] if chosen.times else measure_quality(others, chosen.data)
    with contextlib.ExitStack() as stack:
        timed = everything(others, chosen.threads, stack)
        times = measure_times(timed, chosen.runs, chosen.threads)
    what = (
        "psnr_y and ssim_y as restore-rt eval measures them; ms_per_megapixel of output, for an "
        f"RGB picture of {WIDTH}x{HEIGHT}, with chroma where a network restores luma alone"
    )
    record = {"what": what, "threads": chosen.threads, "times": times, "cases": cases}
    figures.show("quality_cost", write("quality_cost", {**record, "absent": absent}))


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
    for scale in SCALES:
        metrics = {name: picture_metrics(scale)[name] for name in FIGURES}
        candidates = [dataclasses.replace(filter_, timed=False) for filter_ in baselines(scale)]
        candidates += [
            Candidate(name=name, restore=one.restore, scale=scale, timed=False)
            for name, one in opened.items()
            if one.scale == scale
        ]
        found[f"x{scale}"] = cases = {}
        for label in toml("quality")["others"][f"x{scale}"]:
            evaluation = run_case(CASES[label], candidates, data, metrics)
            cases[label] = described(CASES[label], evaluation, FIGURES)
    return found


def everything(
    opened: Mapping[str, Opened], threads: int, stack: contextlib.ExitStack
) -> list[Timed]:
    """Return filters, our models, which stay open as long as `stack`, and networks of others."""
    found = []
    for scale in SCALES:
        for each in baselines(scale):
            told = {"name": each.name, "by": "filters", "runs_in": "Pillow, 1 thread"}
            found.append(Timed(each.restore, scale, told))
    for manifest in registry.models():
        if manifest.task == "inpaint":
            continue  # it takes a mask
        restorer = stack.enter_context(restore_rt.load(manifest.name, threads=threads))
        told = {"by": "restore_rt", "colour": manifest.colour, "runs_in": runs_in(restorer)}
        found.append(Timed(restorer, manifest.scale, {**model_entry(manifest.name), **told}))
    for name, one in opened.items():
        told = {"name": name, "by": "others", "colour": one.colour, "runs_in": one.runs_in}
        found.append(Timed(one.restore, one.scale, told))
    return found


def measure_times(timed: Sequence[Timed], runs: int, threads: int) -> list[Record]:
    """Time everything in turn, on one picture."""
    frame, found = picture(HEIGHT, WIDTH, 3), []
    steps = {str(at): functools.partial(one.restore, frame) for at, one in enumerate(timed)}
    counts = {key: runs_for(step, runs) for key, step in steps.items()}
    seconds = interleaved(steps, counts, threads=threads)
    for one, times in zip(timed, seconds.values(), strict=True):
        ms = milliseconds(times)
        each = round(ms["median"] / (one.scale**2 * HEIGHT * WIDTH / 1e6), 2)
        found.append({**one.told, "scale": one.scale, "milliseconds": ms, "ms_per_megapixel": each})
    return found


def runs_for(step: Step, runs: int) -> int:
    """Return how often something is run, by the time of its second run."""
    step()
    begin = time.perf_counter()
    step()
    return runs if time.perf_counter() - begin < SLOW else -(-runs // 3)


if __name__ == "__main__":
    main()
