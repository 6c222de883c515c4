"""TensorRT or TensorRT-RTX: two libraries with one API, either of which may be missing."""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from restore_rt.errors import BackendError, EngineError, InputError

if TYPE_CHECKING:
    from restore_rt.tensorrt.api import TensorRt

__all__ = ["LIBRARIES", "Library", "open_library"]

# Name here, which is also that of the extra; name of the module; name for people.
_KNOWN = {
    "tensorrt": ("tensorrt", "TensorRT"),
    "rtx": ("tensorrt_rtx_bindings", "TensorRT-RTX"),
}
LIBRARIES = tuple(_KNOWN)

_OLDEST_TENSORRT = (10, 16)


@dataclass(frozen=True)
class Library:
    """An imported library.

    Attributes
    ----------
    name
        One of ``LIBRARIES``.
    version
        The version that the library reports.
    module
        The library's Python module.
    """

    name: str
    version: str
    module: TensorRt

    @property
    def title(self) -> str:
        """The library's name for messages."""
        return _KNOWN[self.name][1]

    def __str__(self) -> str:
        return f"{self.title} {self.version}"


def open_library(choice: str = "auto") -> Library:
    """Import one of the libraries.

    Parameters
    ----------
    choice
        One of ``LIBRARIES``, or ``"auto"`` for the first of them that is installed. A broken
        installation is an error, not skipped.

    Raises
    ------
    InputError
        The library is unknown.
    BackendError
        The library is not installed, cannot be loaded, or is too old; the message says what to
        install.
    """
    if choice not in (*LIBRARIES, "auto"):
        raise InputError(f"library is {choice!r}; allowed are auto, {', '.join(LIBRARIES)}")
    for name in LIBRARIES if choice == "auto" else (choice,):
        library = _import(name)
        if library is not None:
            return library
    if choice == "auto":
        raise BackendError(
            "engines need TensorRT or TensorRT-RTX, and neither is installed: "
            "pip install 'restore-rt[tensorrt]' or 'restore-rt[rtx]'"
        )
    raise BackendError(f"{_KNOWN[choice][1]} is not installed: pip install 'restore-rt[{choice}]'")


def _import(name: str) -> Library | None:
    module_name, title = _KNOWN[name]
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name == module_name:
            return None
        raise _broken(name, error) from error
    except Exception as error:  # a broken binary raises anything
        raise _broken(name, error) from error
    if not hasattr(module, "Builder"):
        # Type stubs, or what an uninstalled package left, make a folder that can be imported.
        return None
    version = str(module.__version__)
    numbers = tuple(map(int, re.findall(r"[0-9]+", version)[:2]))
    if name == "tensorrt" and numbers < _OLDEST_TENSORRT:
        raise BackendError(
            f"{title} {version} is installed; {'.'.join(map(str, _OLDEST_TENSORRT))} or later is "
            f"needed: pip install --upgrade 'restore-rt[{name}]'"
        )
    return Library(name, version, cast("TensorRt", module))


def _broken(name: str, error: Exception) -> EngineError:
    return EngineError(
        f"{_KNOWN[name][1]} is installed but cannot be loaded ({error}): "
        f"pip install --force-reinstall 'restore-rt[{name}]'"
    )
