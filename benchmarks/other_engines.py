"""What runs video-x2 on the CPU: this package's engine and others, each from bytes to bytes.

An engine's opener gives a `Running`, or raises `Unavailable` with the reason. Engines that can make
floats of bytes and bytes of floats themselves do; for the others NumPy does, in place.
"""

from __future__ import annotations

import functools
import importlib
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import native
import numpy as np
import onnx
from numpy.typing import NDArray
from user_loops import Tiled, open_ncnn, open_onnxruntime

import restore_rt
from restore_rt import _ext
from restore_rt.model.manifest import read_manifest
from restore_rt.native.network import open_native

__all__ = ["ENGINES", "Case", "Running", "Unavailable", "pnnx_param"]

TILE = 256


class Unavailable(Exception):  # noqa: N818
    """An engine is missing, or cannot run the model so; the text says why."""


@dataclass(frozen=True)
class Case:
    """What is to be run.

    Attributes
    ----------
    fp32, int8
        The model, described by a manifest; int8 where something can verify it.
    frame
        Luma, (H, W).
    expected
        What ONNX Runtime makes of it, for each precision.
    threads
        For the engine.
    """

    fp32: onnx.ModelProto
    int8: onnx.ModelProto | None
    frame: NDArray[np.uint8]
    expected: Mapping[str, NDArray[np.uint8]]
    threads: int

    @property
    def halo(self) -> int:
        """Pixels that the model looks at around one."""
        manifest = read_manifest(self.fp32)
        assert manifest is not None
        return manifest.halo

    def model(self, precision: str) -> onnx.ModelProto:
        """Return the file for a precision."""
        if precision != "int8":
            return self.fp32
        if self.int8 is None:
            raise Unavailable("this CPU has no VNNI: ONNX Runtime's int8 saturates, none to verify")
        return self.int8

    def new_out(self) -> NDArray[np.uint8]:
        """Return an array for the result."""
        height, width = self.frame.shape
        return np.zeros((native.SCALE * height, native.SCALE * width), np.uint8)


@dataclass(frozen=True)
class Running:
    """What restores the frame, and where the result then is."""

    step: Callable[[], object]
    out: NDArray[np.uint8]


Opener = Callable[[Case, str], Running]


