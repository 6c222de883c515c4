"""The calls of NVIDIA's library that are made through ctypes."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.gpu.emulation.queues import Mark, MisuseError, Queue, Queues

if TYPE_CHECKING:
    from tests.gpu.emulator import Emulator

__all__ = ["Library"]

_OK, _INVALID_VALUE, _INVALID_CONTEXT, _INVALID_HANDLE = 0, 1, 201, 400
_DEVICE_ORDINAL = 9


class Library:
    """``libcuda``; names and arguments are those of cuda.h."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._events: dict[int, Mark] = {}
        self._numbers = itertools.count(0x5500_0000_1000, 0x40)

    def cuEventCreate(self, event: Any, flags: Any) -> int:  # noqa: N802
        if not self._emulator.contexts:
            return _INVALID_CONTEXT
        event._obj.value = next(self._numbers)
        self._events[event._obj.value] = Mark()
        return _OK

    def cuEventRecord(self, event: Any, stream: Any) -> int:  # noqa: N802
        return self._on_stream(
            event, stream, lambda queues, mark, queue: queues.record(mark, queue)
        )

    def cuStreamWaitEvent(self, stream: Any, event: Any, flags: Any) -> int:  # noqa: N802
        return self._on_stream(event, stream, Queues.wait)

    def cuEventDestroy_v2(self, event: Any) -> int:  # noqa: N802
        return _OK if self._events.pop(event.value, None) else _INVALID_HANDLE

    def cuPointerGetAttribute(self, data: Any, attribute: Any, pointer: Any) -> int:  # noqa: N802
        if attribute.value != _DEVICE_ORDINAL:
            return _INVALID_VALUE
        if self._emulator.memory.find(pointer.value, 1) is None:
            return _INVALID_VALUE
        data._obj.value = 0
        return _OK

    def _on_stream(
        self, event: Any, stream: Any, action: Callable[[Queues, Mark, Queue], None]
    ) -> int:
        emulator = self._emulator
        if not emulator.contexts:
            return _INVALID_CONTEXT
        mark = self._events.get(event.value)
        if mark is None:
            return _INVALID_HANDLE
        with emulator.queues.lock:
            try:
                action(emulator.queues, mark, emulator.queues.find(stream.value or 1))
            except MisuseError as error:
                # What CUDA does with the handle of a stream that was destroyed is not defined.
                emulator.faults.append(str(error))
                return _INVALID_HANDLE
        return _OK
