"""The places where the CUDA kernels are tested."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

import pytest

from tests.cuda.place import HostPlace, Place
from tests.gpu import host_kernels


@pytest.fixture(scope="session", params=["host", pytest.param("gpu", marks=pytest.mark.gpu)])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """Return each place where the kernels can run."""
    if request.param == "host":
        yield HostPlace(host_kernels.load())
        return
    from tests.cuda.gpu_place import GpuPlace

    made = GpuPlace()
    with made.device.active():
        yield made


@pytest.fixture(scope="session")
def kernels() -> ModuleType:
    """Return the kernels, of whichever build, for what needs no memory."""
    return host_kernels.load()
