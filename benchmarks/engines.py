"""One network in many engines: video-x2, 8-bit luma to 8-bit luma, in one process, in turn.

Each result is verified against ONNX Runtime's of the same file before anything is timed. Allowed
differences, of 255: 1 in fp32; 20 in bf16 against fp32; in int8 1 where an engine rounds its sums
as ONNX Runtime does, else 20. An engine that is missing or cannot run the model is listed with the
reason. All engines have the same number of threads.

``--masked`` measures the native backend, ONNX Runtime and OpenVINO as on a CPU with AVX2 and
nothing wider: a library makes CPUID fault and answers in its place, which needs Linux on an Intel
CPU.
"""

from __future__ import annotations

import ctypes
import dataclasses
import functools
import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import figures
import harness
import numpy as np
import onnx
from harness import Step, Unavailable, need
from numpy.typing import NDArray
from other_weights import Network, open_ncnn

import restore_rt
from restore_rt import _ext
from restore_rt.bench.subject import picture
from restore_rt.model import registry
from restore_rt.model.manifest import weights_sha256, write_manifest
from restore_rt.native.network import open_native
from restore_rt.tiled.sizes import TileSizes

MODEL, SCALE, TILE = "video-x2", 2, 256
WHAT = f"{MODEL}, 8-bit luma in and out, one frame at a time"
SIZES = ((360, 640), (720, 1280))
PRECISIONS = ("fp32", "bf16", "int8")
MOST_OFF = {"fp32": 1, "bf16": 20, "int8": 20}
# These round their sums in int8 as ONNX Runtime does.
EXACT = ("native", "onnxruntime")
MASKED = ("native", "onnxruntime", "openvino")
# In the environment: the library that masks CPUID.
MASK = "RESTORE_RT_MASK"

U8 = NDArray[np.uint8]
Record = dict[str, Any]
Key = tuple[str, str]


@dataclass(frozen=True)
class Case:
    """A frame of luma, the files that restore it, and ONNX Runtime's results by precision."""

    fp32: onnx.ModelProto
    int8: onnx.ModelProto
    frame: U8
    expected: Mapping[str, U8]
    threads: int

    def model(self, precision: str) -> onnx.ModelProto:
        """Return the file for a precision."""
        return self.int8 if precision == "int8" else self.fp32

    def new_out(self) -> U8:
        """Return an array for the result."""
        return np.zeros([SCALE * side for side in self.frame.shape], np.uint8)


class Running(NamedTuple):
    """A step that restores the frame, and the array with its result."""

    step: Step
    out: U8


def main() -> None:
    """Measure and write the part ``engines`` or, with ``--masked``, ``avx2``."""
    parser = harness.options(__doc__, runs=9, threads=(1, 2))
    parser.add_argument(
        "--engines", nargs="+", choices=OPENERS, default=list(OPENERS), metavar="ENGINE"
    )
    parser.add_argument("--masked", action="store_true", help="as on a CPU with AVX2 alone")
    chosen = parser.parse_args()
    if chosen.masked and MASK not in os.environ:
        run_under_mask()
        return
    asked = asked_under_mask() if chosen.masked else {}
    found = measure(chosen.runs, chosen.threads, MASKED if chosen.masked else chosen.engines)
    allowed = {**MOST_OFF, **{f"{engine} int8": 1 for engine in EXACT}}
    what = {"what": WHAT, "model": harness.model_entry(MODEL), "most_off_allowed": allowed}
    part, block = ("avx2", "masked") if chosen.masked else ("engines", "engines")
    figures.show(block, harness.write(part, {**what, **asked, **found}))


def measure(runs: int, threads: Sequence[int], names: Sequence[str]) -> Record:
    """Return the times of all engines, for each size and number of threads."""
    cases, absent = [], dict[Key, str]()
    for height, width in SIZES:
        for count in threads:
            case = make_case(height, width, count)
            running, missing = open_all(case, names)
            absent |= missing
            off = verify(case, running)
            steps = {" ".join(key): one.step for key, one in running.items()}
            seconds = harness.interleaved(steps, runs, threads=count)
            engines = [
                {
                    "engine": name,
                    "precision": kind,
                    "milliseconds": harness.milliseconds(seconds[f"{name} {kind}"]),
                    "most_off": off[name, kind],
                }
                for name, kind in running
            ]
            cases.append({"size": f"{width}x{height}", "threads": count, "engines": engines})
    reasons = [
        {"engine": name, "precision": kind, "reason": why} for (name, kind), why in absent.items()
    ]
    return {"cases": cases, "absent": reasons}


