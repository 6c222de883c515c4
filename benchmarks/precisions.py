"""What fp16, bf16 and int8 cost the shipped models, what int8 gains, how long an export takes."""

from __future__ import annotations

import argparse
import functools
import json
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import onnx
from data_option import add_data_option
from models import CASES, Case
from numpy.typing import NDArray
from PIL import Image
from results_file import machine_now, path_of, write
from rich.console import Console
from rich.table import Table

from restore_rt import Restorer, _ext, load
from restore_rt.export import export_onnx
from restore_rt.export.conversion import convert, open_session, run
from restore_rt.export.cost import psnr, time_ratio
from restore_rt.export.half import simulate
from restore_rt.export.sources import load_source
from restore_rt.model import registry as zoo
from restore_rt.training.colour import luma
from restore_rt.training.data.pictures import find_pictures, read_rgb
from restore_rt.training.evaluation import (
    Candidate,
    Evaluation,
    evaluate,
    find_files,
    open_models,
    read_steps,
)
from restore_rt.training.metrics.fidelity import picture_metrics

# Calibration and the search are on pictures of the training, what is told here is on others.
CALIBRATION, PICTURES = "train/photo_cid22", "test/sr/Set14"
PRECISIONS = ("fp16", "bf16", "int8")
INT8 = {"video-x2": (360, 640), "photo-x2": (256, 256)}
THREADS = 2
ROUNDS = 5


