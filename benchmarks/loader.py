"""Whether pictures are ready when a training needs them: what the cache of regions is for."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from harness import Step, milliseconds, options, write

from restore_rt.training.data.batches import load_data
from restore_rt.training.loop.trainer import train
from restore_rt.training.recipes import load_recipe

RECIPES = ("video-x2", "photo-x2", "comic-x2", "comic-x1", "repair-x1", "photo-x4")
REGIONS, BATCHES, STEPS = 60, 40, 300
WHAT = (
    "region_ms: one region made, one thread; batch_ms: a batch cut from the cache; "
    "steps_per_second: of a training; waited: share of its time spent waiting for regions; "
    "steps_per_second_if_each_patch_were_new: what one thread could feed that made a region for "
    "each patch"
)


def main() -> None:
    """Measure and write ``loader.json``."""
    parser = options(__doc__, data="train/photo_cid22")
    parser.add_argument("recipes", nargs="*", metavar="RECIPE", help=f"default: {RECIPES}")
    parser.add_argument("--steps", type=int, default=STEPS, help="of each training")
    chosen = parser.parse_args()
    measured = {}
    for name in chosen.recipes or RECIPES:
        measured[name] = measure(name, chosen.data / "train", chosen.steps)
        print(f"{name}: {measured[name]}", flush=True)
    write("loader", {"what": WHAT, "recipes": measured}, alone=True)


def measure(name: str, data: Path, steps: int) -> dict[str, Any]:
    """Measure one recipe: its regions, its batches, and a short training."""
    recipe = load_recipe(name)
    patches, _, _ = load_data(recipe, data, say=lambda line: None)
    regions = list(_timed(lambda number=n: patches.regions.make(number) for n in range(REGIONS)))  # type: ignore[misc]
    patches.regions.at(0)
    batches = list(_timed((lambda: patches.batch(0)) for _ in range(BATCHES)))
    patches.regions.close()
    lines: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        train(recipe, data, Path(folder), stop_after=steps, say=lines.append)
    pace = lines[-1].split()
    new = REGIONS / sum(regions) / recipe.data.batch
    return {
        "region_ms": milliseconds(regions[10:]),
        "batch_ms": milliseconds(batches),
        "steps_per_second": float(pace[pace.index("steps/s") - 1]),
        "waited": float(pace[pace.index("waited") + 1].rstrip("%")) / 100,
        "steps_per_second_if_each_patch_were_new": round(new, 2),
        "renewed_every": recipe.data.cache.renew,
    }


def _timed(steps: Iterable[Step]) -> Iterable[float]:
    for step in steps:
        begin = time.perf_counter()
        step()
        yield time.perf_counter() - begin


if __name__ == "__main__":
    main()
