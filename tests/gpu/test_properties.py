from __future__ import annotations

import ctypes
from typing import Any

import pytest

from restore_rt.errors import EngineError
from restore_rt.gpu.properties import find_gpu


class Driver:
    """Stands for libcuda: one GPU, unless a call is told to give something else."""

    def __init__(self, count: int = 1, **codes: int) -> None:
        self.count, self.codes = count, codes

    def __getattr__(self, call: str) -> Any:
        def answer(*arguments: Any) -> int:
            if call in self.codes:
                return self.codes[call]
            if call == "cuDeviceGetName":
                arguments[0].value = b"NVIDIA GeForce RTX 4070"
            elif call == "cuDeviceGetAttribute":
                arguments[0]._obj.value = {75: 8, 76: 9}[arguments[1]]
            elif call == "cuDeviceGetCount":
                arguments[0]._obj.value = self.count
            return 0

        return answer


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that puts a driver in place."""

    def place(driver: Driver | None) -> None:
        def load(name: str) -> Driver:
            if driver is None:
                raise OSError(f"{name}: cannot open shared object file")
            return driver

        monkeypatch.setattr(ctypes, "CDLL", load)

    return place


def test_the_first_gpu_is_described(driver: Any) -> None:
    driver(Driver())
    gpu = find_gpu()
    assert gpu is not None
    assert (gpu.name, gpu.capability, gpu.target) == ("NVIDIA GeForce RTX 4070", (8, 9), "sm89")
    assert str(gpu) == "NVIDIA GeForce RTX 4070 (sm89)"


@pytest.mark.parametrize("what", [None, Driver(cuInit=100), Driver(count=0)])
def test_no_driver_and_no_device_are_no_gpu(what: Driver | None, driver: Any) -> None:
    driver(what)
    assert find_gpu() is None


@pytest.mark.parametrize("call", ["cuInit", "cuDeviceGet", "cuDeviceGetName"])
def test_a_driver_that_fails_is_told_of(call: str, driver: Any) -> None:
    driver(Driver(**{call: 999}))
    with pytest.raises(EngineError, match=f"{call} gives CUDA error 999"):
        find_gpu()