def main() -> None:
    """Measure, print a table, write ``precisions.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_data_option(parser, "test/sr/Set5")
    parser.add_argument("models", nargs="*", metavar="MODEL", help="default: all that are shipped")
    parser.add_argument("--only", nargs="*", choices=PRECISIONS, default=PRECISIONS)
    options = parser.parse_args()
    shipped = {manifest.name: manifest.sha256 for manifest in zoo.models()}
    names = options.models or list(shipped)
    fp16, bf16, int8 = (kept(precision, shipped) for precision in PRECISIONS)
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            if "fp16" in options.only:
                fp16[name] = measure_fp16(name, options.data, Path(folder))
            if "int8" in options.only and name in INT8:
                int8[name] = measure_int8(name, options.data, Path(folder))
            if "bf16" in options.only and (made := measure_bf16(name, options.data)):
                bf16[name] = made
    show(fp16, bf16, int8)
    what = (
        f"fp16: PSNR in dB against fp32 on the pictures of {PICTURES}, reduced by the model's "
        "scale, limited to 0 and 1, worst picture: with every weight and value rounded and sums in "
        "fp32 (simulated), and as ONNX Runtime computes it on the CPU; kept: nodes in fp32; "
        "export_s: an fp32 file with all checks, one run. bf16: psnr_y as "
        "`restore-rt eval` measures it, by what makes all layers in the native engine that it can "
        "make. int8: psnr_y likewise; "
        "time_ratio: time of int8 over fp32 in ONNX Runtime, taking turns in one process, "
        f"the fastest of nine runs each, in {ROUNDS} rounds"
    )
    found = {"what": what, "fp16": fp16, "bf16": bf16, "int8": int8}
    print(f"written: {write('precisions', found)}")


def kept(precision: str, shipped: dict[str, str]) -> dict[str, Any]:
    """Return what was measured before, of models that are still the same."""
    try:
        record = json.loads(path_of("precisions").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return {
        name: figures
        for name, figures in record.get(precision, {}).items()
        if figures["sha256"] == shipped.get(name)
    }


def measure_fp16(name: str, data: Path, folder: Path) -> dict[str, Any]:
    """Export a model in fp32 and in fp16 and compare the two on pictures."""
    lines: list[str] = []
    files = {precision: folder / f"{name}-{precision}.onnx" for precision in ("fp32", "fp16")}
    begin = time.perf_counter()
    export_onnx(name, files["fp32"], images=data / CALIBRATION, say=lambda line: None)
    seconds = time.perf_counter() - begin
    export_onnx(name, files["fp16"], precision="fp16", images=data / CALIBRATION, say=lines.append)
    (kept,) = (line.split(": ", 1)[1] for line in lines if line.startswith("kept in fp32"))
    source = load_source(name)
    multiple = next(m.multiple for m in zoo.models() if m.name == name)
    conversion = convert(source.network, source.channels, multiple=multiple)
    keep = [] if kept == "nothing" else kept.split(", ")
    sessions = {precision: open_session(onnx.load(path)) for precision, path in files.items()}
    simulated, actual = [], []
    for x in inputs(data, source.scale, source.colour, multiple):
        expected = run(sessions["fp32"], x)
        simulated.append(psnr(simulate(conversion, keep, x), expected))
        actual.append(psnr(run(sessions["fp16"], x), expected))
    sha256 = next(m.sha256 for m in zoo.models() if m.name == name)
    return {
        "sha256": sha256,
        "simulated": round(min(simulated), 2),
        "onnxruntime": round(min(actual), 2),
        "pictures": len(actual),
        "kept": keep,
        "bytes": files["fp16"].stat().st_size,
        "bytes_fp32": files["fp32"].stat().st_size,
        "export_s": round(seconds, 1),
    }


def inputs(data: Path, scale: int, colour: str, multiple: int) -> list[NDArray[np.float32]]:
    """Return the pictures as a network takes them, reduced by its scale."""
    planes = []
    for file in find_pictures(data / PICTURES):
        picture = Image.fromarray(read_rgb(file))
        width, height = (side // scale // multiple * multiple for side in picture.size)
        picture = picture.crop((0, 0, width * scale, height * scale))
        rgb = np.asarray(picture.resize((width, height), Image.Resampling.BICUBIC))
        levels = luma(rgb)[None] if colour == "luma" else rgb.transpose(2, 0, 1)
        planes.append(np.ascontiguousarray(levels[None], np.float32) / np.float32(255))
    return planes


def measure_int8(name: str, data: Path, folder: Path) -> dict[str, Any]:
    """Export a model in int8, and compare quality and time with fp32."""
    lines: list[str] = []
    path = folder / f"{name}-int8.onnx"
    export_onnx(name, path, precision="int8", images=data / CALIBRATION, say=lines.append)
    with open_models([name, str(path)], threads=THREADS) as candidates:
        quality = _quality(candidates, CASES[name]["Set14"], data)
    fp32, int8 = onnx.load(zoo.path_of(name)), onnx.load(path)
    channels = 1 if candidates[0].details["colour"] == "luma" else 3
    x = np.random.default_rng(0).random((1, channels, *INT8[name]), dtype=np.float32)
    ratios = [time_ratio(fp32, [int8], x, threads=THREADS)[0] for _ in range(ROUNDS)]
    return {
        "sha256": candidates[0].details["sha256"],
        "chosen": next(line for line in lines if line.endswith("is taken")),
        "psnr_y_fp32": round(quality[0], 4),
        "psnr_y": round(quality[1], 4),
        "size": list(INT8[name]),
        "machine": machine_now(),
        "time_ratio": {
            "median": round(float(np.median(ratios)), 4),
            "min": round(min(ratios), 4),
            "max": round(max(ratios), 4),
        },
        "bytes": path.stat().st_size,
    }


def measure_bf16(name: str, data: Path) -> dict[str, Any]:
    """Compare quality in bf16 with that in fp32, both in the native engine.

    All layers that can are made in bf16, whether this CPU gains by it or not, in each way that it
    has; empty for a model that the engine does not run.
    """
    scale = next(m.scale for m in zoo.models() if m.name == name)
    exact = _ext.algorithms("fp32")
    ways = [way for way in _ext.algorithms("bf16") if way not in exact]
    if not (_ext.has_bf16() and _is_native(name)):
        return {}
    with ExitStack() as stack:
        candidates = [
            Candidate(
                name=way,
                restore=stack.enter_context(_opened(name, algorithms)),
                scale=scale,
            )
            for way, algorithms in [
                ("fp32", exact),
                *((way, [way, "direct", "tail"]) for way in ways),
            ]
        ]
        psnr_y = {
            label: {
                candidate.name: round(figure, 4)
                for candidate, figure in zip(
                    candidates, _quality(candidates, case, data), strict=True
                )
            }
            for label, case in CASES[name].items()
            if label in ("Set5", "Set14")
        }
    return {"sha256": next(m.sha256 for m in zoo.models() if m.name == name), "psnr_y": psnr_y}


def _is_native(name: str) -> bool:
    with load(name, device="cpu") as restorer:
        return "native engine" in restorer.description


def _opened(name: str, algorithms: list[str]) -> Restorer:
    """Return a model in the native engine, of these algorithms alone."""
    network = functools.partial(_ext.Network, algorithms=algorithms)
    with patch.object(_ext, "Network", network):
        return load(name, device="cpu", backend="native", precision="bf16", threads=THREADS)


def _quality(candidates: Sequence[Candidate], case: Case, data: Path) -> list[float]:
    """Return the PSNR on luma of each, in dB."""
    scale = candidates[0].scale
    evaluation = Evaluation(
        scale=scale, degradation=case.degrade, candidates=[*candidates], ocr=None
    )
    steps, metrics = read_steps(case.degrade, scale), picture_metrics(scale)
    files = find_files(data / case.folder)
    for file, outcome in evaluate(files, evaluation.candidates, steps, metrics, reader=None):
        if isinstance(outcome, Exception):
            raise SystemExit(f"{file}: {outcome}")
        evaluation.pictures.append(outcome[0])
    return [float(evaluation.totals(each.name)["psnr_y"]) for each in candidates]


def show(fp16: dict[str, Any], bf16: dict[str, Any], int8: dict[str, Any]) -> None:
    """Print the figures."""
    table = Table(
        "model",
        "fp16, dB",
        "in ORT, dB",
        "export, s",
        "bf16, dB lost",
        "int8, dB lost",
        "times as fast",
    )
    for name, figures in fp16.items():
        cells = [f"{figures[key]:.1f}" for key in ("simulated", "onnxruntime", "export_s")]
        cases = bf16[name]["psnr_y"].values() if name in bf16 else []
        losses = [max(found.values()) - min(found.values()) for found in cases]
        cells.append(f"{max(losses):.4f}" if losses else "")
        if name in int8:
            found = int8[name]
            cells.append(f"{found['psnr_y_fp32'] - found['psnr_y']:.3f}")
            cells.append(f"{1 / found['time_ratio']['median']:.2f}")
        table.add_row(name, *cells)
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
