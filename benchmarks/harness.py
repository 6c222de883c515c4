"""What all benchmarks share: options, timing in turn, verification, and results as JSON."""

from __future__ import annotations

import argparse
import datetime
import importlib
import json
import os
import random
import re
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from restore_rt.bench.machine import describe_machine, describe_software, same_machine
from restore_rt.model import registry
from restore_rt.model.manifest import Manifest

ROOT = Path(__file__).parent.parent
Step = Callable[[], object]

# Libraries whose versions are recorded, beside those that the runtime needs.
_PLUGINS = ("vapoursynth", "vapoursynth-mlrt-ort", "vapoursynth-mlrt-ov")
_OPENCV = ("opencv-contrib-python-headless", "opencv-python-headless", "opencv-python")
_OTHERS = ("openvino", "ncnn", "pnnx", "torch", "cupy-cuda13x", "nvidia-cudnn-cu13")
_LIBRARIES = (*_PLUGINS, *_OPENCV, *_OTHERS)
# Seconds: a process rests if it worked less than `_WORK` during `_PAUSE`.
_PAUSE, _WORK, _MOST_PAUSES = 0.01, 0.001, 100


class Unavailable(Exception):  # noqa: N818
    """A library is missing or cannot do what is asked; the text gives the reason."""


def need(module: str, package: str) -> Any:
    """Import a library; raise `Unavailable` with the package to install if it is missing."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise Unavailable(f"not installed: pip install {package}") from error


def options(
    text: str | None,
    *,
    runs: int | None = None,
    threads: int | Sequence[int] | None = None,
    data: str | None = None,
) -> argparse.ArgumentParser:
    """Return a parser with the options that are asked for, with these defaults.

    With several threads, ``--threads`` takes several; ``data`` is an example of what lies in the
    folder of test data.
    """
    parser = argparse.ArgumentParser(description=text)
    if runs is not None:
        parser.add_argument("--runs", type=int, default=runs, help="how often each step is timed")
    if threads is not None:
        many: Any = {} if isinstance(threads, int) else {"nargs": "+"}
        parser.add_argument("--threads", type=int, default=threads, **many)
    if data is not None:
        found = os.environ.get("RESTORE_RT_DATA")
        told = f"the folder that holds {data}; default: RESTORE_RT_DATA"
        parser.add_argument("--data", type=Path, default=found, required=found is None, help=told)
    return parser


def check(who: str, found: NDArray[Any], expected: NDArray[Any], allowed: float) -> float:
    """Return the largest difference; end the benchmark if it is more than `allowed`."""
    if found.shape != expected.shape:
        raise SystemExit(f"{who} has the shape {found.shape}; expected is {expected.shape}")
    off = float(np.abs(found.astype(np.float64) - expected).max())
    if not off <= allowed:
        raise SystemExit(f"{who} is off by {off:g}; allowed are {allowed:g}")
    return off


def interleaved(
    steps: Mapping[str, Step], runs: int | Mapping[str, int], *, threads: int = 1
) -> dict[str, list[float]]:
    """Return the seconds of all runs, taken in turn after one run that does not count.

    The order differs from round to round, so that no step always finds the caches of the same
    other step. With several threads each run begins when the process rests: some libraries leave
    their threads spinning for a while. Fewer runs of a step are spread over all rounds.
    """
    wanted = dict.fromkeys(steps, runs) if isinstance(runs, int) else dict(runs)
    rounds = max(wanted.values(), default=0)
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for step in steps.values():
        step()
    shuffled, order = random.Random(0), list(steps)
    for turn in range(rounds):
        shuffled.shuffle(order)
        for name in order:
            if (turn + 1) * wanted[name] // rounds == turn * wanted[name] // rounds:
                continue
            if threads > 1:
                _rest()
            begin = time.perf_counter()
            steps[name]()
            seconds[name].append(time.perf_counter() - begin)
    return seconds


def _rest() -> None:
    """Wait until no thread of this process works, for a second at most."""
    for _ in range(_MOST_PAUSES):
        worked = time.process_time()
        time.sleep(_PAUSE)
        if time.process_time() - worked < _WORK:
            return


def milliseconds(seconds: Sequence[float]) -> dict[str, float]:
    """Return median and spread of repeated timings in ms."""
    ordered = sorted(value * 1e3 for value in seconds)
    return {
        "median": round(statistics.median(ordered), 3),
        "p10": round(ordered[len(ordered) // 10], 3),
        "p90": round(ordered[-1 - len(ordered) // 10], 3),
        "runs": len(ordered),
    }


def manifest_of(name: str) -> Manifest:
    """Return the manifest of a shipped model."""
    return next(each for each in registry.models() if each.name == name)


def model_entry(name: str) -> dict[str, Any]:
    """Return which version of a shipped model was measured."""
    manifest = manifest_of(name)
    return {"name": name, "version": manifest.version, "sha256": manifest.sha256}


def write(name: str, measured: Mapping[str, Any], *, alone: bool = False) -> dict[str, Any]:
    """Write what was measured, with this machine and the versions of libraries; return it.

    It replaces the part of that name in the file of this processor, or is a file of its own if it
    is `alone`. Files lie in ``out/benchmarks`` or in the folder that RESTORE_RT_RESULTS names.
    """
    part: dict[str, Any] = {
        "benchmark": name,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "software": describe_software(_LIBRARIES),
        **{key: value for key, value in measured.items() if key != "machine"},
    }
    if alone:
        part["machine"] = describe_machine()
        _save(_folder() / f"{name}.json", part)
        return part
    path, record = _of_processor()
    record["parts"][name] = part
    _save(path, record)
    return {**part, "machine": record["machine"]}


def update(**values: Any) -> None:
    """Set values in the file of this processor, beside its parts."""
    path, record = _of_processor()
    _save(path, {**values, **{key: record[key] for key in record.keys() - values}})


def _of_processor() -> tuple[Path, dict[str, Any]]:
    """Return the file of this processor and its content; refuse that of another machine."""
    machine = describe_machine()
    plain = re.sub(r"\((R|TM)\)|Processor|CPU|@.*|\d+-Core", " ", machine["processor"])
    words = " ".join([plain, machine["instructions"], *machine["extensions"]]).lower()
    path = _folder() / f"{re.sub(r'[^a-z0-9]+', '-', words).strip('-')}.json"
    record: dict[str, Any] = {"machine": machine, "parts": {}}
    if path.exists():
        record = json.loads(path.read_text("utf-8"))
        differing = same_machine(record["machine"], machine)
        if differing:
            raise SystemExit(
                f"{path} is of another machine of that name ({'; '.join(differing)}): name another "
                "folder in RESTORE_RT_RESULTS"
            )
    return path, record


def _folder() -> Path:
    return Path(os.environ.get("RESTORE_RT_RESULTS", "out/benchmarks"))


def _save(path: Path, record: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(f"written: {path}", flush=True)
