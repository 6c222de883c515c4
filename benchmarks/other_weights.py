"""Networks of others, each opened as what takes a picture of bytes and gives a larger one.

Whoever trained a network decided on its values and colours; each opener says which they are. What
sees luma alone gets it, and its chroma, from the code that a `Restorer` has for that.
"""

from __future__ import annotations

import functools
import importlib.metadata
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from other_engines import Unavailable, need
from user_loops import Floats, Network, open_ncnn

import restore_rt
from restore_rt.colour import add_luma_detail, luma_of, mean_grey
from restore_rt.errors import RestoreError

__all__ = ["OTHERS", "Opened", "Restore", "by_luma", "by_rgb", "open_other"]

U8 = NDArray[np.uint8]
# Takes (H, W, 3) or grey (H, W), gives it enlarged.
Restore = Callable[[U8], U8]

# Luma of limited range, of 1; the networks here were trained on luma of full range.
_BLACK, _SPAN = np.float32(16 / 255), np.float32(219 / 255)


@dataclass(frozen=True)
class Opened:
    """A network that runs.

    Attributes
    ----------
    restore
        Enlarges a picture.
    scale
        Output over input size.
    colour
        ``"rgb"`` or ``"luma"``.
    runs_in
        The library, its version, and how it is used.
    """

    restore: Restore
    scale: int
    colour: str
    runs_in: str


# Takes a file and a number of threads; raises `Unavailable`.
Opener = Callable[[Path, int], Opened]


def open_other(name: str, folder: Path, threads: int) -> Opened:
    """Open a network by its name in `OTHERS`.

    Raises
    ------
    Unavailable
        Its file or a library is missing, or nothing here runs it.
    """
    file, opener = OTHERS[name]
    path = folder / file
    if not path.is_file():
        raise Unavailable("its file is missing")
    return opener(path, threads)


def by_luma(network: Network, *, scale: int, threads: int) -> Restore:
    """Return what enlarges luma with a network, (1, 1, H, W) of 0 to 1, and chroma as we do.

    Parameters
    ----------
    network
        Is given BT.601 luma of full range, so that a grey picture's values are its luma.
    scale
        Output over input size.
    threads
        For the chroma.
    """

    def enlarge(luma: Floats) -> Floats:
        made: Floats = network(np.ascontiguousarray(luma[np.newaxis, np.newaxis]))[0, 0]
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
    """Return what enlarges a picture with a network that takes (1, 3, H, W) of 0 to 1."""

    def restore(frame: U8) -> U8:
        planes = np.ascontiguousarray(frame.transpose(2, 0, 1)[np.newaxis], np.float32)
        made = _bytes(network(planes / np.float32(255))[0])
        return np.ascontiguousarray(made.transpose(1, 2, 0))

    return _grey_too(restore)


def _grey_too(restore: Restore) -> Restore:
    """Give what takes RGB grey pictures as RGB with equal channels, as a `Restorer` does."""

    def restored(frame: U8) -> U8:
        if frame.ndim == 3:
            return restore(frame)
        grey: U8 = mean_grey(restore(np.repeat(frame[..., np.newaxis], 3, axis=2)))
        return grey

    return restored


def _bytes(values: Floats) -> U8:
    made: U8 = np.clip(np.rint(values * np.float32(255)), 0, 255).astype(np.uint8)
    return made


def open_tensorflow(path: Path, threads: int, *, scale: int) -> Opened:
    """Open a frozen graph of TensorFlow in OpenVINO: luma of full range, (1, H, W, 1) of 0 to 1."""
    run, library = _open_openvino(path, threads)

    def network(x: Floats) -> Floats:
        made: Floats = run(x.reshape(1, *x.shape[2:], 1))
        return made

    restore = by_luma(network, scale=scale, threads=threads)
    return Opened(restore, scale, "luma", library)


def open_lite(path: Path, threads: int, *, scale: int) -> Opened:
    """Open a file of TensorFlow Lite in OpenVINO: RGB as bytes, (1, H, W, 3)."""
    run, library = _open_openvino(path, threads)

    def restore(frame: U8) -> U8:
        made: U8 = run(frame[np.newaxis])[0]
        return made

    return Opened(_grey_too(restore), scale, "rgb", library)


def _open_openvino(path: Path, threads: int) -> tuple[Callable[[NDArray[Any]], Any], str]:
    """Return what runs a file with one input and one output, and the library's name.

    It computes in fp32, or as the file is quantised; by itself it would take bf16 where it can.
    """
    openvino = need("openvino", "openvino")
    options = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
    try:
        compiled = openvino.Core().compile_model(str(path), "CPU", options)
    except RuntimeError as error:
        raise Unavailable(f"OpenVINO does not read it: {str(error)[:200]}") from error
    version = importlib.metadata.version("openvino")
    return lambda x: compiled(x)[0], f"OpenVINO {version}, {threads} threads"


