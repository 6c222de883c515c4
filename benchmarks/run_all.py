"""Runs all that ``make bench`` measures (with ``--quality``, ``make bench-quality``)."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import harness

SPEED = (
    *("commands.py startup", "kernels.py --runs 5", "commands.py bench", "scaling.py"),
    *("engines.py --runs 3", "engines.py --masked --runs 5", "commands.py clip systems --runs 1"),
)
QUALITY = ("models.py", "precisions.py", "quality_cost.py")
# CPUID cannot be masked on every machine.
MAY_FAIL = "engines.py --masked --runs 5"


def main() -> None:
    """Run one script after another."""
    parser = harness.options(__doc__)
    parser.add_argument("--quality", action="store_true", help="how good the models are")
    quality, begin = parser.parse_args().quality, time.monotonic()
    for command in QUALITY if quality else SPEED:
        run(command, check=command != MAY_FAIL)
    if not quality:
        harness.update(minutes_of_make_bench=round((time.monotonic() - begin) / 60, 1))
    run("figures.py")
    run("quality_picture.py")


def run(command: str, *, check: bool = True) -> None:
    """Run a script of this folder."""
    print(f"\n{command}", flush=True)
    script, *rest = command.split()
    path = Path(__file__).parent / script
    subprocess.run([sys.executable, str(path), *rest], check=check)


if __name__ == "__main__":
    main()
