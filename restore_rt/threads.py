"""CPU threads: how many this process may use, and how many it was asked to use."""

from __future__ import annotations

import os

from restore_rt.errors import InputError

__all__ = ["available_threads", "thread_count"]

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
