"""Libraries that an extra of the package brings, imported where they are needed."""

from __future__ import annotations

import importlib
from types import ModuleType

from restore_rt.errors import InputError

__all__ = ["needed"]


def needed(module: str, library: str, what: str, *, extra: str = "eval") -> ModuleType:
    """Import a module; raise `InputError` where its library is missing, which `what` needs."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise InputError(f"{what} needs {library}; pip install 'restore-rt[{extra}]'") from error
