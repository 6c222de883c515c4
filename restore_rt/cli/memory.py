"""Telling that memory ran out, where PyTorch is used."""

from __future__ import annotations

__all__ = ["out_of_memory"]


def out_of_memory(error: Exception) -> bool:
    """Tell whether an error of PyTorch's or Python's says that there is too little memory."""
    import torch

    # What PyTorch's allocator for CPUs says has no type of its own.
    return isinstance(
        error, (MemoryError, torch.OutOfMemoryError)
    ) or "can't allocate memory" in str(error)
