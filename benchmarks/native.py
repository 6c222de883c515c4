"""The native engine beside ONNX Runtime and OpenVINO: video-x2, 8-bit luma to 8-bit luma.

Everything runs in one process, in turn and each from rest, after the outputs were verified. ONNX
Runtime runs as the product has it, with split and merge; OpenVINO, where it is installed, takes and
gives bytes in its own graph. In int8 all engines run one file, that the export stage's code
quantises here by the picture itself: speed does not depend on what it learns the ranges from.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib.util
import io
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from results_file import describe_model, milliseconds, write
from rich.console import Console
from rich.table import Table
from turns import Step, interleaved_at_rest

import restore_rt
from restore_rt import _ext
from restore_rt.model import registry as zoo
from restore_rt.model.manifest import read_manifest, weights_sha256, write_manifest
from restore_rt.native.network import open_native

MODEL = "video-x2"
SCALE = 2
WHAT = f"{MODEL}, 8-bit luma in and out, one frame at a time"
SIZES = ((360, 640), (720, 1280))
# Steps of 8 bits that a precision may be off by.
MOST_OFF = {"fp32": 1, "bf16": 20, "int8": 1, "openvino int8": 20}


def main() -> None:
    """Measure, print a table, write ``native.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=25)
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    options = parser.parse_args()
    cases = measure(options.runs, options.threads)
    found = {"what": WHAT, "model": describe_model(MODEL), "cases": cases}
    print(f"written: {write('native', found)}")


def measure(runs: int, threads: Sequence[int]) -> list[dict[str, Any]]:
    """Time all engines, for each size and number of threads; print what was found."""
    cases = []
    for height, width in SIZES:
        for count in threads:
            timings = interleaved_at_rest(_steps(height, width, count), runs, threads=count)
            figures = {name: milliseconds(values) for name, values in timings.items()}
            cases.append(
                {
                    "size": f"{width}x{height}",
                    "threads": count,
                    "milliseconds": figures,
                    "times_as_fast": _ratios(figures),
                }
            )
            _print(cases[-1])
    return cases


def _steps(height: int, width: int, threads: int) -> dict[str, Step]:
    """Return what is compared, each verified against ONNX Runtime."""
    model = onnx.load(zoo.path_of(MODEL))
    frame = picture(height, width)
    restorer = restore_rt.load(MODEL, backend="onnxruntime", threads=threads)
    scale = restorer.scale
    expected = np.empty((scale * height, scale * width), np.uint8)
    steps: dict[str, Step] = {"onnxruntime": lambda: restorer(frame, out=expected)}
    steps["onnxruntime"]()
    for precision in ("fp32", "bf16"):
        if precision == "bf16" and not _ext.has_bf16():
            continue
        what: tuple[Any, ...] = (model, precision, frame, expected, threads)
        # Where bf16 is no faster, the planner stays with fp32.
        if open_native(model, precision=precision).precision == precision:
            steps[f"native {precision}"] = _native(*what)
        if importlib.util.find_spec("openvino") is not None:
            steps[f"openvino {precision}"] = openvino_step(*what)
    # Without VNNI the sums of ONNX Runtime saturate: there is nothing to verify against.
    if "direct_vnni" in _ext.algorithms("int8"):
        steps |= _int8_steps(quantised(model, frame), frame, expected.shape, threads)
    return steps


def quantised(model: onnx.ModelProto, frame: NDArray[np.uint8]) -> onnx.ModelProto:
    """Return a model in int8, with the manifest that says how far its network looks."""
    # This imports ONNX Runtime, which avx2.py must see asking the CPU.
    from restore_rt.export.quantization import to_int8

    layers = [node.name for node in model.graph.node if node.op_type == "Conv"]
    part = frame[np.newaxis, np.newaxis, :256, :256].astype(np.float32) / np.float32(255)
    made, manifest = to_int8(model, layers, [part]), read_manifest(model)
    assert manifest is not None
    sha256 = weights_sha256(made)
    write_manifest(made, dataclasses.replace(manifest, precision="int8", sha256=sha256))
    return made


