"""Which library a backend takes on a GPU, and what is said where there is none."""

from __future__ import annotations

import ctypes
import importlib
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from restore_rt import gpu_opening as device
from restore_rt.errors import BackendError, EngineError, InputError
from restore_rt.gpu import library as onnxruntime_gpu
from restore_rt.gpu.backend import DeviceBackend
from restore_rt.gpu.library import import_onnxruntime_gpu
from restore_rt.gpu.onnxruntime import OnnxRuntimeDeviceBackend
from restore_rt.gpu_opening import missing_for, open_device_backend
from restore_rt.model.manifest import Manifest
from restore_rt.model.precision import narrow
from restore_rt.tensorrt.backend import TensorRtBackend
from tests.gpu.fake_gpu import Gpu
from tests.gpu.fake_onnxruntime import CPU, FakeOnnxRuntime
from tests.tensorrt.fake_runtime import FakeRuntime

CUDA_13 = {"libcudart.so.13", "libcublas.so.13", "libcublasLt.so.13", "libcudnn.so.9"}
TENSORRT_10 = {"libnvinfer.so.10", "libnvonnxparser.so.10"}


class Machine:
    """What is installed."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.onnxruntime: Any = FakeOnnxRuntime()
        self.distributions = {"onnxruntime-gpu"}
        self.files = CUDA_13 | TENSORRT_10
        self.library: Any = BackendError("neither is installed")
        patch.setattr(metadata, "distribution", self.distribution)
        patch.setattr(ctypes, "CDLL", self.load)
        patch.setattr(device, "open_library", self.open_library)
        patch.setattr(importlib, "import_module", self.import_module)
        patch.setattr(sys, "platform", "linux")
        onnxruntime_gpu._preload.cache_clear()

    def distribution(self, name: str) -> None:
        if name not in self.distributions:
            raise metadata.PackageNotFoundError(name)

    def load(self, name: str) -> None:
        if name not in self.files:
            raise OSError(f"{name}: cannot open shared object file")

    def open_library(self, choice: str = "auto") -> Any:
        if isinstance(self.library, Exception):
            raise self.library
        return self.library

    def import_module(self, name: str) -> Any:
        if name != "onnxruntime" or self.onnxruntime is None:
            raise ImportError(f"No module named {name!r}")
        return self.onnxruntime


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Return a machine with ONNX Runtime for GPUs and all that it needs."""
    return Machine(monkeypatch)


Opened = Callable[..., DeviceBackend]


@pytest.fixture
def opened(model: onnx.ModelProto, manifest: Manifest, gpu: Gpu) -> Opened:
    """Return a function that opens ``model``, or another ``network``, on the fake GPU."""
    usual: dict[str, Any] = {"backend": "onnxruntime", "threads": 1}
    place: dict[str, Any] = {"device": gpu.device, "stream": gpu.stream, "pool": gpu.pool}

    def open_with(network: onnx.ModelProto = model, **options: Any) -> DeviceBackend:
        return open_device_backend(network, manifest, **place, **(usual | options))

    return open_with


def test_nothing_is_missing_where_all_is_there(machine: Machine) -> None:
    assert missing_for("onnxruntime") == []
    assert missing_for("tensorrt") == []


def test_onnxruntime_that_is_not_there_is_named(machine: Machine) -> None:
    machine.onnxruntime = None
    (said,) = missing_for("onnxruntime")
    assert said == (
        "onnxruntime is installed but cannot be imported (No module named 'onnxruntime'): "
        "pip uninstall onnxruntime onnxruntime-gpu, then pip install 'restore-rt[gpu]'"
    )
    machine.distributions = set()
    assert missing_for("onnxruntime") == [
        "onnxruntime-gpu is not installed: pip install 'restore-rt[gpu]'"
    ]


def test_the_one_for_cpus_is_no_substitute(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine.onnxruntime, "get_available_providers", lambda: [CPU])
    machine.distributions = {"onnxruntime"}
    (said,) = missing_for("onnxruntime")
    assert "runs on the CPU alone" in said
    assert "pip uninstall onnxruntime onnxruntime-gpu, then pip install 'restore-rt[gpu]'" in said


def test_both_at_once_are_refused(machine: Machine) -> None:
    machine.distributions = {"onnxruntime", "onnxruntime-gpu"}
    (said,) = missing_for("onnxruntime")
    assert "both installed, and overwrite each other's files: pip uninstall" in said


