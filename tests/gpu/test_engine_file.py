"""Engine files as models, on an emulated GPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import restore_rt
from restore_rt.errors import BackendError, InputError, NonFiniteError
from restore_rt.model import registry as zoo
from restore_rt.tensorrt import backend as tensorrt
from restore_rt.tensorrt.building import build_engine
from restore_rt.tensorrt.library import Library
from restore_rt.tensorrt.profile import Profile
from tests.gpu.emulator import Emulator
from tests.gpu.stand_in import Stage, StandIn


@pytest.fixture(scope="module")
def engine(rtx: Library, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build an engine, which needs no GPU, for tiles of up to 64x64 in batches of up to 2."""
    path = tmp_path_factory.mktemp("engine") / "video.engine"
    profile = Profile.parse("1x1x1:1x64x64:2x64x64")
    build_engine("video-x2", path, profile=profile, target="sm89", library=rtx)
    return path


@pytest.fixture
def stage(emulated: Emulator, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Let a stand-in run what the engine was built from."""
    stage = Stage(emulated, monkeypatch)
    model = onnx.load(zoo.path_of("video-x2"))

    def open_engine_backend(path: Path, *, stream: Any, **_: Any) -> StandIn:
        opened = StandIn(stage, model, stream)
        opened.name = "tensorrt"
        stage.opened.append(opened)
        return opened

    monkeypatch.setattr(tensorrt, "open_engine_backend", open_engine_backend)
    return stage


def test_frames_are_cut_to_what_the_engine_takes(engine: Path, stage: Stage) -> None:
    frame = np.random.default_rng(0).integers(0, 256, (150, 170), np.uint8)
    with restore_rt.load(engine, threads=1, batch=2) as restorer:
        assert (restorer.device, restorer.backend) == ("cuda:0", "tensorrt")
        assert restorer.tile == (64, 64)
        result = restorer(frame)
    with restore_rt.load("video-x2", device="cpu", threads=1) as on_cpu:
        assert np.abs(result.astype(int) - on_cpu(frame)).max() <= 1


def test_nan_is_an_error_since_there_is_no_network_to_run_again(engine: Path, stage: Stage) -> None:
    stage.spoil = lambda result, half: result * np.float32(np.nan)
    with restore_rt.load(engine) as restorer, pytest.raises(NonFiniteError):
        restorer(np.zeros((20, 20), np.uint8))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "cpu"}, "is an engine, which only TensorRT"),
        ({"device": "cuda", "backend": "onnxruntime"}, "is an engine, which only TensorRT"),
        ({"precision": "fp16"}, "was built in fp32"),
        ({"batch": 3}, "takes 1 to 2"),
    ],
)
def test_what_an_engine_cannot_do_is_refused(
    engine: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        restore_rt.load(engine, **options)


def test_a_machine_without_its_pieces_names_them(
    engine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from restore_rt import gpu_opening as opening

    monkeypatch.setattr(opening, "missing_pieces", lambda device=0: ["no driver: get one"])
    with pytest.raises(BackendError, match=r"cannot run on this machine: no driver: get one"):
        restore_rt.load(engine)
