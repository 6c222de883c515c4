"""Whether pictures are ready when a training needs them: what the cache of regions is for."""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

from data_option import add_data_option
from results_file import milliseconds, write
from rich.console import Console
from rich.table import Table

from restore_rt.training.data.batches import load_data
from restore_rt.training.loop.trainer import train
from restore_rt.training.recipes import load_recipe

RECIPES = ("video-x2", "photo-x2", "comic-x2", "comic-x1", "repair-x1", "photo-x4")
REGIONS = 60
BATCHES = 40
STEPS = 300


def main() -> None:
    """Measure, print a table, write ``loader.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_data_option(parser, "train/photo_cid22")
    options = parser.parse_args()
    measured = {name: measure(name, options.data / "train") for name in RECIPES}
    table = Table("recipe", "region, ms", "batch, ms", "steps/s", "without cache", "waited")
    for name, figures in measured.items():
        table.add_row(
            name,
            f"{figures['region_ms']['median']:.1f}",
            f"{figures['batch_ms']['median']:.2f}",
            f"{figures['steps_per_second']:.1f}",
            f"{figures['steps_per_second_if_each_patch_were_new']:.1f}",
            f"{figures['waited']:.1%}",
        )
    Console().print(table)
    what = (
        "region_ms: one region made, one thread; batch_ms: a batch cut from the cache; "
        "steps_per_second: of a training; waited: share of its time spent waiting for regions; "
        "steps_per_second_if_each_patch_were_new: what one thread could feed that made a region "
        "for each patch"
    )
    print(f"written: {write('loader', {'what': what, 'recipes': measured})}")


def measure(name: str, data: Path) -> dict[str, Any]:
    """Measure one recipe: its regions, its batches, and a short training."""
    recipe = load_recipe(name)
    patches, _, _ = load_data(recipe, data, say=lambda line: None)
    regions = []
    for number in range(REGIONS):
        begin = time.perf_counter()
        patches.regions.make(number)
        regions.append(time.perf_counter() - begin)
    patches.regions.at(0)
    batches = []
    for _ in range(BATCHES):
        begin = time.perf_counter()
        patches.batch(0)
        batches.append(time.perf_counter() - begin)
    patches.regions.close()
    lines: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        train(recipe, data, Path(folder), stop_after=STEPS, say=lines.append)
    pace = lines[-1].split()
    return {
        "region_ms": milliseconds(regions[10:]),
        "batch_ms": milliseconds(batches),
        "steps_per_second": float(pace[pace.index("steps/s") - 1]),
        "waited": float(pace[pace.index("waited") + 1].rstrip("%")) / 100,
        "steps_per_second_if_each_patch_were_new": round(
            REGIONS / sum(regions) / recipe.data.batch, 2
        ),
        "renewed_every": recipe.data.cache.renew,
    }


if __name__ == "__main__":
    main()
