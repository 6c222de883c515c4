"""Networks of others (``other_weights.toml``), each opened as a function that enlarges a picture.

Whoever trained a network decided on its values and colours; each opener says which they are. A
network for luma gets luma of full range, and chroma from the code that a `Restorer` has for it.
"""

from __future__ import annotations

import importlib.metadata
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from harness import Unavailable, need
from numpy.typing import NDArray
from tables import toml

import restore_rt
from restore_rt.colour import add_luma_detail, luma_of, mean_grey
from restore_rt.errors import RestoreError

__all__ = ["OTHERS", "Floats", "Network", "Opened", "by_luma", "by_rgb", "open_ncnn", "open_other"]

OTHERS: dict[str, dict[str, Any]] = toml("other_weights")
U8 = NDArray[np.uint8]
Floats = NDArray[np.float32]
# Takes and gives (1, C, H, W).
Network = Callable[[Floats], Floats]
# Takes (H, W, 3) or grey (H, W), gives it enlarged.
Restore = Callable[[U8], U8]

# Luma of limited range, of 1.
_BLACK, _SPAN = np.float32(16 / 255), np.float32(219 / 255)


class Opened(NamedTuple):
    """A network that runs: ``colour`` is "rgb" or "luma", ``runs_in`` the library and its use."""

    restore: Restore
    scale: int
    colour: str
    runs_in: str


def open_other(name: str, folder: Path, threads: int) -> Opened:
    """Open a network by its name; raise `Unavailable` if it or a library is missing or fails."""
    given = dict(OTHERS[name])
    path, opener = folder / given.pop("file"), _OPENERS[given.pop("opener")]
    if not path.is_file():
        raise Unavailable("its file is missing")
    return opener(path, threads, **given)


def by_luma(network: Network, *, scale: int, threads: int) -> Restore:
    """Return a function that enlarges luma by a network, (1, 1, H, W) of 0 to 1, and chroma."""

    def enlarge(luma: Floats) -> Floats:
        made: Floats = network(np.ascontiguousarray(luma[None, None]))[0, 0]
        return made

    def restore(frame: U8) -> U8:
        if frame.ndim == 2:
            return _bytes(enlarge(frame.astype(np.float32) / np.float32(255)))
        made = enlarge((luma_of(frame) - _BLACK) / _SPAN)
        out = np.empty((scale * frame.shape[0], scale * frame.shape[1], 3), np.uint8)
        add_luma_detail(out, frame, made * _SPAN + _BLACK, scale=scale, threads=threads)
        return out

    return restore


def by_rgb(network: Network) -> Restore:
    """Return a function that enlarges a picture by a network of (1, 3, H, W) of 0 to 1."""

    def restore(frame: U8) -> U8:
        planes = np.ascontiguousarray(frame.transpose(2, 0, 1)[None], np.float32)
        made = _bytes(network(planes / np.float32(255))[0])
        return np.ascontiguousarray(made.transpose(1, 2, 0))

    return _grey_too(restore)


def _grey_too(restore: Restore) -> Restore:
    """Give grey pictures to a function of RGB with equal channels, as a `Restorer` does."""

    def restored(frame: U8) -> U8:
        if frame.ndim == 3:
            return restore(frame)
        grey: U8 = mean_grey(restore(np.repeat(frame[..., None], 3, axis=2)))
        return grey

    return restored


def _bytes(values: Floats) -> U8:
    made: U8 = np.clip(np.rint(values * np.float32(255)), 0, 255).astype(np.uint8)
    return made


def _tensorflow(path: Path, threads: int, *, scale: int) -> Opened:
    """Open a frozen graph of TensorFlow in OpenVINO: luma of full range, (1, H, W, 1)."""
    run, library = _openvino(path, threads)

    def network(x: Floats) -> Floats:
        made: Floats = run(x.reshape(1, *x.shape[2:], 1))
        return made

    return Opened(by_luma(network, scale=scale, threads=threads), scale, "luma", library)


def _lite(path: Path, threads: int, *, scale: int) -> Opened:
    """Open a file of TensorFlow Lite in OpenVINO: RGB as bytes, (1, H, W, 3)."""
    run, library = _openvino(path, threads)

    def restore(frame: U8) -> U8:
        made: U8 = run(frame[None])[0]
        return made

    return Opened(_grey_too(restore), scale, "rgb", library)


