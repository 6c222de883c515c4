"""Guesses at the kind of a file that cannot be exported, with advice."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

__all__ = ["Seems", "seems_file", "seems_state"]

_TO_ONNX = (
    "export it to ONNX where its code is, with one input (N, C, H, W) and one output, and give "
    "that file to restore_rt.load or restore-rt image --model"
)
_TENSORFLOW = (
    "convert it to ONNX with tf2onnx, with planes (N, C, H, W) for its input and its output, and "
    "give that file to restore_rt.load or restore-rt image --model"
)
_NCNN = "give the PyTorch checkpoint (.pth) that it was converted from"
# Kernels as large as this over a whole map make numbers of pictures, not pictures.
_WHOLE_MAP = 7


@dataclass(frozen=True)
class Seems:
    """A guess at the kind, in words that follow "is", and advice."""

    what: str
    fix: str


_BY_START = (
    (0, b"7767517", Seems("a network of ncnn (.param)", _NCNN)),
    # How ncnn marks weights in half precision.
    (0, b"\x47\x6b\x30\x01", Seems("a file of weights of ncnn (.bin)", _NCNN)),
    (4, b"TFL3", Seems("a network of TensorFlow Lite", _TENSORFLOW)),
    (0, b"\x89HDF", Seems("a file of HDF5, as Keras writes it", _TENSORFLOW)),
    (0, b"\x93NUMPY", Seems("a NumPy array, like a lookup table", "there is no network in it")),
)
_BY_SUFFIX = {
    ".pb": Seems("a graph of TensorFlow", _TENSORFLOW),
    ".tflite": Seems("a network of TensorFlow Lite", _TENSORFLOW),
    ".h5": Seems("a file of Keras", _TENSORFLOW),
    ".keras": Seems("a file of Keras", _TENSORFLOW),
    ".param": Seems("a network of ncnn (.param)", _NCNN),
    ".engine": Seems("a TensorRT engine", "give the ONNX file or checkpoint that it was built of"),
    ".plan": Seems("a TensorRT engine", "give the ONNX file or checkpoint that it was built of"),
}
_TORCHSCRIPT = Seems("a TorchScript program", _TO_ONNX)
_ZIP = Seems("a ZIP archive of something else", "unpack it and give the checkpoint in it")
_BIN = Seems("a file of raw weights (.bin) of another library, like ncnn", _NCNN)


def seems_file(path: Path) -> Seems | None:
    """Tell what a file that exists is, by its start and its suffix; None if PyTorch may read it."""
    if path.is_dir():
        return Seems("a folder", "give a file in it, like best.pt")
    if path.suffix == ".safetensors":
        return None
    try:
        with path.open("rb") as file:
            start = file.read(16)
    except OSError:
        # Why it cannot be read is told by who reads it.
        return None
    for offset, mark, seems in _BY_START:
        if start[offset:].startswith(mark):
            return seems
    if path.suffix in _BY_SUFFIX:
        return _BY_SUFFIX[path.suffix]
    if start.startswith(b"PK"):
        return _seems_archive(path)
    # Old checkpoints are bare pickles, of any suffix.
    return _BIN if path.suffix == ".bin" and not start.startswith(b"\x80") else None


def _seems_archive(path: Path) -> Seems | None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name.rpartition("/")[2] for name in archive.namelist()]
    except (zipfile.BadZipFile, OSError):
        return None
    if "constants.pkl" in names:
        return _TORCHSCRIPT
    return None if "data.pkl" in names else _ZIP


def seems_state(state: Mapping[str, Tensor]) -> Seems:
    """Return a guess at the kind of an unknown network's weights."""
    if all(_is_table(tensor) for tensor in state.values()):
        return Seems(
            f"{len(state)} lookup tables for colours (3D LUT)",
            "there is no network in it; programs that grade colours apply such tables",
        )
    if any(name.startswith("cond_net.") for name in state):
        return Seems(
            "a network that retouches colours (CSRNet)",
            "it looks at the whole picture, so it cannot run on tiles",
        )
    weights = [tensor for tensor in state.values() if tensor.dim() in (2, 4)]
    last = weights[-1] if weights else None
    if last is not None and (last.dim() == 2 or min(last.shape[2:]) >= _WHOLE_MAP):
        return Seems(
            f"a classifier: it ends with {last.shape[0]} numbers, not a picture",
            "it cannot restore anything",
        )
    names = list(state)
    return Seems(
        f"a network of another kind, {len(names)} tensors from {names[0]!r} to {names[-1]!r}",
        _TO_ONNX,
    )


def _is_table(tensor: Tensor) -> bool:
    return (
        tensor.dim() == 4
        and tensor.shape[0] == 3
        and len(set(tensor.shape[1:])) == 1 < min(tensor.shape[1:])
    )
