"""How well the shipped in-painting model fills holes, beside classical methods, and how fast."""

from __future__ import annotations

import functools
import resource
from pathlib import Path
from typing import Any

import harness
import numpy as np
import onnx
from numpy.typing import NDArray

import restore_rt
from restore_rt.model.manifest import parameter_count
from restore_rt.model.registry import path_of
from restore_rt.training.degradations.holes import Holes

NAME = "inpaint"
# Paintings beside the photographs.
PAINTINGS = 2
# Of what is damaged: height and width of the frame and of the part of it, where 8 % are holes.
FRAMES = {"512x512": ((512, 512), (512, 512)), "4000x3000": ((3000, 4000), (900, 1300))}
DAMAGE = Holes(shapes=("flake", "blob"), coverage=(0.08, 0.08), size=(4.0, 60.0))

Record = dict[str, Any]


def main() -> None:
    """Write ``model_inpaint.json``, or with ``--times`` a part of this processor's file."""
    parser = harness.options(__doc__, data="test/sr and test/paintings", runs=5, threads=2)
    parser.add_argument("--times", action="store_true", help="time frames; else measure quality")
    chosen = parser.parse_args()
    if chosen.times:
        for frame in harness.write(NAME, times(chosen.runs, chosen.threads))["frames"]:
            print(f"{frame['size']}: {frame['milliseconds']['median']:.0f} ms")
        return
    record = harness.write(f"model_{NAME}", quality(chosen.data), alone=True)
    for kind, rows in record["cases"].items():
        print(kind, {name: round(row["psnr"], 2) for name, row in rows.items()})


def described() -> Record:
    """Return what the shipped model is."""
    parameters = parameter_count(onnx.load(path_of(NAME)))
    return {**harness.model_entry(NAME), "parameters": parameters}


def quality(data: Path) -> Record:
    """Fill the holes that ``restore-rt eval --inpaint`` draws, with each method."""
    from restore_rt.training.evaluation import find_files, inpainting

    folder = data / "test"
    pictures = [*find_files(folder / "sr"), *find_files(folder / "paintings")[:PAINTINGS]]
    classical, lacking = inpainting.classical_fillers()
    if lacking:
        raise SystemExit("\n".join(lacking))
    with inpainting.open_fillers([NAME]) as loaded:
        fillers = [*classical, *loaded]
        measured = [inpainting.measure_fills(path, fillers, name=path.name) for path in pictures]
    return {
        "what": "psnr in dB and ssim of the pixels in the holes, means over the pictures; the "
        "median of the seconds that a picture took",
        "model": described(),
        "pictures": len(measured),
        "cases": inpainting.mean_scores(measured),
    }


def times(runs: int, threads: int) -> Record:
    """Time the model on frames; the memory of the process includes the frame and all libraries."""
    found = []
    with restore_rt.load(NAME, threads=threads) as restorer:
        for size, (whole, part) in FRAMES.items():
            frame, holes = damaged(whole, part)
            step = functools.partial(restorer, frame, mask=holes)
            seconds = harness.interleaved({NAME: step}, runs, threads=threads)[NAME]
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
            measured = {"milliseconds": harness.milliseconds(seconds), "peak_mb": peak}
            found.append({"size": size, "holes": round(float(holes.mean()), 4), **measured})
    return {"model": described(), "threads": threads, "runs_on": restorer.description,
            "frames": found}  # fmt: skip


def damaged(
    whole: tuple[int, int], part: tuple[int, int]
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Return a frame, and holes in the middle of it."""
    rng = np.random.default_rng(3)
    # In 8 bits, since the memory of the process is measured.
    rows, columns = (
        (64 + 60 * np.sin(np.arange(side) / period)).astype(np.uint8)
        for side, period in zip(whole, (23, 17), strict=True)
    )
    frame = np.repeat((rows[:, None] + columns)[..., None], 3, axis=2)
    top, left = ((side - inner) // 2 for side, inner in zip(whole, part, strict=True))
    holes = np.zeros(whole, bool)
    holes[top : top + part[0], left : left + part[1]] = DAMAGE.mask(rng, *part)
    frame[holes] = 255
    return frame, holes


if __name__ == "__main__":
    main()