def need(module: str, package: str) -> Any:
    """Import a library, or say how to get it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise Unavailable(f"not installed: pip install {package}") from error


def open_ours(case: Case, precision: str) -> Running:
    """Open the native engine."""
    if precision == "bf16" and not _ext.has_bf16():
        raise Unavailable("this CPU has no AVX512_BF16")
    kept: Any = "bf16" if precision == "bf16" else "fp32"
    network, out = open_native(case.model(precision), precision=kept), case.new_out()
    if network.precision != precision:
        raise Unavailable(f"it picks {network.precision} here, where {precision} is no faster")
    return Running(lambda: network.run_into(out, case.frame, threads=case.threads), out)


def open_product(case: Case, precision: str, *, tile: int | tuple[int, int]) -> Running:
    """Open ONNX Runtime as this package has it: split, session, merge."""
    need("onnxruntime", "onnxruntime")
    if precision == "bf16":
        raise Unavailable("its CPU provider has no convolution in bf16")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        onnx.save(case.model(precision), path)
        restorer = restore_rt.load(
            path, device="cpu", backend="onnxruntime", threads=case.threads, tile=tile
        )
    out = case.new_out()
    return Running(lambda: restorer(case.frame, out=out), out)


def open_whole(case: Case, precision: str) -> Running:
    """Open ONNX Runtime as this package has it, the whole frame as one tile."""
    height, width = case.frame.shape
    return open_product(case, precision, tile=(height, width))


def open_tiles(case: Case, precision: str) -> Running:
    """Open ONNX Runtime as this package has it, in tiles."""
    return open_product(case, precision, tile=TILE)


def open_session(case: Case, precision: str) -> Running:
    """Open ONNX Runtime with its own defaults, among them threads that spin."""
    need("onnxruntime", "onnxruntime")
    if precision == "bf16":
        raise Unavailable("its CPU provider has no convolution in bf16")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        onnx.save(case.model(precision), path)
        tiled = Tiled(open_onnxruntime(path, case.threads), 0, 0)
    return _by_loop(case, tiled)


def _by_loop(case: Case, tiled: Tiled) -> Running:
    out = case.new_out()
    return Running(lambda: tiled.run_into(out[np.newaxis], case.frame[np.newaxis]), out)


def open_openvino(case: Case, precision: str) -> Running:
    """Open OpenVINO, which takes and gives bytes in its own graph."""
    openvino = need("openvino", "openvino")
    model = case.model(precision)
    if precision == "bf16":
        able = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        if "BF16" not in able:
            raise Unavailable(f"on this CPU it has {', '.join(able)}")
    expected = case.expected[precision]
    step: Any = native.openvino_step(model, precision, case.frame, expected, case.threads)
    *_, made = step()
    return Running(step, made.data[0, 0])


@functools.cache
def _converted(model: bytes) -> tuple[Path, tempfile.TemporaryDirectory[str]]:
    folder = tempfile.TemporaryDirectory()
    return pnnx_param(model, Path(folder.name)), folder


def pnnx_param(model: bytes, folder: Path) -> Path:
    """Convert an ONNX model for ncnn, into ``folder``; return the .param file, with .bin beside.

    Raises
    ------
    Unavailable
        pnnx is missing or fails.
    """
    pnnx = need("pnnx", "pnnx")
    path = folder / "model.onnx"
    path.write_bytes(model)
    # The size is for its estimates: the layers take any. Weights stay fp32.
    command = [pnnx.EXEC_PATH, path.name, "inputshape=[1,1,64,64]", "fp16=0"]
    finished = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    made = folder / "model.ncnn.param"
    if finished.returncode or not made.exists():
        raise Unavailable(f"pnnx failed: {finished.stderr.strip()[-200:]}")
    return made


def open_in_ncnn(case: Case, precision: str, *, tile: int = 0) -> Running:
    """Open ncnn, with the model as pnnx converts it."""
    need("ncnn", "ncnn")
    if precision == "int8":
        raise Unavailable("it takes no QDQ file; its int8 is quantised by a table of its own")
    param, _ = _converted(case.fp32.SerializeToString())
    network = open_ncnn(param, case.threads, bf16=precision == "bf16")
    return _by_loop(case, Tiled(network, tile, case.halo))


def open_torch(case: Case, precision: str, *, compiled: bool = False) -> Running:
    """Open PyTorch, eager or compiled."""
    need("torch", "torch")
    if precision == "int8":
        raise Unavailable("it takes no QDQ file; its int8 is quantised by a flow of its own")
    from torch_engine import torch_step

    out = case.new_out()
    step = torch_step(
        case.fp32, case.frame, out, precision=precision, threads=case.threads, compiled=compiled
    )
    if compiled:
        try:
            step()
        # Without a C++ compiler, or where it does not know the CPU.
        except Exception as error:
            reason = str(error).strip().splitlines() or [""]
            raise Unavailable(f"it does not compile: {reason[0][:200]}") from error
    return Running(step, out)


def open_opencv(case: Case, precision: str) -> Running:
    """Open OpenCV's dnn, which reads ONNX of one size."""
    cv2 = need("cv2", "opencv-python-headless")
    if precision == "bf16":
        raise Unavailable("its CPU target has no bf16")
    cv2.setNumThreads(case.threads)
    out = case.new_out()
    model = onnx.ModelProto()
    model.CopyFrom(case.model(precision))
    shapes = ((model.graph.input[0], case.frame.shape), (model.graph.output[0], out.shape))
    for value, shape in shapes:
        for dimension, size in zip(value.type.tensor_type.shape.dim, (1, 1, *shape), strict=True):
            dimension.dim_value = size
    try:
        content = np.frombuffer(model.SerializeToString(), np.uint8)
        network = cv2.dnn.readNetFromONNX(content)
    except cv2.error as error:
        raise Unavailable(f"it does not read the file: {str(error)[:200]}") from error

    def step() -> None:
        network.setInput(cv2.dnn.blobFromImage(case.frame, 1 / 255))
        cv2.multiply(network.forward()[0, 0], 255.0, out, 1.0, cv2.CV_8U)

    return Running(step, out)


ENGINES: dict[str, Opener] = {
    "native": open_ours,
    "onnxruntime": open_whole,
    f"onnxruntime, tiles of {TILE}": open_tiles,
    "onnxruntime, plain session": open_session,
    "openvino": open_openvino,
    "ncnn": open_in_ncnn,
    f"ncnn, tiles of {TILE}": functools.partial(open_in_ncnn, tile=TILE),
    "torch": open_torch,
    "torch.compile": functools.partial(open_torch, compiled=True),
    "opencv dnn": open_opencv,
}