def make_case(height: int, width: int, threads: int) -> Case:
    """Return a frame, the models, and ONNX Runtime's results."""
    fp32, frame = onnx.load(registry.path_of(MODEL)), picture(height, width)
    case = Case(fp32, quantised(fp32, frame), frame, {}, threads)
    made = {}
    for kind in ("fp32", "int8"):
        one = open_session(dataclasses.replace(case, threads=1), kind)
        one.step()
        made[kind] = one.out
    return dataclasses.replace(case, expected={**made, "bf16": made["fp32"]})


def quantised(model: onnx.ModelProto, frame: U8) -> onnx.ModelProto:
    """Return a model in int8; its speed does not depend on the pictures that gave the ranges."""
    from restore_rt.export.quantization import to_int8

    layers = [node.name for node in model.graph.node if node.op_type == "Conv"]
    made = to_int8(
        model, layers, [frame[None, None, :256, :256].astype(np.float32) / np.float32(255)]
    )
    manifest = dataclasses.replace(harness.manifest_of(MODEL), precision="int8")
    write_manifest(made, dataclasses.replace(manifest, sha256=weights_sha256(made)))
    return made


def open_all(case: Case, names: Sequence[str]) -> tuple[dict[Key, Running], dict[Key, str]]:
    """Return what runs, by engine and precision, and the reasons for what does not."""
    running, absent = {}, {}
    for kind in PRECISIONS:
        for name in names:
            try:
                running[name, kind] = OPENERS[name](case, kind)
            except Unavailable as reason:
                absent[name, kind] = str(reason)
    return running, absent


def most_off(engine: str, precision: str) -> int:
    """Return by how many of 255 a result may differ."""
    exact = precision == "int8" and engine.partition(",")[0] in EXACT
    return 1 if exact else MOST_OFF[precision]


def verify(case: Case, running: Mapping[Key, Running]) -> dict[Key, int]:
    """Return the largest difference of each result; end the benchmark if one is too large."""
    found = {}
    for (name, kind), one in running.items():
        one.step()
        expected, allowed = case.expected[kind], most_off(name, kind)
        found[name, kind] = int(harness.check(f"{name} in {kind}", one.out, expected, allowed))
    return found


def open_ours(case: Case, precision: str) -> Running:
    """Open the native backend."""
    if precision == "bf16" and not _ext.has_bf16():
        raise Unavailable("this CPU has no AVX512_BF16")
    kept: Any = "bf16" if precision == "bf16" else "fp32"
    network, out = open_native(case.model(precision), precision=kept), case.new_out()
    if network.precision != precision:
        raise Unavailable(f"it chooses {network.precision} here, where {precision} is no faster")
    return Running(lambda: network.run_into(out, case.frame, threads=case.threads), out)


def _for_onnxruntime(case: Case, precision: str) -> onnx.ModelProto:
    if precision == "bf16":
        raise Unavailable("its CPU provider has no convolution in bf16")
    return case.model(precision)


def open_product(case: Case, precision: str, *, tile: int = 0) -> Running:
    """Open ONNX Runtime as restore_rt has it, in tiles or with the frame as one tile."""
    need("onnxruntime", "onnxruntime")
    size: Any = tile or case.frame.shape
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        onnx.save(_for_onnxruntime(case, precision), path)
        given: Any = {"device": "cpu", "backend": "onnxruntime", "threads": case.threads}
        restorer = restore_rt.load(path, tile=size, **given)
    out = case.new_out()
    return Running(lambda: restorer(case.frame, out=out), out)


