"""Third-party weight files, read without running code from them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from restore_rt.errors import InputError
from restore_rt.export.foreign.kinds import seems_file
from restore_rt.training.needed import needed

__all__ = ["read_content", "states_of"]

# Under which others keep a state, the averaged one first.
_WRAPPERS = (
    "params_ema",
    "ema",
    "params",
    "model_state_dict",
    "state_dict",
    "model",
    "net",
    "netG",
    "net_g",
    "generator",
)
# Wrappers in wrappers: a file may hold itself.
_DEEPEST = 3
# What data parallelism, Lightning and others put before every name.
_PREFIXES = ("module.", "model.", "net.", "netG.", "net_g.", "generator.")


def read_content(path: Path) -> dict[Any, Any]:
    """Read a .pth, .pt, .ckpt or .safetensors file: tensors, plain containers and values alone.

    Tensors come to the CPU, wherever they were written. Raises `InputError` if there is no such
    file, it is of another kind or damaged, or it holds other objects, whose code is not run.
    """
    if not path.exists():
        raise InputError(f"no checkpoint at {path}; name a file that training wrote")
    seems = seems_file(path)
    if seems is not None:
        raise InputError(f"{path} is {seems.what}, not a checkpoint of PyTorch: {seems.fix}")
    try:
        if path.suffix == ".safetensors":
            library = needed("safetensors.torch", "safetensors", f"reading {path}", extra="export")
            return dict(library.load_file(path, device="cpu"))
        content = torch.load(path, map_location="cpu", weights_only=True)
    except InputError:
        raise
    except Exception as error:
        # torch raises many kinds, down to RuntimeError and KeyError, for a damaged file.
        raise _unreadable(path, error) from None
    if not isinstance(content, Mapping):
        raise InputError(
            f"{path} holds a {type(content).__name__}, not a network's weights by name; save "
            "model.state_dict()"
        )
    return dict(content)


def _unreadable(path: Path, error: Exception) -> InputError:
    text = str(error) or type(error).__name__
    # How torch names what a pickle asks for; it has run nothing of it.
    found = re.search(r"GLOBAL (\S*\w)", text)
    if found or "Unsupported class" in text:
        named = f" ({found.group(1)})" if found else ""
        return InputError(
            f"{path} holds Python objects{named} besides tensors and plain containers; reading "
            "them would run code from the file, so nothing was read. Where you trust it, save "
            "its weights alone: torch.save(model.state_dict(), 'weights.pth')"
        )
    reason = text.splitlines()[0]
    # A bare KeyError of a byte that is no part of a pickle, for one.
    if "weights only" in text.lower() or not re.search("[a-z]{3}", text):
        reason = "it is no file that PyTorch wrote, or holds other things than weights"
    return InputError(f"{path} cannot be read as a checkpoint: {reason}")


def states_of(content: Mapping[Any, Any], path: Path) -> list[dict[str, Tensor]]:
    """Give the weights in what `read_content` gave, float32, once for each way to name them.

    Wrappers are taken off, the averaged weights preferred. Where all names begin alike with a word
    that training puts there, the names without it come after those with it. Raises `InputError` if
    it has no weights.
    """
    state = _unwrapped(content)
    if not state:
        keys = ", ".join(repr(key) for key in list(content)[:4])
        raise InputError(
            f"{path} has no weights: it holds {keys or 'nothing'}; save model.state_dict()"
        )
    states = [state]
    while prefix := next((p for p in _PREFIXES if all(key.startswith(p) for key in state)), ""):
        state = {key[len(prefix) :]: tensor for key, tensor in state.items()}
        states.append(state)
    return states


def _unwrapped(content: Mapping[Any, Any], depth: int = 0) -> dict[str, Tensor]:
    if content and all(isinstance(value, Tensor) for value in content.values()):
        return {
            str(key): value.float() if value.is_floating_point() else value
            for key, value in content.items()
        }
    if depth == _DEEPEST:
        return {}
    inner = {key: value for key, value in content.items() if isinstance(value, Mapping)}
    for key in _WRAPPERS:
        if key in inner and (state := _unwrapped(inner[key], depth + 1)):
            return state
    found = {key: state for key, value in inner.items() if (state := _unwrapped(value, depth + 1))}
    # Several without a known name: one flat state, for what it is to be told.
    flat = {f"{key}.{name}": t for key, state in found.items() for name, t in state.items()}
    return next(iter(found.values())) if len(found) == 1 else flat
