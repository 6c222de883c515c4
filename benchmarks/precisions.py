"""What fp16, bf16 and int8 cost the shipped models, what int8 gains, how long an export takes."""

from __future__ import annotations

import functools
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import onnx
from harness import manifest_of, options, write
from models import CASES, Case, run_case
from numpy.typing import NDArray
from PIL import Image
from tables import results

from restore_rt import Restorer, _ext, load
from restore_rt.bench.machine import describe_machine
from restore_rt.export import export_onnx
from restore_rt.export.conversion import convert, open_session, run
from restore_rt.export.cost import psnr, time_ratio
from restore_rt.export.half import simulate
from restore_rt.export.sources import load_source
from restore_rt.model import registry
from restore_rt.training.colour import luma
from restore_rt.training.data.pictures import find_pictures, read_rgb
from restore_rt.training.evaluation import Candidate, open_models
from restore_rt.training.metrics.fidelity import picture_metrics

# Calibration and search use pictures of the training; the figures are of other pictures.
CALIBRATION, PICTURES = "train/photo_cid22", "test/sr/Set14"
PRECISIONS = ("fp16", "bf16", "int8")
INT8 = {"video-x2": (360, 640), "photo-x2": (256, 256)}
THREADS, ROUNDS = 2, 5
WHAT = (
    f"fp16: PSNR in dB against fp32 on the pictures of {PICTURES}, reduced by the model's scale, "
    "clamped to 0 and 1, worst picture: with every weight and value rounded and sums in fp32 "
    "(simulated), and as ONNX Runtime computes it on the CPU; kept: nodes in fp32; export_s: an "
    "fp32 file with all checks, one run. bf16: psnr_y as `restore-rt eval` measures it, by the "
    "algorithm of all layers in the native backend that it can make. int8: psnr_y likewise; "
    "time_ratio: time of int8 over fp32 in ONNX Runtime, in turn in one process, the fastest of "
    f"nine runs each, in {ROUNDS} rounds"
)

Record = dict[str, Any]


def main() -> None:
    """Measure and write ``precisions.json``; models that are not asked for stay as they were."""
    shipped = {manifest.name: manifest for manifest in registry.models()}
    parser = options(__doc__, data="test/sr/Set5")
    parser.add_argument("models", nargs="*", metavar="MODEL", help="default: all that are shipped")
    parser.add_argument("--only", nargs="*", choices=PRECISIONS, default=PRECISIONS)
    chosen = parser.parse_args()
    measures = {"fp16": measure_fp16, "bf16": measure_bf16, "int8": measure_int8}
    record: Record = {}
    for precision in PRECISIONS:
        # Figures of a model that has changed since are left out.
        found = {
            name: figures
            for name, figures in results("precisions")[precision].items()
            if name in shipped and figures["sha256"] == shipped[name].sha256
        }
        for name in chosen.models or shipped:
            if precision in chosen.only:
                with tempfile.TemporaryDirectory() as folder:
                    made = measures[precision](name, chosen.data, Path(folder))
                if made:
                    found[name] = {"sha256": shipped[name].sha256, **made}
                    print(f"{precision} {name}: {made}", flush=True)
        record[precision] = found
    write("precisions", {"what": WHAT, **record}, alone=True)


def measure_fp16(name: str, data: Path, folder: Path) -> Record:
    """Export a model in fp32 and in fp16, and compare the two on pictures."""
    lines: list[str] = []
    files = {precision: folder / f"{precision}.onnx" for precision in ("fp32", "fp16")}
    begin, images = time.perf_counter(), data / CALIBRATION
    export_onnx(name, files["fp32"], images=images, say=lambda line: None)
    seconds = time.perf_counter() - begin
    export_onnx(name, files["fp16"], precision="fp16", images=images, say=lines.append)
    (told,) = (line.split(": ", 1)[1] for line in lines if line.startswith("kept in fp32"))
    keep = [] if told == "nothing" else told.split(", ")
    source, multiple = load_source(name), manifest_of(name).multiple
    conversion = convert(source.network, source.channels, multiple=multiple)
    sessions = {precision: open_session(onnx.load(path)) for precision, path in files.items()}
    simulated, actual = [], []
    for x in inputs(data, source.scale, source.colour, multiple):
        expected = run(sessions["fp32"], x)
        simulated.append(psnr(simulate(conversion, keep, x), expected))
        actual.append(psnr(run(sessions["fp16"], x), expected))
    return {
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


def measure_int8(name: str, data: Path, folder: Path) -> Record:
    """Export a model in int8, and compare quality and time with fp32."""
    if name not in INT8:
        return {}
    lines: list[str] = []
    path = folder / f"{name}-int8.onnx"
    export_onnx(name, path, precision="int8", images=data / CALIBRATION, say=lines.append)
    with open_models([name, str(path)], threads=THREADS) as candidates:
        quality = psnr_y(candidates, CASES["Set14"], data)
    fp32, int8 = onnx.load(registry.path_of(name)), onnx.load(path)
    shape = (1, manifest_of(name).channels, *INT8[name])
    x = np.random.default_rng(0).random(shape, dtype=np.float32)
    ratios = [time_ratio(fp32, [int8], x, threads=THREADS)[0] for _ in range(ROUNDS)]
    spread = {"median": float(np.median(ratios)), "min": min(ratios), "max": max(ratios)}
    return {
        "chosen": next(line for line in lines if line.endswith("is taken")),
        "psnr_y_fp32": quality[0],
        "psnr_y": quality[1],
        "size": list(INT8[name]),
        "machine": describe_machine(),
        "time_ratio": {key: round(value, 4) for key, value in spread.items()},
        "bytes": path.stat().st_size,
    }


def measure_bf16(name: str, data: Path, folder: Path) -> Record:
    """Compare quality in bf16 with that in fp32, both in the native backend.

    Every layer that can be is made in bf16, whether this CPU gains by it or not, by each algorithm
    in turn. Empty for a model that the native backend does not run.
    """
    with load(name, device="cpu") as restorer:
        if restorer.backend != "native" or not _ext.has_bf16():
            return {}
        scale = restorer.scale
    exact = _ext.algorithms("fp32")
    ways = {way: [way, "direct", "tail"] for way in _ext.algorithms("bf16") if way not in exact}
    found = {}
    with ExitStack() as stack:
        candidates = [
            Candidate(name=way, restore=stack.enter_context(_opened(name, names)), scale=scale)
            for way, names in {"fp32": exact, **ways}.items()
        ]
        for label in ("Set5", "Set14"):
            figures = psnr_y(candidates, CASES[label], data)
            found[label] = {each.name: f for each, f in zip(candidates, figures, strict=True)}
    return {"psnr_y": found}


def _opened(name: str, algorithms: list[str]) -> Restorer:
    """Return a model in the native backend, with these algorithms alone."""
    network = functools.partial(_ext.Network, algorithms=algorithms)
    with patch.object(_ext, "Network", network):
        return load(name, device="cpu", backend="native", precision="bf16", threads=THREADS)


def psnr_y(candidates: list[Candidate], case: Case, data: Path) -> list[float]:
    """Return the PSNR on luma of each, in dB."""
    metrics = picture_metrics(candidates[0].scale)
    evaluation = run_case(case, candidates, data, {"psnr_y": metrics["psnr_y"]})
    return [round(float(evaluation.totals(each.name)["psnr_y"]), 4) for each in candidates]


if __name__ == "__main__":
    main()
