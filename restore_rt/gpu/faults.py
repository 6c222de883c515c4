"""Conversion of pycuda's errors into ours."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Protocol

from restore_rt.errors import BackendError, OutOfMemoryError

__all__ = ["Checked"]


class _Device(Protocol):
    name: str
    library: Any


class Checked:
    """Context that converts pycuda's exceptions into ours."""

    __slots__ = ("_action", "_device")

    def __init__(self, action: str, device: _Device) -> None:
        self._action, self._device = action, device

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            return
        device = self._device
        if isinstance(error, device.library.MemoryError):
            raise OutOfMemoryError(
                f"{device.name} has too little memory to {self._action}: close other programs that "
                f"use it, or give smaller frames or tiles ({error})"
            ) from error
        if isinstance(error, device.library.Error):
            raise BackendError(
                f"{device.name} fails to {self._action}: {error}; after such a failure this "
                "process may have to be started again"
            ) from error
