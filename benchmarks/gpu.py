"""A GPU: copies, kernels, launches, and models from host to host, judged by what is demanded.

Results are compared with the CPU's before time is taken. Writes a file that is named for the GPU.
Bytes are counted once, buffers take turns so that caches do not hold them, and the GPU's own events
measure what runs on it. The memory of the first model includes what libraries take once. The exit
status is 1 if something is missing or a bar is missed.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import itertools
import re
import shutil
import subprocess
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from gpu_bars import frame_bars, kernel_bars, plain_bars, unmeasured
from results_file import write
from rich.console import Console
from rich.table import Table

import restore_rt
from restore_rt.errors import BackendError
from restore_rt.gpu import require_gpu
from restore_rt.gpu_opening import missing_for

if TYPE_CHECKING:
    from gpu_frames import Backend, Case, Precision
    from gpu_timing import Bench

_LIBRARIES = (
    *("onnxruntime-gpu", "pycuda", "tensorrt", "tensorrt_cu13_libs", "tensorrt_rtx_cu13_libs"),
    *("torch", "cupy-cuda12x", "cupy-cuda13x", "nvidia-cudnn-cu12", "nvidia-cudnn-cu13"),
)
# What the bars speak of; these run in fp32, too.
_FIRST = "video-x2"
_FRAME = "1920x1080 4:2:0"
_PLAIN = {"video-x2": (1080, 1920), "photo-x2": (1080, 1920, 3)}

Figures = dict[str, Any]


def main() -> None:
    """Measure, print tables, write ``<gpu>.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    names = [manifest.name for manifest in restore_rt.models()]
    parser.add_argument("--models", nargs="*", default=names, choices=names, metavar="MODEL")
    parser.add_argument("--rounds", type=int, default=20, help="measurements of a figure")
    parser.add_argument("--seconds", type=float, default=3.0, help="about how long each takes")
    parser.add_argument("--passed", nargs="*", default=[], help="checks that went before")
    options = parser.parse_args()
    try:
        require_gpu()
        if missing := missing_for("onnxruntime"):
            raise BackendError("; ".join(missing))
    except BackendError as error:
        raise SystemExit(str(error)) from error
    # Late: they need what was looked for.
    from gpu_kernels import measure_copies, measure_kernels, measure_launches
    from gpu_timing import Bench

    bench = Bench(rounds=options.rounds)
    hardware = describe(bench)
    print(f"{hardware['name']}, driver {hardware['driver']}", flush=True)
    measured: Figures = {
        "what": " ".join((__doc__ or "").split("\n\n", 1)[1].split()),
        "gpu": hardware,
        "passed_before": options.passed,
        "copies_gb_per_s": measure_copies(bench),
        "kernels": measure_kernels(bench),
        "launches": measure_launches(bench),
    }
    bench.pool.trim()
    measured["frames"] = [measure(bench, case, options.seconds) for case in cases(options.models)]
    plain, why = compare_with_plain(bench, measured["frames"], options.seconds)
    measured["plain"] = plain
    demanded = frame_bars(measured["frames"], model=_FIRST, frame=_FRAME)
    measured["bars"] = [
        *kernel_bars(measured["kernels"]),
        *(demanded or [unmeasured(f"{_FIRST}, {_FRAME}, from host to host", "not asked for")]),
        *(plain_bars(plain) or [unmeasured("5 times the frames of the plain way", why)]),
    ]
    show(measured)
    slug = re.sub(r"[^a-z0-9]+", "-", hardware["name"].lower()).strip("-")
    print(f"written: {write(slug, measured)}")
    missed = [bar["bar"] for bar in measured["bars"] if bar["verdict"] == "missed"]
    if missed:
        raise SystemExit(f"missed: {'; '.join(missed)}")


def cases(models: list[str]) -> list[Case]:
    """Return what is measured: each model on each backend that is installed."""
    from gpu_frames import SIZES, Case

    found = []
    for manifest in restore_rt.models():
        if manifest.name not in models:
            continue
        first = manifest.name == _FIRST
        precisions: tuple[Precision, ...] = ("fp16", "fp32") if first else ("fp16",)
        forms = (True, False) if manifest.colour == "luma" else (False,)
        for backend, precision, size, planes in itertools.product(
            _installed(), precisions, SIZES, forms
        ):
            found.append(Case(manifest.name, backend, precision, size, planes))
    return found


def _installed() -> list[Backend]:
    backends: tuple[Backend, ...] = ("onnxruntime", "tensorrt")
    return [backend for backend in backends if not missing_for(backend)]


def measure(bench: Bench, case: Case, seconds: float) -> Figures:
    """Measure a case, and say so: it takes a while."""
    from gpu_frames import measure_frames

    figures = measure_frames(bench, case, seconds=seconds)
    bench.pool.trim()
    print(
        f"{case.model} {case.backend} {case.precision} {case.frame}: "
        f"{figures['frames_per_second']['median']:.4g} frames/s",
        flush=True,
    )
    return figures