def _int8_steps(
    model: onnx.ModelProto, frame: NDArray[np.uint8], shape: tuple[int, ...], threads: int
) -> dict[str, Step]:
    """Return what runs an int8 model, each verified against ONNX Runtime."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "int8.onnx"
        onnx.save(model, path)
        restorer = restore_rt.load(path, backend="onnxruntime", threads=threads)
    expected = np.empty(shape, np.uint8)
    steps: dict[str, Step] = {"onnxruntime int8": lambda: restorer(frame, out=expected)}
    steps["onnxruntime int8"]()
    steps["native int8"] = _native(model, "int8", frame, expected, threads)
    if importlib.util.find_spec("openvino") is not None:
        steps["openvino int8"] = openvino_step(model, "int8", frame, expected, threads)
    return steps


def picture(height: int, width: int) -> NDArray[np.uint8]:
    """Return a picture with edges, slopes and grain."""
    y, x = np.mgrid[0:height, 0:width]
    waves = np.sin(x / 7) * np.cos(y / 11) + ((x // 16 + y // 16) % 2)
    grain = np.random.default_rng(0).normal(0, 3, (height, width))
    picture: NDArray[np.uint8] = np.clip(110 + 55 * waves + grain, 0, 255).astype(np.uint8)
    return picture


def _native(
    model: onnx.ModelProto,
    precision: Any,
    frame: NDArray[np.uint8],
    expected: NDArray[np.uint8],
    threads: int,
) -> Step:
    # What a file has in int8 runs so in any precision.
    network = open_native(model, precision="fp32" if precision == "int8" else precision)
    out = np.empty_like(expected)

    def step() -> None:
        network.run_into(out, frame, threads=threads)

    step()
    _verify(f"native {precision}", out, expected, precision)
    return step


def openvino_step(
    model: onnx.ModelProto,
    precision: str,
    frame: NDArray[np.uint8],
    expected: NDArray[np.uint8],
    threads: int,
) -> Step:
    """Return what runs a model in OpenVINO; its result is the last of what a run returns."""
    import openvino
    from openvino import opset13
    from openvino.preprocess import PrePostProcessor

    core = openvino.Core()
    network = core.read_model(io.BytesIO(model.SerializeToString()))
    network.reshape([1, 1, *frame.shape])
    around = PrePostProcessor(network)
    around.input().tensor().set_element_type(openvino.Type.u8)
    around.input().preprocess().convert_element_type(openvino.Type.f32).scale(255.0)
    network = around.build()
    made = network.outputs[0].get_node().input_value(0)
    whole = opset13.round(opset13.multiply(made, np.float32(255)), "half_to_even")
    bytes_out = opset13.convert(opset13.clamp(whole, 0.0, 255.0), "u8")
    network = openvino.Model([bytes_out.output(0)], network.get_parameters(), MODEL)
    compiled = core.compile_model(
        network,
        "CPU",
        {
            "INFERENCE_NUM_THREADS": threads,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": {"bf16": "bf16"}.get(precision, "f32"),
        },
    )
    request = compiled.create_infer_request()
    picture, out = frame[np.newaxis, np.newaxis], np.empty((1, 1, *expected.shape), np.uint8)
    given = openvino.Tensor(picture, shared_memory=True)
    taken = openvino.Tensor(out, shared_memory=True)
    request.set_input_tensor(given)
    request.set_output_tensor(taken)

    def step() -> object:
        # The request keeps neither the tensors nor their memory.
        return request.infer(), picture, given, taken

    step()
    name = f"openvino {precision}"
    _verify(name, out[0, 0], expected, name if name in MOST_OFF else precision)
    return step


def _verify(name: str, out: NDArray[np.uint8], expected: NDArray[np.uint8], precision: str) -> None:
    off = np.abs(out.astype(int) - expected).max()
    if off > MOST_OFF[precision]:
        raise SystemExit(f"{name} is off by {off} of 255; allowed are {MOST_OFF[precision]}")


def _ratios(figures: dict[str, dict[str, float]]) -> dict[str, float]:
    """How many times as fast as each other engine the native one is, by medians."""
    found = {}
    for precision in ("fp32", "bf16", "int8"):
        ours = figures.get(f"native {precision}")
        for other in ("onnxruntime", f"onnxruntime {precision}", f"openvino {precision}"):
            if ours is not None and other in figures:
                ratio = figures[other]["median"] / ours["median"]
                found[f"native {precision} to {other}"] = round(ratio, 2)
    return found


def _print(case: dict[str, Any]) -> None:
    title = f"{case['size']}, {case['threads']} threads"
    table = Table("engine", "median ms", "p10", "p90", title=title)
    for name, figures in case["milliseconds"].items():
        table.add_row(name, *(f"{figures[key]:.2f}" for key in ("median", "p10", "p90")))
    Console().print(table)
    for name, ratio in case["times_as_fast"].items():
        print(f"{name}: {ratio}")


if __name__ == "__main__":
    main()
