"""``python -m restore_rt.training RECIPE --data DIR --run DIR [--resume]``."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

import torch

from restore_rt.errors import RestoreError
from restore_rt.training.recipe import load_recipe
from restore_rt.training.trainer import train


def main(arguments: list[str] | None = None) -> int:
    """Train; 0 on success, 1 with one line on standard error if it cannot."""
    parser = argparse.ArgumentParser("python -m restore_rt.training", description=train.__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = "Train a network. The run can be broken off and resumed."
    parser.add_argument("recipe", help="a recipe file, or the name of a shipped one")
    parser.add_argument("--data", type=Path, required=True, help="holds the recipe's folders")
    parser.add_argument("--run", type=Path, required=True, help="where checkpoints go")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    parser.add_argument("--threads", type=int, default=0, help="threads of torch; 0: its default")
    options = parser.parse_args(arguments)
    if options.threads > 0:
        torch.set_num_threads(options.threads)
    try:
        recipe = load_recipe(options.recipe)
        say = partial(print, flush=True)
        train(recipe, options.data, options.run, resume=options.resume, say=say)
    except RestoreError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; --resume goes on from the last checkpoint", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
