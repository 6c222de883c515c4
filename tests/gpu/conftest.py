"""Fixtures of the tests of the GPU's runtime, on machines that have none."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from types import ModuleType

import pytest

from tests.gpu import host_kernels
from tests.gpu.emulator import Emulator, emulation


@pytest.fixture(scope="session")
def kernels() -> ModuleType:
    """Return the kernels, compiled for the host."""
    return host_kernels.load()


@pytest.fixture
def emulated(request: pytest.FixtureRequest, kernels: ModuleType) -> Iterator[Emulator]:
    """Emulate a GPU, with an order of work that is the test's own."""
    with emulation(zlib.crc32(request.node.nodeid.encode()), kernels=kernels) as emulator:
        yield emulator
