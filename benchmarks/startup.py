"""How long `import restore_rt` takes in a fresh process, next to NumPy, on which it stands."""

from __future__ import annotations

import argparse
import subprocess
import sys

from results_file import milliseconds, write

CODE = "import time; begin = time.perf_counter(); import {}; print(time.perf_counter() - begin)"


def main() -> None:
    """Measure, print, write ``startup.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    options = parser.parse_args()
    seconds: dict[str, list[float]] = {"numpy": [], "restore_rt": []}
    for run in range(options.runs + 1):
        for module, values in seconds.items():
            command = [sys.executable, "-c", CODE.format(module)]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            if run:  # the first fills the disk cache
                values.append(float(done.stdout))
    figures = {module: milliseconds(values) for module, values in seconds.items()}
    for module, figure in figures.items():
        print(f"import {module}: {figure['median']:.0f} ms")
    path = write("startup", {"what": "import in a fresh process", "milliseconds": figures})
    print(f"written: {path}")


if __name__ == "__main__":
    main()
