"""Weights in files beside a model's: read from its own folder, and from nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING

from restore_rt.errors import ModelError
from restore_rt.model.graph import graphs_of, nodes_of

if TYPE_CHECKING:
    import onnx

__all__ = ["has_external", "read_external"]

_ALLOWED = "allowed are files in the model's own folder: get the model again, with its data files"


def has_external(model: onnx.ModelProto) -> bool:
    """Return whether a tensor has its data in another file."""
    return any(map(_is_external, _tensors(model)))


def read_external(model: onnx.ModelProto, folder: Path, *, limit: int) -> None:
    """Put the data of tensors that lie in other files into the model.

    Parameters
    ----------
    model
        As it was read; changed.
    folder
        The folder of the model's file. No other is read: a location may not be absolute, contain
        ``..``, or be a link that leads out of the folder.
    limit
        Most bytes that are read in all.

    Raises
    ------
    ModelError
        A file is missing, too short or not allowed; or there is more data than `limit`.
    """
    total = 0
    for tensor in _tensors(model):
        if not _is_external(tensor):
            continue
        entries = {entry.key: entry.value for entry in tensor.external_data}
        name = f"the tensor {tensor.name[:80]!r}"
        path = _find(entries.get("location", ""), folder, name)
        size = path.stat().st_size
        offset = _number(entries, "offset", 0, name)
        length = _number(entries, "length", max(size - offset, 0), name)
        if offset + length > size:
            raise ModelError(
                f"{name} needs bytes {offset} to {offset + length} of {path.name!r}, which has "
                f"{size}: the file is cut off or another model's; get it again"
            )
        total += length
        if total > limit:
            raise ModelError(f"its data files hold more than {limit} bytes, which is the limit")
        del tensor.external_data[:]
        tensor.ClearField("data_location")
        tensor.raw_data = _read(path, offset, length)


def _tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    for graph in graphs_of(model):
        yield from graph.initializer
    for node in nodes_of(model):
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors


def _is_external(tensor: onnx.TensorProto) -> bool:
    from onnx import TensorProto

    return tensor.data_location == TensorProto.EXTERNAL or bool(tensor.external_data)


def _find(location: str, folder: Path, name: str) -> Path:
    # Windows knows both separators and drives, and a file may come from there.
    given = PureWindowsPath(location if isinstance(location, str) else "")
    shown = f"{name} has its data in another file, {location[:200]!r}"
    if not given.parts or given.anchor or ".." in given.parts or "\0" in str(given):
        raise ModelError(f"{shown}; {_ALLOWED}")
    path = folder.joinpath(*given.parts)
    try:
        real = path.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise ModelError(
            f"{shown}, which is not in {str(folder)!r}: get that file, too, and put it there"
        ) from error
    if not real.is_relative_to(folder.resolve()):
        raise ModelError(f"{shown}, a link to {str(real)!r}; {_ALLOWED}")
    if not real.is_file():
        raise ModelError(f"{shown}, which is no regular file; {_ALLOWED}")
    return real


def _read(path: Path, offset: int, length: int) -> bytes:
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(length)


def _number(entries: dict[str, str], key: str, missing: int, name: str) -> int:
    text = entries.get(key)
    if text is None:
        return missing
    if not (isinstance(text, str) and text.isascii() and text.isdigit() and len(text) < 19):
        raise ModelError(
            f"{name} has the {key} {text[:40]!r} in its data file; it must be a whole number: "
            "the file is damaged; get it again"
        )
    return int(text)
