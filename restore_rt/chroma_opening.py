"""The option ``chroma`` of ``restore_rt.load``: from a name or a file to a chroma network."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from restore_rt.chroma import BICUBIC, ChromaNetwork
from restore_rt.errors import InputError, ModelError
from restore_rt.model.interface import read_interface
from restore_rt.model.manifest import CHROMA, Manifest, check_intact, read_manifest
from restore_rt.model.reading import read_model
from restore_rt.model.registry import chroma_path
from restore_rt.native.chroma import NativeChroma
from restore_rt.tiled.chroma import OnnxChroma

__all__ = ["OpenedChroma", "open_chroma"]


class OpenedChroma(NamedTuple):
    """A chroma network, and its name for people; None and ``"bicubic"`` without one."""

    network: ChromaNetwork | None
    name: str


def open_chroma(
    choice: str | os.PathLike[str], beside: Manifest, *, native: bool, threads: int
) -> OpenedChroma:
    """Open the chroma network that an option names.

    Parameters
    ----------
    choice
        ``"bicubic"`` for none, ``"network"`` for the shipped one, or a file.
    beside
        The manifest of the model that restores luma.
    native
        Whether the native backend runs it, or else ONNX Runtime.
    threads
        CPU threads.

    Raises
    ------
    InputError
        The model does not restore luma, or enlarges by another scale than the network.
    ModelError
        There is no such file, or it is not a chroma network.
    MissingBackendError, UnsupportedError
        The backend is missing, or cannot run the network.
    """
    if choice == BICUBIC:
        return OpenedChroma(None, BICUBIC)
    if beside.colour != "luma":
        raise InputError(
            f"chroma is {str(choice)!r}, and {beside.name} is an {beside.colour} model, which "
            "restores colour itself: leave chroma out"
        )
    path = chroma_path() if choice == "network" else Path(choice)
    if not path.is_file():
        raise ModelError(
            f"there is no chroma network {str(path)!r}; give 'bicubic', 'network' or an existing "
            ".onnx file"
        )
    model = read_model(path)
    manifest = read_manifest(model)
    if manifest is None or manifest.colour != CHROMA:
        raise ModelError(
            f"{path} is not a chroma network; one is trained by a recipe whose network.colour is "
            "'chroma', and exported by restore-rt export"
        )
    check_intact(model, manifest, path)
    read_interface(model, path)
    if manifest.scale != beside.scale:
        raise InputError(
            f"chroma is {str(choice)!r}, which enlarges {manifest.scale} times, and {beside.name} "
            f"{beside.scale} times: leave chroma out, or choose a model that enlarges "
            f"{manifest.scale} times"
        )
    network: ChromaNetwork
    if native:
        network = NativeChroma(model)
    else:
        network = OnnxChroma(model, scale=manifest.scale, halo=manifest.halo, threads=threads)
    return OpenedChroma(network, manifest.name)
