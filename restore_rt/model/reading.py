"""Model files: finding by name or path, reading and checks."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from restore_rt.errors import InputError, ModelError
from restore_rt.model import registry as zoo
from restore_rt.model.interface import Interface
from restore_rt.model.manifest import Manifest

if TYPE_CHECKING:
    import onnx

__all__ = ["LoadedModel", "find_model", "is_model", "read_model"]

# What protocol buffers allow.
_MOST_BYTES = 2**31 - 1


@dataclass(frozen=True)
class LoadedModel:
    """A model in memory.

    Attributes
    ----------
    path
        The model's file.
    original
        The network in the file, with the nodes around it that the runtime needs.
    network
        The network in the requested precision.
    manifest
        The description of ``network``.
    interface
        The sizes of the network's input.
    whole
        Whether the network looks at the whole frame, so that frames must not be cut into tiles.
    notes, tile_notes
        What was changed or assumed of the file, for people to read; ``tile_notes`` concern backends
        that cut frames into tiles.
    """

    path: Path
    original: onnx.ModelProto
    network: onnx.ModelProto
    manifest: Manifest
    interface: Interface
    whole: bool = False
    notes: tuple[str, ...] = ()
    tile_notes: tuple[str, ...] = ()


def find_model(model: str | os.PathLike[str]) -> Path:
    """Return the file of a model, given by its path or by a shipped model's name.

    Raises
    ------
    ModelError
        No such file exists, and no such model is shipped.
    InputError
        It is neither a name nor a path.
    """
    if not isinstance(model, str | os.PathLike):
        raise InputError(f"model is {model!r}; give a shipped model's name, or a file")
    path = Path(model)
    if path.is_file():
        return path
    if path.suffix or path.parent != Path():
        raise ModelError(
            f"there is no model file {str(path)!r}; give an existing .onnx file or one of "
            f"{', '.join(manifest.name for manifest in zoo.models())}"
        )
    return zoo.path_of(str(path))


def is_model(path: Path) -> bool:
    """Return whether a path names a model: an ``.onnx`` file, or a bare name of no file.

    A folder of that name, such as a run's or a repository's, does not hide the model.
    """
    bare = not path.suffix and path.parent == Path()
    return path.suffix == ".onnx" or (bare and not path.is_file())


def read_model(path: Path) -> onnx.ModelProto:
    """Read an ONNX file, with the data that lies in files beside it, and check the network.

    Raises
    ------
    ModelError
        The file is not ONNX, is damaged, has no network, or fails ``check_network``.
    """
    import onnx

    # Late, as onnx is: only who loads a model needs it.
    from restore_rt.model.external import read_external
    from restore_rt.model.validation import check_network
    from restore_rt.wording import one_line

    if path.suffix != ".onnx":
        raise ModelError(f"{path} is not an .onnx file; export the model to ONNX first")
    try:
        size = path.stat().st_size
        if size > _MOST_BYTES:
            raise ModelError(f"it has {size} bytes; allowed are {_MOST_BYTES}")
        data = path.read_bytes()
        network = onnx.load_model_from_string(data)
        # The key of every tensor whose data is elsewhere: without it there is none to look for.
        if b"location" in data:
            read_external(network, path.parent, limit=_MOST_BYTES - size)
        check_network(network)
    except Exception as error:
        raise ModelError(f"{path} cannot be read as an ONNX model: {one_line(error)}") from error
    return network
