"""What ``provider="auto"`` takes, with GPUs and Restorers that are none."""

from __future__ import annotations

import json
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import restore_rt
from restore_rt import choosing
from restore_rt.errors import BackendError, EngineError, ModelError, OutputError, RestoreError
from restore_rt.gpu import opening
from restore_rt.gpu.properties import Gpu
from restore_rt.model import registry as zoo
from restore_rt.model.manifest import Manifest
from restore_rt.tiled.sizes import TileSizes

MANIFEST = next(manifest for manifest in zoo.models() if manifest.name == "video-x2")
SIZES = TileSizes.of(MANIFEST, tile=None, overlap=None, feather=None, batch=1)


class FakeRestorer:
    tile = (64, 64)

    def __init__(self, provider: str, seconds: float) -> None:
        self.provider = provider
        self.closed = False
        self._seconds = seconds

    def __call__(self, frame: Any, *, out: Any = None) -> Any:
        time.sleep(self._seconds)
        return np.empty(1)

    def close(self) -> None:
        self.closed = True

    def __enter__(self) -> FakeRestorer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Machine:
    """A machine with a GPU, on which some providers work and take some time."""

    def __init__(self, patch: pytest.MonkeyPatch, cache: Path) -> None:
        self.seconds: dict[str, float | None] = {"cuda": 0.0, "tensorrt": 0.02, "cpu": 0.04}
        self.missing: dict[str, list[str]] = {}
        self.opened: list[FakeRestorer] = []
        self.error: type[RestoreError] = BackendError
        self.gpu: Gpu | None = Gpu("A GPU", (8, 9))
        patch.setenv("RESTORE_RT_CACHE", str(cache))
        patch.setattr("restore_rt.tensorrt.find_gpu", lambda index=0: self.gpu)
        patch.setattr(
            opening, "missing_here", lambda provider, device=0: self.missing.get(provider, [])
        )

    def open_on(self, provider: str) -> Any:
        seconds = self.seconds[provider]
        if seconds is None:
            raise self.error(f"{provider} is broken")
        self.opened.append(FakeRestorer(provider, seconds))
        return self.opened[-1]

    def choose(self, manifest: Manifest = MANIFEST, *, cpu: bool = True) -> str:
        self.opened.clear()
        chosen = choosing.open_fastest(self.open_on, manifest, SIZES, device=0, threads=1, cpu=cpu)
        for restorer in self.opened:
            assert restorer.closed == (id(restorer) != id(chosen))
        return chosen.provider


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    return Machine(monkeypatch, tmp_path / "cache")


def test_without_a_gpu_it_is_the_cpu_at_once(machine: Machine) -> None:
    machine.gpu = None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert machine.choose() == "cpu"
    assert len(machine.opened) == 1


def test_a_driver_that_fails_is_warned_of(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(index: int) -> None:
        raise EngineError("NVIDIA's driver fails")

    monkeypatch.setattr("restore_rt.tensorrt.find_gpu", fail)
    with pytest.warns(RuntimeWarning, match="NVIDIA's driver fails; the CPU is used"):
        assert machine.choose() == "cpu"


@pytest.mark.parametrize("fastest", ["cuda", "tensorrt", "cpu"])
def test_the_fastest_is_taken(machine: Machine, fastest: str) -> None:
    machine.seconds |= dict.fromkeys(machine.seconds, 0.03) | {fastest: 0.0}
    assert machine.choose() == fastest
    opened = [restorer.provider for restorer in machine.opened]
    # The one that is used has seen no other frame than the user's.
    assert opened == ["cuda", "tensorrt", "cpu", fastest]


def test_it_is_measured_once(machine: Machine) -> None:
    assert machine.choose() == "cuda"
    machine.seconds["cuda"] = 0.1
    assert machine.choose() == "cuda"
    assert len(machine.opened) == 1


def test_another_model_gpu_or_set_of_providers_is_measured_again(machine: Machine) -> None:
    assert machine.choose() == "cuda"
    machine.seconds |= {"cuda": 0.05, "tensorrt": 0.0}
    machine.gpu = Gpu("Another GPU", (9, 0))
    assert machine.choose() == "tensorrt"
    machine.missing["tensorrt"] = ["it is gone"]
    assert machine.choose() == "cpu"


def test_a_cache_that_is_damaged_or_not_writable_does_no_harm(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache").mkdir()
    known = tmp_path / "cache" / "providers.json"
    for text in ("{", "[]", '{"a": 1}'):
        known.write_text(text)
        assert machine.choose() == "cuda"
    assert "cuda" in json.loads(known.read_text()).values()
    monkeypatch.setenv("RESTORE_RT_CACHE", "/proc/nothing")
    assert machine.choose() == "cuda"


def test_a_gpu_that_cannot_be_used_is_warned_of(machine: Machine) -> None:
    machine.missing = {"cuda": ["pycuda is not installed"], "tensorrt": ["so is it"]}
    with pytest.warns(RuntimeWarning, match="A GPU .* cannot be used: pycuda is not installed"):
        assert machine.choose() == "cpu"


def test_a_provider_that_fails_is_warned_of_and_passed_over(machine: Machine) -> None:
    machine.seconds["cuda"] = None
    with pytest.warns(RuntimeWarning, match="provider 'cuda' fails: cuda is broken"):
        assert machine.choose() == "tensorrt"


@pytest.mark.parametrize("kind", [ModelError, OutputError])
def test_whatever_a_provider_fails_of_another_one_is_taken(
    machine: Machine, kind: type[RestoreError]
) -> None:
    machine.error = kind
    machine.seconds["tensorrt"] = None
    with pytest.warns(RuntimeWarning, match="provider 'tensorrt' fails"):
        assert machine.choose() == "cuda"


def test_nothing_that_runs_is_one_error(machine: Machine) -> None:
    machine.seconds = dict.fromkeys(machine.seconds)
    with pytest.warns(RuntimeWarning), pytest.raises(BackendError, match="runs on none of"):
        machine.choose()
    machine.gpu = None
    with pytest.raises(BackendError, match="no GPU can run video-x2 as it was asked for"):
        machine.choose(cpu=False)


@pytest.mark.parametrize("provider", ["cuda", "tensorrt"])
def test_a_provider_without_its_pieces_names_them_all(
    provider: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        opening, "missing_pieces", lambda device=0: ["no driver: get one", "no kernels"]
    )
    monkeypatch.setattr(opening, "missing_for", lambda name: [f"nothing for {name}"])
    expected = (
        f"provider '{provider}' cannot run on this machine: no driver: get one; no kernels; "
        f"nothing for {provider}. provider='cpu' runs without"
    )
    with pytest.raises(BackendError) as caught:
        restore_rt.load("video-x2", provider=provider)
    assert str(caught.value) == expected
