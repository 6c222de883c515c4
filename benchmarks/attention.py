"""What channel attention is worth to RestoreNet: none, over the whole input, by patches."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

from data_option import add_data_option
from results_file import write
from rich.console import Console
from rich.table import Table

from restore_rt.training.loop.checkpoint import load_checkpoint
from restore_rt.training.loop.trainer import LAST, train
from restore_rt.training.recipes import Recipe, load_recipe, parse_recipe

RECIPE = "comic-x2"
ATTENTIONS = ("none", "whole", "patch")


def main() -> None:
    """Train short runs that differ in the attention alone; print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_data_option(parser, "train/comic_peppercarrot")
    parser.add_argument("--runs", type=Path, default=Path("runs/attention"), help="where runs go")
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--seeds", type=int, default=2)
    options = parser.parse_args()
    found: dict[str, list[dict[str, float]]] = {name: [] for name in ATTENTIONS}
    for seed in range(options.seeds):
        for name in ATTENTIONS:
            run = options.runs / f"{name}_{seed}_{options.steps}"
            recipe = variant(name, seed, options.steps)
            train(recipe, options.data / "train", run, resume=(run / LAST).exists())
            found[name].append(_scores(run))
    table = Table("attention", *found["none"][0], title="held-out PSNR in dB, mean over the seeds")
    for name, runs in found.items():
        table.add_row(name, *(f"{_mean(runs, key):.3f}" for key in runs[0]))
    Console().print(table)
    record = {
        "what": (
            f"PSNR in dB on the held-out pages and drawn lettering of {RECIPE}, after "
            f"{options.steps} steps with a schedule of that length; runs of one seed see the same "
            "batches"
        ),
        "steps": options.steps,
        "runs": found,
    }
    print(f"written: {write('attention', record)}")


def variant(attention: str, seed: int, steps: int) -> Recipe:
    """Return the recipe with another attention, seed and length."""
    text = load_recipe(RECIPE).text
    for pattern, value in (
        (r'attention = "\w+"', f'attention = "{attention}"'),
        (r"(?m)^seed = \d+", f"seed = {seed + 1}"),
        (r"(?m)^steps = \d+", f"steps = {steps}"),
        (r"(?m)^validation_interval = \d+", f"validation_interval = {steps}"),
    ):
        text, count = re.subn(pattern, value, text)
        assert count == 1, pattern
    return parse_recipe(text)


def _scores(run: Path) -> dict[str, float]:
    metrics: dict[str, Any] = load_checkpoint(run / LAST)["metrics"]
    prefix = "validation_psnr_"
    return {
        key.removeprefix(prefix): round(value, 4)
        for key, value in metrics.items()
        if key.startswith(prefix)
    }


def _mean(runs: list[dict[str, float]], key: str) -> float:
    return sum(run[key] for run in runs) / len(runs)


if __name__ == "__main__":
    main()
