"""Checkpoints: written whole or not at all, and read without running code from the file."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from restore_rt.errors import InputError, OutputError
from restore_rt.files import output_error, whole_file

__all__ = ["load_checkpoint", "load_weights", "save_checkpoint"]

FORMAT = 1


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write `state` to `path`, in place of a checkpoint that was there.

    Raises `OutputError` if the file cannot be written; the former one is kept.
    """
    # In memory first, since torch hides behind a RuntimeError what kept a file from being written.
    buffer = io.BytesIO()
    torch.save({"format": FORMAT, **state}, buffer)
    try:
        with whole_file(path, overwrite=True) as temporary:
            temporary.write_bytes(buffer.getbuffer())
    except OutputError:
        raise
    except OSError as error:
        raise output_error(error, path) from None


def load_checkpoint(path: Path, *, needs: Sequence[str] = ()) -> dict[str, Any]:
    """Read a checkpoint that `save_checkpoint` wrote, which must have the keys `needs`.

    Raises `InputError` if it is missing, damaged, no checkpoint of this version, or lacks a key.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise InputError(f"no checkpoint at {path}; name a file that training wrote") from None
    except Exception as error:
        # torch raises many kinds, down to RuntimeError and KeyError, for a damaged file.
        raise InputError(f"{path} cannot be read as a checkpoint: {_first_line(error)}") from None
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise InputError(
            f"{path} is no checkpoint of format {FORMAT}; train again or export it "
            "with the version that wrote it"
        )
    lacking = [key for key in needs if key not in state]
    if lacking:
        raise InputError(
            f"{path} is a checkpoint of another kind or version: it has no {', '.join(lacking)}; "
            "name one that restore-rt train wrote, last.pt or best.pt in a run's folder"
        )
    return state


def load_weights(network: nn.Module, weights: Mapping[str, Tensor], path: Path) -> None:
    """Put `weights`, read from the checkpoint at `path`, into `network`.

    Raises `InputError` if they belong to a network with other layers.
    """
    try:
        network.load_state_dict(weights)
    except (RuntimeError, TypeError):
        raise InputError(
            f"{path} does not fit the network that its recipe describes "
            f"({_first_difference(network.state_dict(), weights)}); train again or use the "
            "version that wrote it"
        ) from None


def _first_difference(wanted: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> str:
    if not isinstance(found, Mapping):
        return f"weights are a {type(found).__name__}"
    for name, tensor in wanted.items():
        if name not in found:
            return f"weights have no {name}"
        if not isinstance(found[name], Tensor) or found[name].shape != tensor.shape:
            shape = tuple(getattr(found[name], "shape", ()))
            return f"{name} has the shape {shape}, not {tuple(tensor.shape)}"
    return f"weights have {next((name for name in found if name not in wanted), 'others')} besides"


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
