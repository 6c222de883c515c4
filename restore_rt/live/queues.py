"""Bounded queues between the threads of a live run."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["BoundedQueue"]

Item = TypeVar("Item")

_PATIENCE = 0.1


class BoundedQueue(Generic[Item]):
    """A queue that waits for room, or makes it, and ends once.

    Parameters
    ----------
    size
        Items that it holds at most.
    make_room
        Called with the oldest item and the next one when there is no room; returns what takes the
        place of both. Without it, ``put`` waits.

    Attributes
    ----------
    longest
        Items that it held at most.
    """

    def __init__(self, size: int, make_room: Callable[[Item, Item], Item] | None = None) -> None:
        self.longest = 0
        self._size, self._make_room = size, make_room
        self._items: deque[Item] = deque()
        self._changed = threading.Condition()
        self._ended = self._stopped = False

    @property
    def waiting(self) -> int:
        """Items in it."""
        return len(self._items)

    def put(self, item: Item) -> bool:
        """Add an item; False if the queue was stopped."""
        with self._changed:
            while len(self._items) >= self._size and not self._stopped:
                if self._make_room is None:
                    self._changed.wait(_PATIENCE)
                else:
                    oldest = self._items.popleft()
                    following = self._items.popleft() if self._items else item
                    merged = self._make_room(oldest, following)
                    if following is item:
                        item = merged
                    else:
                        self._items.appendleft(merged)
            if self._stopped:
                return False
            self._items.append(item)
            self.longest = max(self.longest, len(self._items))
            self._changed.notify_all()
            return True

    def wait(self, seconds: float) -> bool:
        """Wait so long at most; return whether ``get`` returns at once."""
        with self._changed:
            if not self._items and not self._ended and not self._stopped:
                self._changed.wait(seconds)
            return bool(self._items) or self._ended or self._stopped

    def get(self) -> Item | None:
        """Take the oldest item; None at the end, or when the queue was stopped."""
        with self._changed:
            while not self._items and not self._ended and not self._stopped:
                self._changed.wait(_PATIENCE)
            if self._stopped or not self._items:
                return None
            item = self._items.popleft()
            self._changed.notify_all()
            return item

    def end(self) -> None:
        """Let ``get`` return None once all items were taken."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def stop(self) -> None:
        """End at once; items that are left are lost."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