def test_libraries_of_cuda_are_named(machine: Machine) -> None:
    machine.files -= {"libcudnn.so.9", "libcublasLt.so.13"}
    (said,) = missing_for("onnxruntime")
    assert "libcublasLt.so.13, libcudnn.so.9 cannot be loaded" in said
    with pytest.raises(BackendError, match=r"cannot use CUDAExecutionProvider: .*libcudnn\.so"):
        import_onnxruntime_gpu("cuda")


def test_what_the_library_prints_is_part_of_the_message(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.onnxruntime.preload_dlls = lambda: print("Failed to load\n libcudnn")
    machine.files -= {"libcudnn.so.9"}
    (said,) = missing_for("onnxruntime")
    assert "libcudnn.so.9 cannot be loaded (Failed to load libcudnn): pip" in said
    assert capsys.readouterr().out == ""


def test_libraries_from_pip_are_loaded_first(machine: Machine) -> None:
    machine.files -= CUDA_13
    machine.onnxruntime.preload_dlls = lambda: machine.files.update(CUDA_13)
    assert missing_for("onnxruntime") == []


def test_tensorrt_names_both_ways(machine: Machine) -> None:
    machine.files -= TENSORRT_10
    assert missing_for("onnxruntime") == []
    (said,) = missing_for("tensorrt")
    assert "neither is installed" in said
    assert "libnvinfer.so.10, libnvonnxparser.so.10 of TensorRT 10 cannot be loaded" in said
    assert "pip install 'tensorrt>=10.16,<11'" in said


def test_tensorrt_runs_in_its_own_library_where_that_is_there(
    machine: Machine, gpu: Gpu, cache: Path, opened: Opened
) -> None:
    machine.library = FakeRuntime().library()
    machine.onnxruntime = None
    backend = opened(backend="tensorrt")
    assert isinstance(backend, TensorRtBackend)
    assert backend.description == f"TensorRT 11.4.0 on {gpu.device_.name}, fp32"
    backend.prepare((1, 1, 8, 8))
    assert len(list(cache.glob("*.engine"))) == 1
    assert missing_for("tensorrt") == []


def test_tensorrt_runs_in_onnxruntime_where_that_is_all(
    machine: Machine, gpu: Gpu, cache: Path, opened: Opened
) -> None:
    backend = opened(backend="tensorrt")
    assert isinstance(backend, OnnxRuntimeDeviceBackend)
    assert backend.description == f"ONNX Runtime 1.32.0, TensorRT on {gpu.device_.name}, fp32"
    backend.prepare((1, 1, 8, 8))
    assert (cache / "onnxruntime").is_dir()


def test_tensorrt_that_is_broken_is_not_passed_over(machine: Machine, opened: Opened) -> None:
    machine.library = EngineError("TensorRT is installed but cannot be loaded")
    with pytest.raises(EngineError, match="cannot be loaded"):
        opened(backend="tensorrt")
    assert missing_for("tensorrt") == ["TensorRT is installed but cannot be loaded"]


def test_cuda_is_onnxruntime_and_takes_any_folder(
    machine: Machine, model: onnx.ModelProto, tmp_path: Path, opened: Opened
) -> None:
    machine.library = FakeRuntime().library()
    for network, dtype in ((model, np.float32), (narrow(model), np.float16)):
        backend = opened(network, cache=tmp_path / "own")
        assert isinstance(backend, OnnxRuntimeDeviceBackend)
        assert backend.name == "onnxruntime"
        assert backend.dtype == dtype
    assert not (tmp_path / "own").exists()


def test_models_that_say_nothing_are_built_by_what_is_said_of_them(
    machine: Machine, model: onnx.ModelProto, opened: Opened
) -> None:
    machine.library = FakeRuntime().library()
    del model.metadata_props[:]
    # What is said of it was found before it was made fp16.
    backend = opened(narrow(model), backend="tensorrt")
    assert backend.dtype == np.float16


def test_other_backends_are_refused(opened: Opened) -> None:
    message = "'native'; on a GPU allowed are onnxruntime, tensorrt"
    with pytest.raises(InputError, match=message):
        missing_for("native")
    with pytest.raises(InputError, match=message):
        opened(backend="native")


def test_importing_the_backends_loads_no_library() -> None:
    code = (
        "import sys; import restore_rt.gpu_opening, restore_rt.gpu.tiles, "
        "restore_rt.tensorrt.backend, restore_rt.gpu.onnxruntime, "
        "restore_rt.gpu.parity; bad = {'onnxruntime', 'tensorrt', 'tensorrt_rtx_bindings', "
        "'pycuda', 'torch'} & sys.modules.keys(); assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
