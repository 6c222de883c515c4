"""The native engine beside ONNX Runtime and OpenVINO as on a CPU that has AVX2 and nothing wider.

Libraries ask the CPU itself what it has. So mask_cpuid.c makes that instruction fault, and answers
in its place; this needs Linux on an Intel CPU. Each half of the measurement is a process of its
own: one under the mask, one without, in which ONNX Runtime's own time shows what the mask does.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from native import MODEL, WHAT, measure
from results_file import describe_model, write

import restore_rt
from restore_rt import _ext

HERE = Path(__file__).parent
# Of mask_cpuid.c: exit status where CPUID cannot be made to fault.
CANNOT = 3


def main() -> None:
    """Measure with and without AVX-512, write ``avx2.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=25)
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--vnni", action="store_true", help="leave AVX-VNNI to the masked half")
    parser.add_argument("--into", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.into is not None:
        found = _measure_here(options.runs, options.threads)
        options.into.write_text(json.dumps(found), encoding="utf-8")
        return
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        print("avx2: not measured, CPUID can be masked on Linux and x86-64 alone")
        return
    with tempfile.TemporaryDirectory() as folder:
        mask = _compile(Path(folder))
        if not _can_mask(mask):
            print("avx2: not measured, CPUID cannot be masked by this kernel or on this CPU")
            return
        whole = _measure_in_process(Path(folder), {})
        environment = {"LD_PRELOAD": str(mask), "RESTORE_RT_MASK": str(mask)}
        if options.vnni:
            environment["RESTORE_RT_KEEP_VNNI"] = "1"
        masked = _measure_in_process(Path(folder), environment)
    slowdown = _slowdown(masked["cases"], whole["cases"])
    measured = {
        "what": WHAT,
        "model": describe_model(MODEL),
        "masked_with_vnni": options.vnni,
        "times_as_long_masked": slowdown,
        "masked": masked,
        "whole": whole,
    }
    print("times as long under the mask:", *slowdown, sep="\n")
    print(f"written: {write('avx2', measured)}")


def _compile(folder: Path) -> Path:
    mask = folder / "mask_cpuid.so"
    source = HERE / "mask_cpuid.c"
    flags = ["-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    subprocess.run([os.environ.get("CC", "cc"), *flags, str(source), "-o", str(mask)], check=True)
    return mask


def _can_mask(mask: Path) -> bool:
    tried = subprocess.run([sys.executable, "-c", ""], env=os.environ | {"LD_PRELOAD": str(mask)})
    if tried.returncode not in (0, CANNOT):
        raise SystemExit(f"under the mask Python ends with {tried.returncode}")
    return tried.returncode == 0


def _measure_in_process(folder: Path, environment: dict[str, str]) -> dict[str, Any]:
    into = folder / "found.json"
    command = [sys.executable, *sys.argv, "--into", str(into)]
    subprocess.run(command, env=os.environ | environment, check=True)
    found: dict[str, Any] = json.loads(into.read_text(encoding="utf-8"))
    return found


def _measure_here(runs: int, threads: list[int]) -> dict[str, Any]:
    mask = os.environ.get("RESTORE_RT_MASK")
    asked = _check(ctypes.CDLL(mask)) if mask is not None else {}
    return {"isa": _ext.isa(), **asked, "cases": measure(runs, threads)}


def _check(mask: ctypes.CDLL) -> dict[str, int]:
    """Return how often ONNX Runtime asked the CPU, having seen that what it heard is masked."""
    seen = [mask.rrt_sees_avx512()]
    thread = threading.Thread(target=lambda: seen.append(mask.rrt_sees_avx512()))
    thread.start()
    thread.join()
    if any(seen) or _ext.isa() != "avx2":
        raise SystemExit(f"the mask does not hold: AVX-512 seen {seen}, kernels of {_ext.isa()}")
    before = mask.rrt_masked_answers()
    restore_rt.load(MODEL, backend="onnxruntime")
    answers = mask.rrt_masked_answers() - before
    if answers == 0:
        raise SystemExit("ONNX Runtime did not ask the CPU for what the mask hides")
    return {"answers_to_onnxruntime": answers}


def _slowdown(masked: list[dict[str, Any]], whole: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """How many times as long each engine takes under the mask, by medians."""
    found = []
    for with_mask, without in zip(masked, whole, strict=True):
        both = {
            name: (figures["median"], without["milliseconds"][name]["median"])
            for name, figures in with_mask["milliseconds"].items()
        }
        ratios = {name: round(long / short, 2) for name, (long, short) in both.items()}
        found.append({"size": with_mask["size"], "threads": with_mask["threads"], **ratios})
    return found


if __name__ == "__main__":
    main()
