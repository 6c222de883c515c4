"""Checkpoints: written whole or not at all, and read without running code from the file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from restore_rt.errors import InputError

__all__ = ["load_checkpoint", "save_checkpoint"]

FORMAT = 1


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write `state` to a temporary file beside `path`, flush it to disk, then rename it."""
    temporary = path.with_name(path.name + ".part")
    with temporary.open("wb") as file:
        torch.save({"format": FORMAT, **state}, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint that `save_checkpoint` wrote.

    Raises
    ------
    InputError
        If the file is missing, damaged, or no checkpoint of this version.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise InputError(f"no checkpoint at {path}; name a file that training wrote") from None
    except Exception as error:
        # torch raises many kinds, down to RuntimeError and KeyError, for a damaged file.
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path} cannot be read as a checkpoint: {reason}") from None
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise InputError(
            f"{path} is no checkpoint of format {FORMAT}; train again or export it "
            "with the version that wrote it"
        )
    return state
