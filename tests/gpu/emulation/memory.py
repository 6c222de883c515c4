"""Memory at real addresses, full of poison, with guards around it."""

from __future__ import annotations

import ctypes
from bisect import bisect_right, insort
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from restore_rt.gpu.array import packed
from tests.gpu.emulation.queues import MisuseError

__all__ = ["ALIGNMENT", "Block", "Memory", "view"]

ALIGNMENT = 256
# NaN as float16 and float32, and no likely pixel.
_FRESH = (0xA7, 0xFF)
_FREED = (0xDB, 0xFF)
_GUARD = (0x5C, 0xFF)


@dataclass(eq=False)
class Block:
    """A piece of memory between two guards."""

    start: int
    size: int
    kind: str
    whole: NDArray[np.uint8]
    offset: int

    @property
    def bytes(self) -> NDArray[np.uint8]:
        """What its owner may touch."""
        return self.whole[self.offset : self.offset + self.size]

    def guards(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """What nobody may touch."""
        return self.whole[: self.offset], self.whole[self.offset + self.size :]


class Memory:
    """All memory of the GPU, or all that is page-locked."""

    def __init__(self) -> None:
        self.live: dict[int, Block] = {}
        self.freed: list[Block] = []
        self._starts: list[int] = []

    @property
    def used(self) -> int:
        """Bytes that were not freed."""
        return sum(block.size for block in self.live.values())

    def take(self, size: int, kind: str) -> Block:
        """Return a new piece."""
        whole = np.empty(size + 3 * ALIGNMENT, np.uint8)
        offset = ALIGNMENT + -whole.ctypes.data % ALIGNMENT
        block = Block(whole.ctypes.data + offset, size, kind, whole, offset)
        _fill(block.bytes, _FRESH)
        for guard in block.guards():
            _fill(guard, _GUARD)
        self.live[block.start] = block
        insort(self._starts, block.start)
        return block

    def give_back(self, start: int) -> None:
        """Free a piece; it is watched from then on."""
        block = self.live.pop(start, None)
        if block is None:
            raise MisuseError(f"{start:#x} was freed before, or never taken")
        self._starts.remove(start)
        _fill(block.bytes, _FREED)
        self.freed.append(block)

    def find(self, address: int, size: int) -> Block | None:
        """Return the piece in which some bytes lie."""
        place = bisect_right(self._starts, address) - 1
        if place < 0:
            return None
        block = self.live[self._starts[place]]
        return block if address + size <= block.start + block.size else None

    def check(self, address: int, size: int, what: str) -> None:
        """Refuse bytes that do not lie in one piece."""
        if size < 1:
            raise MisuseError(f"{what}: {size} bytes at {address:#x}")
        if self.find(address, size) is None:
            raise MisuseError(
                f"{what}: {size} bytes at {address:#x} are not its memory, or no longer"
            )

    def faults(self) -> list[str]:
        """Tell what was written where nothing may be."""
        found = []
        for block in (*self.live.values(), *self.freed):
            if not all(_is_full(guard, _GUARD) for guard in block.guards()):
                found.append(f"bytes were written beside {block.size} bytes of {block.kind}")
        for block in self.freed:
            if not _is_full(block.bytes, _FREED):
                found.append(f"{block.size} bytes of {block.kind} were written after being freed")
        return found


def view(address: int, shape: tuple[int, ...], dtype: Any, strides: Any = None) -> NDArray[Any]:
    """Return memory as an array, wherever it is."""
    kind = np.dtype(dtype)
    if strides is None:
        strides = packed(shape, kind)
    reach = [(side - 1) * step for side, step in zip(shape, strides, strict=True)]
    low, high = sum(r for r in reach if r < 0), sum(r for r in reach if r > 0) + kind.itemsize
    raw = (ctypes.c_uint8 * (high - low)).from_address(address + low)
    return np.ndarray(shape, kind, raw, -low, strides)


def _fill(target: NDArray[np.uint8], pair: tuple[int, int]) -> None:
    target[0::2], target[1::2] = pair


def _is_full(target: NDArray[np.uint8], pair: tuple[int, int]) -> bool:
    return bool((target[0::2] == pair[0]).all() and (target[1::2] == pair[1]).all())