def _openvino(path: Path, threads: int) -> tuple[Callable[[NDArray[Any]], Any], str]:
    """Return a function that runs a file in fp32, or as it is quantised, and the library."""
    openvino = need("openvino", "openvino")
    # By default it would take bf16 where the CPU has it.
    options = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
    try:
        compiled = openvino.Core().compile_model(str(path), "CPU", options)
    except RuntimeError as error:
        raise Unavailable(f"OpenVINO does not read it: {str(error)[:200]}") from error
    version = importlib.metadata.version("openvino")
    return lambda x: compiled(x)[0], f"OpenVINO {version}, {threads} threads"


def _luma_onnx(path: Path, threads: int) -> Opened:
    """Open an ONNX file of luma of full range; luma of a grey picture is passed on as it is."""
    restorer = _load(path, threads, colour="luma")

    def run(x: Floats) -> Floats:
        made: Floats = restorer(x[0, 0])[None, None]
        return made

    restore = by_luma(run, scale=restorer.scale, threads=threads)
    return _opened(restorer)._replace(restore=restore, colour="luma")


def _checkpoint(path: Path, threads: int) -> Opened:
    """Export a checkpoint of PyTorch, and open that."""
    need("torch", "torch")
    from restore_rt.export.exporter import export_onnx

    with tempfile.TemporaryDirectory() as folder:
        exported = Path(folder) / "exported.onnx"
        try:
            export_onnx(path, exported, say=lambda line: None)
        except RestoreError as error:
            raise Unavailable(_reason(error, path)) from error
        return _opened(_load(exported, threads))


def _onnx(path: Path, threads: int) -> Opened:
    return _opened(_load(path, threads))


def open_ncnn(
    param: Path, threads: int, *, bf16: bool = False, blobs: tuple[str, str] = ("in0", "out0")
) -> Network:
    """Open a model in ncnn; by default its input and output have the names that pnnx gives."""
    ncnn = need("ncnn", "ncnn")
    net = ncnn.Net()
    net.opt.num_threads = threads
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    net.opt.use_bf16_storage = net.opt.use_bf16_packed = bf16
    if net.load_param(str(param)) or net.load_model(str(param.with_suffix(".bin"))):
        raise ValueError(f"ncnn cannot load {param}")

    def run(x: Floats) -> Floats:
        extractor = net.create_extractor()
        extractor.input(blobs[0], ncnn.Mat(x[0]))
        code, made = extractor.extract(blobs[1])
        if code:
            raise ValueError(f"ncnn failed with {code}")
        # A view that keeps its memory.
        found: Floats = made.numpy()[np.newaxis]
        return found

    return run


def _ncnn(path: Path, threads: int, *, scale: int, blobs: tuple[str, str]) -> Opened:
    """Open ncnn's own file, .param with .bin beside it: RGB, 0 to 1."""
    need("ncnn", "ncnn")
    if not path.with_suffix(".bin").is_file():
        raise Unavailable("its .bin is missing")
    try:
        network = open_ncnn(path, threads, blobs=blobs)
    except ValueError as error:
        raise Unavailable(str(error)) from error
    version = importlib.metadata.version("ncnn")
    return Opened(by_rgb(network), scale, "rgb", f"ncnn {version}, {threads} threads")


_OPENERS: dict[str, Callable[..., Opened]] = {
    "tensorflow": _tensorflow,
    "lite": _lite,
    "ncnn": _ncnn,
    "luma_onnx": _luma_onnx,
    "onnx": _onnx,
    "checkpoint": _checkpoint,
}


def runs_in(restorer: restore_rt.Restorer) -> str:
    """Return what a model runs in, without its name."""
    return restorer.description.partition(" on ")[2]


def _opened(restorer: restore_rt.Restorer) -> Opened:
    return Opened(restorer, restorer.scale, restorer.manifest.colour, runs_in(restorer))


def _load(path: Path, threads: int, **given: Any) -> restore_rt.Restorer:
    need("onnxruntime", "onnxruntime")
    try:
        return restore_rt.load(path, device="cpu", threads=threads, **given)
    except RestoreError as error:
        raise Unavailable(_reason(error, path)) from error


def _reason(error: RestoreError, path: Path) -> str:
    """Return what is wrong with a file, without its path and the networks that were tried."""
    what, tried, _ = str(error).removeprefix(f"{path} ").partition(" (tried: ")
    return f"{what}; spandrel {error.__cause__}" if tried else what
