"""The place that ``auto`` takes, with stand-ins for GPUs and Restorers."""

from __future__ import annotations

import json
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import restore_rt
from restore_rt import choosing
from restore_rt import gpu_opening as opening
from restore_rt.errors import BackendError, EngineError, ModelError, OutputError, RestoreError
from restore_rt.gpu.properties import Gpu
from restore_rt.model import registry as zoo
from restore_rt.model.interface import Interface
from restore_rt.model.reading import LoadedModel
from restore_rt.opening import Place
from restore_rt.options import LoadOptions

MANIFEST = next(manifest for manifest in zoo.models() if manifest.name == "video-x2")
NETWORK = onnx.ModelProto()
MODEL = LoadedModel(
    Path("video-x2.onnx"), NETWORK, NETWORK, MANIFEST, Interface(None, 1, None, None)
)


class FakeRestorer:
    manifest = MANIFEST

    def __init__(self, place: Place, seconds: float) -> None:
        self.place = place
        self.closed = False
        self._seconds = seconds

    def __call__(self, frame: Any, *, out: Any = None) -> Any:
        time.sleep(self._seconds)
        return np.empty(1)

    def __enter__(self) -> FakeRestorer:
        return self

    def __exit__(self, *_: object) -> None:
        self.closed = True


class Machine:
    """A machine with a GPU, on which some backends work and take some time."""

    def __init__(self, patch: pytest.MonkeyPatch, cache: Path) -> None:
        self.seconds: dict[str, float | None] = {"onnxruntime": 0.0, "tensorrt": 0.02, "cpu": 0.04}
        self.missing: dict[str, list[str]] = {}
        self.opened: list[FakeRestorer] = []
        self.error: type[RestoreError] = BackendError
        self.gpu: Gpu | None = Gpu("A GPU", (8, 9))
        patch.setenv("RESTORE_RT_CACHE", str(cache))
        patch.setattr("restore_rt.gpu.properties.find_gpu", lambda index=0: self.gpu)
        patch.setattr(
            opening, "missing_here", lambda backend, device=0: self.missing.get(backend, [])
        )
        patch.setattr(choosing, "open_restorer", self.open_restorer)

    def open_restorer(self, model: LoadedModel, place: Place, options: LoadOptions) -> Any:
        name = "cpu" if place.device == "cpu" else place.backend
        seconds = self.seconds[name]
        if seconds is None:
            raise self.error(f"{name} is broken")
        self.opened.append(FakeRestorer(place, seconds))
        return self.opened[-1]

    def choose(self, **options: Any) -> str:
        self.opened.clear()
        place = choosing.choose_place(MODEL, LoadOptions(**options))
        assert all(restorer.closed for restorer in self.opened)
        return "cpu" if place.device == "cpu" else place.backend


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    return Machine(monkeypatch, tmp_path / "cache")


def test_without_a_gpu_it_is_the_cpu_at_once(machine: Machine) -> None:
    machine.gpu = None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert machine.choose() == "cpu"
    assert not machine.opened


def test_a_driver_that_fails_is_warned_of(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(index: int) -> None:
        raise EngineError("NVIDIA's driver fails")

    monkeypatch.setattr("restore_rt.gpu.properties.find_gpu", fail)
    with pytest.warns(RuntimeWarning, match="NVIDIA's driver fails; the CPU is used"):
        assert machine.choose() == "cpu"


@pytest.mark.parametrize("fastest", ["onnxruntime", "tensorrt", "cpu"])
def test_the_fastest_is_taken(machine: Machine, fastest: str) -> None:
    machine.seconds |= dict.fromkeys(machine.seconds, 0.03) | {fastest: 0.0}
    assert machine.choose() == fastest
    opened = [str(restorer.place) for restorer in machine.opened]
    assert opened == ["onnxruntime on cuda:0", "tensorrt on cuda:0", "auto on cpu"]


def test_it_is_measured_once(machine: Machine) -> None:
    assert machine.choose() == "onnxruntime"
    machine.seconds["onnxruntime"] = 0.1
    assert machine.choose() == "onnxruntime"
    assert not machine.opened


def test_another_model_gpu_or_set_of_backends_is_measured_again(machine: Machine) -> None:
    assert machine.choose() == "onnxruntime"
    machine.seconds |= {"onnxruntime": 0.05, "tensorrt": 0.0}
    machine.gpu = Gpu("Another GPU", (9, 0))
    assert machine.choose() == "tensorrt"
    machine.missing["tensorrt"] = ["it is gone"]
    assert machine.choose() == "cpu"


def test_a_cache_that_is_damaged_or_not_writable_does_no_harm(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache").mkdir()
    known = tmp_path / "cache" / "fastest.json"
    for text in ("{", "[]", '{"a": 1}'):
        known.write_text(text)
        assert machine.choose() == "onnxruntime"
    assert "onnxruntime on cuda:0" in json.loads(known.read_text()).values()
    monkeypatch.setenv("RESTORE_RT_CACHE", "/proc/nothing")
    assert machine.choose() == "onnxruntime"


def test_a_gpu_that_cannot_be_used_is_warned_of(machine: Machine) -> None:
    machine.missing = {"onnxruntime": ["pycuda is not installed"], "tensorrt": ["so is it"]}
    with pytest.warns(RuntimeWarning, match="A GPU .* cannot be used: pycuda is not installed"):
        assert machine.choose() == "cpu"


def test_a_backend_that_fails_is_warned_of_and_passed_over(machine: Machine) -> None:
    machine.seconds["onnxruntime"] = None
    with pytest.warns(RuntimeWarning, match="onnxruntime on cuda:0 fails: onnxruntime is broken"):
        assert machine.choose() == "tensorrt"


@pytest.mark.parametrize("kind", [ModelError, OutputError])
def test_whatever_a_backend_fails_of_another_one_is_taken(
    machine: Machine, kind: type[RestoreError]
) -> None:
    machine.error = kind
    machine.seconds["tensorrt"] = None
    with pytest.warns(RuntimeWarning, match="tensorrt on cuda:0 fails"):
        assert machine.choose() == "onnxruntime"


def test_nothing_that_runs_is_one_error(machine: Machine) -> None:
    machine.seconds = dict.fromkeys(machine.seconds)
    with pytest.warns(RuntimeWarning), pytest.raises(BackendError, match="runs on none of"):
        machine.choose()
    machine.gpu = None
    with pytest.raises(BackendError, match="video-x2 cannot run on cuda:0"):
        machine.choose(precision="fp16")


@pytest.mark.parametrize("backend", ["onnxruntime", "tensorrt"])
def test_a_backend_without_its_pieces_names_them_all(
    backend: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        opening, "missing_pieces", lambda device=0: ["no driver: get one", "no kernels"]
    )
    monkeypatch.setattr(opening, "missing_for", lambda name: [f"nothing for {name}"])
    expected = (
        f"backend '{backend}' cannot run on cuda:0 of this machine: no driver: get one; no "
        f"kernels; nothing for {backend}. device='cpu' needs none of these"
    )
    with pytest.raises(BackendError) as caught:
        restore_rt.load("video-x2", device="cuda", backend=backend)
    assert str(caught.value) == expected
