"""CPU threads: how many this process may use or was asked to use, and their priority."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from restore_rt.errors import InputError

__all__ = ["available_threads", "same_priority", "thread_count"]

# The native kernels take no more.
_MOST_THREADS = 256


def available_threads() -> int:
    """Return the number of CPUs that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def thread_count(threads: int | None) -> int:
    """Return the number of threads to use: the given one, by default all available CPUs.

    Raises
    ------
    InputError
        ``threads`` is not a whole number from 1 to 256.
    """
    if threads is None:
        return min(available_threads(), _MOST_THREADS)
    if (
        isinstance(threads, bool)
        or not isinstance(threads, int)
        or not 1 <= threads <= _MOST_THREADS
    ):
        raise InputError(
            f"threads is {threads!r}; it must be a whole number from 1 to {_MOST_THREADS}"
        )
    return threads


@contextmanager
def same_priority() -> Iterator[None]:
    """Keep this thread's scheduling policy, and give it to the threads that begin in the block.

    SVT-AV1 makes its threads and the one that opens it real-time (SCHED_FIFO) if the process is
    root's, as in most containers; nothing else would then run on their CPUs.
    """
    if not hasattr(os, "sched_getscheduler"):
        yield
        return
    policy, parameter, before = os.sched_getscheduler(0), os.sched_getparam(0), _threads()
    try:
        yield
    finally:
        for thread in (_threads() - before) | {threading.get_native_id()}:
            # A thread may have ended.
            with suppress(OSError):
                os.sched_setscheduler(thread, policy, parameter)


def _threads() -> set[int]:
    """Return the numbers of this process's threads; none where the system does not list them."""
    try:
        return {int(task.name) for task in Path("/proc/self/task").iterdir()}
    except OSError:
        return set()