def compare_with_plain(
    bench: Bench, frames: list[Figures], seconds: float
) -> tuple[list[Figures], str]:
    """Return the plain way next to the fastest of ours, from and to arrays of NumPy, or why not."""
    from gpu_frames import picture, psnr, rates
    from gpu_kernels import tile_sizes

    try:
        import torch
        from gpu_plain import Plain
    except ImportError as error:
        return [], f"PyTorch cannot be imported ({error})"
    if not torch.cuda.is_available():
        return [], "this PyTorch has no CUDA"
    found = []
    for name, shape in _PLAIN.items():
        ours = [case for case in frames if case["model"] == name and case["precision"] == "fp16"]
        if not ours:
            continue
        fastest = max(ours, key=lambda case: float(case["frames_per_second"]["median"]))
        rgb = picture(*shape[:2])
        frame = rgb if len(shape) == 3 else rgb[..., 0].copy()
        plain = Plain(name, tile_sizes(name))
        with restore_rt.load(
            name, device="cuda", backend=fastest["backend"], precision="fp16"
        ) as restorer:
            near = psnr(plain(frame), restorer(frame))
            if near < 40:
                raise SystemExit(f"the plain way of {name} is {near:.1f} dB away from ours")
            # By turns, so that both see the same clocks.
            mine, others = [], []
            for _ in range(5):
                mine += rates(restorer.stream, [frame], seconds=seconds / 5, rounds=1)
                others += rates(partial(map, plain), [frame], seconds=seconds / 5, rounds=1)
        found.append(compared(name, frame.shape, fastest["backend"], mine, others))
    return found, "no model that the plain way has was asked for"


def compared(
    name: str, shape: tuple[int, ...], backend: str, mine: list[float], others: list[float]
) -> Figures:
    """Return both rates and their ratio."""
    from gpu_timing import spread

    ours, plain = spread(mine), spread(others)
    kind = "8-bit RGB" if len(shape) == 3 else "8-bit luma"
    return {
        "model": name,
        "backend": backend,
        "frame": f"{shape[1]}x{shape[0]} {kind}",
        "ours_frames_per_second": ours,
        "plain_frames_per_second": plain,
        "times_plain": round(ours["median"] / plain["median"], 2),
    }


def describe(bench: Bench) -> Figures:
    """Return what the GPU is and what drives it."""
    device = bench.device
    version = device.library.get_driver_version()
    # CUDA and nvidia-smi may number them differently.
    bus = device.library.Device(device.index).pci_bus_id()
    libraries = {}
    for name in _LIBRARIES:
        with suppress(importlib.metadata.PackageNotFoundError):
            libraries[name] = importlib.metadata.version(name)
    return {
        "name": device.name,
        "capability": "{}.{}".format(*device.capability),
        "memory_gib": round(device.total_memory / 2**30, 1),
        "driver": _asked("driver_version", bus),
        "clocks_mhz": _asked("clocks.max.sm,clocks.max.memory", bus),
        "power_limit": _asked("power.limit", bus),
        "cuda_of_driver": f"{version // 1000}.{version % 1000 // 10}",
        "libraries": libraries,
    }


def _asked(what: str, bus: str) -> str | None:
    if shutil.which("nvidia-smi") is None:
        return None
    command = ["nvidia-smi", f"--query-gpu={what}", "--format=csv,noheader", f"--id={bus}"]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else None


def show(measured: Figures) -> None:
    """Print what was measured."""
    console = Console(width=120)
    table = Table("kernel", "frame", "samples", "tiles", "us", "GB/s", "of copy", "of large copy")
    for case in measured["kernels"]:
        table.add_row(
            *(str(case.get(key, "")) for key in ("kernel", "frame", "samples", "tiles")),
            f"{case['microseconds']:.1f}",
            f"{case['gb_per_s']['median']:.0f}",
            f"{case['share_of_copy_of_as_many_bytes']:.0%}",
            f"{case['share_of_large_copy']:.0%}",
        )
    console.print(table)
    table = Table("model", "backend", "frame", "frames/s", "p50 ms", "p99 ms", "network", "copies")
    for case in measured["frames"]:
        table.add_row(
            case["model"],
            f"{case['backend']} {case['precision']}",
            case["frame"],
            f"{case['frames_per_second']['median']:.1f}",
            *(f"{case['call_milliseconds'][key]:.3f}" for key in ("p50", "p99")),
            f"{case['network_alone_milliseconds']['median']:.3f}",
            f"{case['copies_alone_milliseconds']['median']:.3f}",
        )
    console.print(table)
    for bar in measured["bars"]:
        console.print(f"{bar['verdict']}: {bar['bar']}: {bar['measured']} ({bar['note']})")


if __name__ == "__main__":
    main()