def open_luma_onnx(path: Path, threads: int) -> Opened:
    """Open an ONNX file as we do, but for its luma, which is of full range."""
    restorer = _load(path, threads, colour="luma")

    # The luma of a grey picture is taken as it is.
    def run(x: Floats) -> Floats:
        made: Floats = restorer(x[0, 0])[np.newaxis, np.newaxis]
        return made

    scale = restorer.scale
    restore = by_luma(run, scale=scale, threads=threads)
    return Opened(restore, scale, "luma", runs_in(restorer))


def open_checkpoint(path: Path, threads: int) -> Opened:
    """Export a checkpoint of PyTorch, and open that."""
    need("torch", "torch")
    from restore_rt.export.exporter import export_onnx

    with tempfile.TemporaryDirectory() as folder:
        exported = Path(folder) / "exported.onnx"
        try:
            export_onnx(path, exported, say=lambda line: None)
        except RestoreError as error:
            raise Unavailable(_reason(error, path)) from error
        restorer = _load(exported, threads)
    return Opened(restorer, restorer.scale, restorer.manifest.colour, runs_in(restorer))


def open_onnx(path: Path, threads: int) -> Opened:
    """Open an ONNX file as we do."""
    restorer = _load(path, threads)
    return Opened(restorer, restorer.scale, restorer.manifest.colour, runs_in(restorer))


def open_in_ncnn(path: Path, threads: int, *, scale: int, blobs: tuple[str, str]) -> Opened:
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


def runs_in(restorer: restore_rt.Restorer) -> str:
    """Return what a model runs in, without its name."""
    return restorer.description.partition(" on ")[2]


def _load(path: Path, threads: int, **given: Any) -> restore_rt.Restorer:
    need("onnxruntime", "onnxruntime")
    try:
        return restore_rt.load(path, device="cpu", threads=threads, **given)
    except RestoreError as error:
        raise Unavailable(_reason(error, path)) from error


def _reason(error: RestoreError, path: Path) -> str:
    """Return what is wrong with a file, without where it lies and with what spandrel said of it."""
    what, tried, _ = str(error).removeprefix(f"{path} ").partition(" (tried: ")
    return f"{what}; spandrel {error.__cause__}" if tried else what


# By the names that they go by: the file in the folder of weights, and what opens it.
OTHERS: Mapping[str, tuple[str, Opener]] = {
    "FSRCNN-small": (
        "FSRCNN_Tensorflow__FSRCNN-small_x2.pb",
        functools.partial(open_tensorflow, scale=2),
    ),
    "realesr-animevideov3-x2": (
        "upscayl__models__realesr-animevideov3-x2.param",
        functools.partial(open_in_ncnn, scale=2, blobs=("data", "output")),
    ),
    "IMDN-RTC": ("IMDN__checkpoints__model_RTC.pth", open_checkpoint),
    "ESPCN, PyTorch": ("pytorch_tutorial_espcn_onnx__super_resolution.onnx", open_luma_onnx),
    "ESPCN, TensorFlow": (
        "TF-ESPCN__ESPCN_x3.pb",
        functools.partial(open_tensorflow, scale=3),
    ),
    "base7, int8": (
        "SR_Mobile_Quantization__TFMODEL__base7_D4C28_bs16ps64_lr1e-3_qat.tflite",
        functools.partial(open_lite, scale=3),
    ),
    "bicubic++": ("bicubic-plusplus__bicubic_pp_x3.pth", open_checkpoint),
    "ESPCN, with pictures' files": (
        "onnxruntime-sr__pytorch_superresolution_with_pre_post_processing_opset18.onnx",
        open_onnx,
    ),
    "FSRCNN": ("FSRCNN_Tensorflow__FSRCNN_x4.pb", functools.partial(open_tensorflow, scale=4)),
    "realesr-animevideov3": (
        "realesr-animevideov3_pth__realesr-animevideov3.stored.pth",
        open_checkpoint,
    ),
    "SAFMN++ light": (
        "SAFMN__AIS2024-RTSR__pretrained_model__light_safmnpp.pth",
        open_checkpoint,
    ),
    "SPAN-tiny": ("NTIRE2024_ESR__team39_spantiny_ch26_slim.pth", open_checkpoint),
    "SR-LUT": ("SR-LUT__2_Transfer_to_LUT__Model_S.pth", open_checkpoint),
    "CSRNet": ("CSRNet__experiments__pretrain_models__csrnet.pth", open_checkpoint),
    "3D LUTs": ("Image-Adaptive-3DLUT__sRGB__LUTs.pth", open_checkpoint),
    "3D LUTs, their classifier": (
        "Image-Adaptive-3DLUT__sRGB__classifier.pth",
        open_checkpoint,
    ),
}
