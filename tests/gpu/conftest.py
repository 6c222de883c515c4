"""Fixtures of the tests of the GPU's runtime, on machines that have none."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

import restore_rt
from restore_rt import Restorer
from tests.gpu import host_kernels
from tests.gpu.emulator import Emulator, emulation
from tests.gpu.frames import MODEL, TILE
from tests.gpu.stand_in import Stage


@pytest.fixture(scope="session")
def kernels() -> ModuleType:
    """Return the kernels, compiled for the host."""
    return host_kernels.load()


@pytest.fixture
def emulated(request: pytest.FixtureRequest, kernels: ModuleType) -> Iterator[Emulator]:
    """Emulate a GPU, with an order of work that is the test's own."""
    with emulation(zlib.crc32(request.node.nodeid.encode()), kernels=kernels) as emulator:
        yield emulator


@pytest.fixture
def stage(emulated: Emulator, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Return the emulated GPU."""
    return Stage(emulated, monkeypatch)


@pytest.fixture(scope="module")
def on_cpu() -> Iterator[Restorer]:
    """Return the CPU's, whose results are to be matched."""
    options: dict[str, Any] = {"device": "cpu", "backend": "onnxruntime", "threads": 1}
    with restore_rt.load(MODEL, tile=TILE, **options) as restorer:
        yield restorer
