"""Long work in C++ with progress, which can be interrupted."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from restore_rt.tensorrt.api import TensorRt

__all__ = ["Steps", "make_monitor", "run_apart"]

Result = TypeVar("Result")


class Steps:
    """Counts the steps of a build, and can stop the build.

    Parameters
    ----------
    follow
        Called after each step, from any thread, one call at a time.

    Attributes
    ----------
    error
        The exception of ``follow`` that stopped the build.
    """

    def __init__(self, follow: Callable[[], None]) -> None:
        self.error: Exception | None = None
        self._follow = follow
        self._stopped = threading.Event()
        self._lock = threading.Lock()

    def stop(self) -> None:
        """Ask the build to end after its current step."""
        self._stopped.set()

    def step(self) -> bool:
        """Count one step; False asks TensorRT to stop. Never raises: it is called from C++."""
        with self._lock:
            if not self._stopped.is_set():
                try:
                    self._follow()
                except Exception as error:
                    self.error = error
                    self._stopped.set()
        return not self._stopped.is_set()


def make_monitor(trt: TensorRt, steps: Steps) -> Any:
    """Return an object for a builder's ``progress_monitor``."""

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            pass

        def phase_finish(self, phase_name: str) -> None:
            pass

        def step_complete(self, phase_name: str, step: int) -> bool:
            return steps.step()

    return Monitor()


def run_apart(work: Callable[[], Result], stop: Callable[[], None]) -> Result:
    """Run ``work`` in a thread of its own, so that signals are handled while C++ is busy.

    An exception that a signal raises here, as Ctrl-C does, calls ``stop``, waits for the work to
    end and is raised again; a second exception does not wait.
    """
    results: list[Result] = []
    errors: list[BaseException] = []
    done = threading.Event()

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:
            errors.append(error)
        finally:
            done.set()

    worker = threading.Thread(target=run, name="restore-rt build", daemon=True)
    try:
        worker.start()
        done.wait()
    except BaseException:
        stop()
        # The signal may have come before it started.
        if worker.is_alive():
            done.wait()
        raise
    if errors:
        raise errors[0]
    return results[0]
