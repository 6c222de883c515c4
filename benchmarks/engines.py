"""One network in many engines: video-x2, 8-bit luma to 8-bit luma, in one process, interleaved.

Each engine's result is verified against ONNX Runtime's of the same file before anything is timed.
Bounds, in steps of 8 bits: 1 in fp32; 20 in bf16 against fp32; 1 in int8 where an engine rounds its
sums as ONNX Runtime does, else 20. An engine that is missing, or cannot run the model, is listed
with the reason.

Every engine gets the same number of threads. After each run with several, nothing is timed until
the process rests: some libraries leave their threads spinning for a while.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import native
import numpy as np
import onnx
from numpy.typing import NDArray
from other_engines import ENGINES, Case, Running, Unavailable
from results_file import describe_model, milliseconds, write
from rich.console import Console
from rich.table import Table
from turns import interleaved_at_rest
from user_loops import Tiled, open_onnxruntime

from restore_rt import _ext
from restore_rt.model import registry as zoo

PRECISIONS = ("fp32", "bf16", "int8")
MOST_OFF = {"fp32": 1, "bf16": 20, "int8": 20}
# Of int8, in which these round as ONNX Runtime does.
EXACT = ("native", "onnxruntime")

Record = dict[str, Any]
# Engine and precision.
Key = tuple[str, str]


def main() -> None:
    """Measure, print tables, write ``engines.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--engines", nargs="*", choices=ENGINES, default=list(ENGINES))
    options = parser.parse_args()
    if importlib.util.find_spec("onnxruntime") is None:
        sys.exit("all are verified against ONNX Runtime: pip install onnxruntime")
    cases: list[Record] = []
    absent: dict[Key, str] = {}
    for height, width in native.SIZES:
        for threads in options.threads:
            case = make_case(height, width, threads)
            running, missing = open_all(case, options.engines)
            absent |= missing
            off = verify(case, running)
            cases.append(measure(case, running, off, options.runs))
            show(cases[-1])
    listed = [
        {"engine": engine, "precision": precision, "reason": reason}
        for (engine, precision), reason in absent.items()
    ]
    show_absent(listed)
    record = {
        "what": native.WHAT,
        "model": describe_model(native.MODEL),
        "most_off_allowed": {
            **MOST_OFF,
            **{f"{engine} int8": 1 for engine in EXACT},
        },
        "cases": cases,
        "absent": listed,
    }
    print(f"written: {write('engines', record)}")


def make_case(height: int, width: int, threads: int) -> Case:
    """Return a frame, the model, and what ONNX Runtime makes of the two."""
    fp32 = onnx.load(zoo.path_of(native.MODEL))
    frame = native.picture(height, width)
    expected = {"fp32": run_onnxruntime(fp32, frame)}
    expected["bf16"] = expected["fp32"]
    int8 = None
    # Without VNNI the sums of ONNX Runtime saturate: there is nothing to verify against.
    if "direct_vnni" in _ext.algorithms("int8"):
        int8 = native.quantised(fp32, frame)
        expected["int8"] = run_onnxruntime(int8, frame)
    return Case(fp32=fp32, int8=int8, frame=frame, expected=expected, threads=threads)


def run_onnxruntime(model: onnx.ModelProto, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Restore a frame in one thread."""
    out = np.empty([native.SCALE * side for side in frame.shape], np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        onnx.save(model, path)
        Tiled(open_onnxruntime(path, 1), 0, 0).run_into(out[None], frame[None])
    return out


def open_all(case: Case, names: Sequence[str]) -> tuple[dict[Key, Running], dict[Key, str]]:
    """Return what runs, by engine and precision, and why the rest does not."""
    running, absent = {}, {}
    for precision in PRECISIONS:
        for name in names:
            try:
                running[name, precision] = ENGINES[name](case, precision)
            except Unavailable as reason:
                absent[name, precision] = str(reason)
    return running, absent


def most_off(engine: str, precision: str) -> int:
    """Return by how many steps of 8 bits a result may differ."""
    exact = precision == "int8" and engine.partition(",")[0] in EXACT
    return 1 if exact else MOST_OFF[precision]


def verify(case: Case, running: Mapping[Key, Running]) -> dict[Key, int]:
    """Compare all results with ONNX Runtime's; return by how much each differs at most."""
    found, wrong = {}, []
    for (engine, precision), one in running.items():
        one.step()
        off = int(np.abs(one.out.astype(int) - case.expected[precision]).max())
        found[engine, precision] = off
        allowed = most_off(engine, precision)
        if off > allowed:
            wrong.append(f"{engine} in {precision} is off by {off} of 255; allowed are {allowed}")
    if wrong:
        sys.exit("\n".join(wrong))
    return found


def measure(
    case: Case, running: Mapping[Key, Running], off: Mapping[Key, int], runs: int
) -> Record:
    """Time everything in turn."""
    steps = {" ".join(key): one.step for key, one in running.items()}
    timings = interleaved_at_rest(steps, runs, threads=case.threads)
    height, width = case.frame.shape
    figures = {key: milliseconds(timings[" ".join(key)]) for key in running}
    results = []
    for (engine, precision), found in figures.items():
        ours = figures.get(("native", precision))
        ratio = found["median"] / ours["median"] if ours else None
        results.append(
            {
                "engine": engine,
                "precision": precision,
                "milliseconds": found,
                "times_native": None if ratio is None else round(ratio, 2),
                "most_off": off[engine, precision],
            }
        )
    return {"size": f"{width}x{height}", "threads": case.threads, "engines": results}


def show(case: Record) -> None:
    """Print what one size and number of threads came to."""
    title = f"{native.MODEL}, {case['size']}, {case['threads']} threads"
    table = Table(
        "engine", "precision", "median ms", "p10", "p90", "times native", "most off", title=title
    )
    for one in case["engines"]:
        times = one["milliseconds"]
        ratio = one["times_native"]
        table.add_row(
            one["engine"],
            one["precision"],
            *(f"{times[key]:.2f}" for key in ("median", "p10", "p90")),
            "" if ratio is None else f"{ratio:.2f}",
            str(one["most_off"]),
        )
    Console(width=100).print(table)


def show_absent(absent: Sequence[Mapping[str, str]]) -> None:
    """Print what does not run, and why."""
    table = Table("engine", "precision", "not measured, because", title="absent")
    for one in absent:
        table.add_row(*one.values())
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