def open_session(case: Case, precision: str) -> Running:
    """Open ONNX Runtime with its own defaults, among them threads that spin."""
    onnxruntime = need("onnxruntime", "onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = case.threads
    model = _for_onnxruntime(case, precision).SerializeToString()
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return _in_tiles(case, lambda x: session.run(None, {name: x})[0])


def _in_tiles(case: Case, network: Network, tile: int = 0) -> Running:
    """Run a network in tiles, or with the frame as one tile; restore_rt's kernels do the rest."""
    size: Any = tile or case.frame.shape
    sizes = TileSizes.of(harness.manifest_of(MODEL), tile=size, overlap=None, feather=None, batch=1)
    height, width = case.frame.shape
    grid, out = sizes.grid(height, width, SCALE), case.new_out()
    given = np.empty((grid.count, 1, *grid.tile), np.float32)
    made = np.empty((grid.count, 1, *(SCALE * side for side in grid.tile)), np.float32)

    def step() -> None:
        _ext.split_into(given, case.frame[..., None], grid, threads=case.threads)
        for at in range(grid.count):
            made[at] = network(given[at : at + 1])[0]
        _ext.merge_into(out[..., None], made, grid, threads=case.threads)

    return Running(step, out)


def open_openvino(case: Case, precision: str) -> Running:
    """Open OpenVINO; it takes and gives bytes in its own graph."""
    openvino: Any = need("openvino", "openvino")
    from openvino import opset13
    from openvino.preprocess import PrePostProcessor

    core, frame = openvino.Core(), case.frame
    able = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    if precision == "bf16" and "BF16" not in able:
        raise Unavailable(f"on this CPU it has {', '.join(able)}")
    network = core.read_model(io.BytesIO(case.model(precision).SerializeToString()))
    network.reshape([1, 1, *frame.shape])
    around = PrePostProcessor(network)
    around.input().tensor().set_element_type(openvino.Type.u8)
    around.input().preprocess().convert_element_type(openvino.Type.f32).scale(255.0)
    network = around.build()
    made = network.outputs[0].get_node().input_value(0)
    whole = opset13.round(opset13.multiply(made, np.float32(255)), "half_to_even")
    as_bytes = opset13.convert(opset13.clamp(whole, 0.0, 255.0), "u8")
    network = openvino.Model([as_bytes.output(0)], network.get_parameters(), MODEL)
    settings = {
        "INFERENCE_NUM_THREADS": case.threads,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
    }
    request = core.compile_model(network, "CPU", settings).create_infer_request()
    given, out = frame[None, None], case.new_out()[None, None]
    tensors = [openvino.Tensor(array, shared_memory=True) for array in (given, out)]
    request.set_input_tensor(tensors[0])
    request.set_output_tensor(tensors[1])
    # The request keeps neither the tensors nor their memory, and so the step does.
    return Running(lambda: (request.infer(), given, tensors), out[0, 0])


@functools.cache
def _converted(model: bytes) -> tuple[Path, tempfile.TemporaryDirectory[str]]:
    """Convert an ONNX model for ncnn; return the .param file, with .bin beside, and its folder."""
    pnnx, kept = need("pnnx", "pnnx"), tempfile.TemporaryDirectory()
    folder = Path(kept.name)
    (folder / "model.onnx").write_bytes(model)
    # The size is for its estimates: the layers take any. Weights stay fp32.
    command = [pnnx.EXEC_PATH, "model.onnx", "inputshape=[1,1,64,64]", "fp16=0"]
    finished = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    made = folder / "model.ncnn.param"
    if finished.returncode or not made.exists():
        raise Unavailable(f"pnnx failed: {finished.stderr.strip()[-200:]}")
    return made, kept


def open_in_ncnn(case: Case, precision: str, *, tile: int = 0) -> Running:
    """Open ncnn, with the model as pnnx converts it."""
    if precision == "int8":
        raise Unavailable("it takes no QDQ file; its int8 is quantised by a table of its own")
    need("ncnn", "ncnn")
    param, _ = _converted(case.fp32.SerializeToString())
    network = open_ncnn(param, case.threads, bf16=precision == "bf16")
    return _in_tiles(case, network, tile)


def open_torch(case: Case, precision: str, *, compiled: bool = False) -> Running:
    """Open the network in PyTorch, eager or compiled, with weights in the layout that is fastest.

    The compiled network includes the conversions from and to bytes, and has constant weights.
    """
    torch = need("torch", "torch")
    if precision == "int8":
        raise Unavailable("it takes no QDQ file; its int8 is quantised by a flow of its own")
    from restore_rt.export.sources import load_source

    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    last = torch.channels_last
    network: Any = load_source(MODEL).network
    network = network.to(dtype=kind, memory_format=last)
    out = case.new_out()
    given, taken = torch.from_numpy(case.frame), torch.from_numpy(out)

    class OfBytes(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, frame: Any) -> Any:
            x = frame[None, None].float().div(255).to(kind).contiguous(memory_format=last)
            return self.network(x)[0, 0].float().mul(255).clamp(0, 255).round().byte()

    whole: Any = OfBytes().eval()

    def step() -> None:
        # The number of threads is the process's.
        torch.set_num_threads(case.threads)
        with torch.inference_mode():
            taken.copy_(whole(given))

    if compiled:
        from torch._inductor import config

        # Code that was compiled for another size would make the next code compile for any size.
        torch._dynamo.reset()
        # The generated code contains the number of threads, and the cache does not ask for it.
        config.cpp.threads, config.freezing = case.threads, True
        whole = torch.compile(whole)
        try:
            step()
        # Without a C++ compiler, or where the compiler does not know the CPU.
        except Exception as error:
            raise Unavailable(f"it does not compile here: {str(error)[:200]}") from error
    return Running(step, out)


def open_opencv(case: Case, precision: str) -> Running:
    """Open OpenCV's dnn, which reads ONNX of one size."""
    cv2 = need("cv2", "opencv-python-headless")
    if precision == "bf16":
        raise Unavailable("its CPU target has no bf16")
    cv2.setNumThreads(case.threads)
    out, model = case.new_out(), onnx.ModelProto()
    model.CopyFrom(case.model(precision))
    for value, shape in (
        (model.graph.input[0], case.frame.shape),
        (model.graph.output[0], out.shape),
    ):
        for dimension, size in zip(value.type.tensor_type.shape.dim, (1, 1, *shape), strict=True):
            dimension.dim_value = size
    try:
        network = cv2.dnn.readNetFromONNX(np.frombuffer(model.SerializeToString(), np.uint8))
    except cv2.error as error:
        raise Unavailable(f"it does not read the file: {str(error)[:200]}") from error

    def step() -> None:
        network.setInput(cv2.dnn.blobFromImage(case.frame, 1 / 255))
        cv2.multiply(network.forward()[0, 0], 255.0, out, 1.0, cv2.CV_8U)

    return Running(step, out)


OPENERS: dict[str, Callable[[Case, str], Running]] = {
    "native": open_ours,
    "onnxruntime": open_product,
    f"onnxruntime, tiles of {TILE}": functools.partial(open_product, tile=TILE),
    "onnxruntime, plain session": open_session,
    "openvino": open_openvino,
    "ncnn": open_in_ncnn,
    f"ncnn, tiles of {TILE}": functools.partial(open_in_ncnn, tile=TILE),
    "torch": open_torch,
    "torch.compile": functools.partial(open_torch, compiled=True),
    "opencv dnn": open_opencv,
}


def run_under_mask() -> None:
    """Run this program again with CPUID masked, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        mask = Path(folder) / "mask_cpuid.so"
        source = harness.ROOT / "tests" / "isa" / "mask_cpuid.c"
        flags = ["-O2", "-shared", "-fPIC", str(source), "-o", str(mask)]
        subprocess.run([os.environ.get("CC", "cc"), *flags], check=True)
        masked = {**os.environ, "LD_PRELOAD": str(mask), MASK: str(mask)}
        tried = subprocess.run([sys.executable, "-c", ""], env=masked)
        if tried.returncode:
            raise SystemExit(f"CPUID cannot be masked here (status {tried.returncode}): no figures")
        subprocess.run([sys.executable, *sys.argv], env=masked, check=True)


def asked_under_mask() -> Record:
    """Return how often ONNX Runtime asked the masked CPU; end the benchmark if the mask fails."""
    mask = ctypes.CDLL(os.environ[MASK])
    with ThreadPoolExecutor(1) as pool:
        seen = [mask.rrt_sees_avx512(), pool.submit(mask.rrt_sees_avx512).result()]
    if any(seen) or _ext.isa() != "avx2":
        raise SystemExit(f"the mask does not hold: AVX-512 seen {seen}, kernels of {_ext.isa()}")
    before = mask.rrt_masked_answers()
    restore_rt.load(MODEL, backend="onnxruntime")
    answers: int = mask.rrt_masked_answers() - before
    if answers == 0:
        raise SystemExit("ONNX Runtime did not ask the CPU for what the mask hides")
    return {"isa": _ext.isa(), "answers_to_onnxruntime": answers}


if __name__ == "__main__":
    main()
