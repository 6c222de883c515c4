"""From a case to a Restorer, and what that took."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import restore_rt
from restore_rt.bench.report import Case
from restore_rt.restorer import Restorer

__all__ = ["Builds", "Loading", "graph_variables", "is_for_cpus", "load_case"]


class Builds:
    """How long engines are built; a ``progress`` for ``restore_rt.load``.

    That is when a size of tiles is first needed, and so with the first frame. ONNX Runtime's
    provider for TensorRT does not tell whether it builds one or reads it from its cache: both
    count.

    Attributes
    ----------
    seconds
        In all; None where nothing was built.
    """

    def __init__(self) -> None:
        self.seconds: float | None = None

    @contextmanager
    def __call__(self, label: str) -> Iterator[Callable[[int], None]]:
        """Take the time of one."""
        begin = time.perf_counter()
        try:
            yield lambda count: None
        finally:
            self.seconds = (self.seconds or 0.0) + time.perf_counter() - begin


@dataclass(frozen=True)
class Loading:
    """What it took to load a model.

    Attributes
    ----------
    seconds
        Without what is built.
    builds
        Goes on counting while frames are restored.
    gpu_memory_before
        Bytes of the GPU's memory that were in use before; None without a GPU, or where nobody
        looked.
    """

    seconds: float = 0.0
    builds: Builds = field(default_factory=Builds)
    gpu_memory_before: int | None = None


def is_for_cpus(case: Case) -> bool:
    """Tell whether a case can run on a CPU alone."""
    return case.provider == "cpu" or case.backend != "auto" or case.precision == "bf16"


def graph_variables(graphs: bool | None) -> dict[str, str]:
    """Return the environment in which CUDA graphs may be used or not; None leaves it as it is."""
    from restore_rt.gpu_opening import GRAPHS
    from restore_rt.gpu_opening import ONNXRUNTIME_GRAPHS as IN_ONNXRUNTIME

    return {} if graphs is None else dict.fromkeys((GRAPHS, IN_ONNXRUNTIME), str(int(graphs)))


def load_case(case: Case) -> tuple[Restorer, Loading]:
    """Load a model as a case says.

    Raises
    ------
    RestoreError
        As ``restore_rt.load``.
    """
    builds = Builds()
    begin = time.perf_counter()
    # To ask opens the GPU, which takes time that loading would take otherwise.
    memory = None if is_for_cpus(case) else _gpu_memory()
    if memory is None:
        begin = time.perf_counter()
    device, backend = {"cuda": ("cuda", "onnxruntime"), "tensorrt": ("cuda", "tensorrt")}.get(
        case.provider, (case.provider, case.backend)
    )
    restorer = restore_rt.load(
        case.model,
        device=device,
        backend=backend,  # type: ignore[arg-type]
        precision=case.precision or "auto",  # type: ignore[arg-type]
        allow_bf16=case.precision == "auto",
        batch=case.batch,
        threads=case.threads,
        tile=case.tile,
        progress=builds,
    )
    seconds = time.perf_counter() - begin - (builds.seconds or 0.0)
    return restorer, Loading(seconds, builds, memory)


def _gpu_memory() -> int | None:
    """Return the bytes in use on the GPU, if there is one that can be used."""
    from restore_rt.bench.device import memory_in_use
    from restore_rt.gpu import missing_pieces

    return None if missing_pieces() else memory_in_use()
