from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from restore_rt.errors import EngineError
from restore_rt.gpu import properties
from restore_rt.tensorrt import backend as tensorrt
from restore_rt.tensorrt.backend import TensorRtBackend, open_engine_backend
from restore_rt.tensorrt.building import build as building
from restore_rt.tensorrt.building import build_engine
from restore_rt.tensorrt.profile import Profile
from tests.gpu.fake_gpu import Gpu
from tests.tensorrt.fake_runtime import FakeRuntime
from tests.tensorrt.opening import OTHER, expected_of, tiles_of


@pytest.fixture
def engine(
    fake: FakeRuntime, model: onnx.ModelProto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Return an engine's file for 1 to 2 tiles of 8x8 to 12x20, built by ``fake``."""
    here = properties.Gpu("NVIDIA GeForce RTX 4070", (8, 9))
    monkeypatch.setattr(building, "find_gpu", lambda: here)
    monkeypatch.setattr(tensorrt, "open_library", lambda name: fake.library())
    path = tmp_path / "file.engine"
    profile = Profile.parse("1x8x8:1x12x20:2x12x20")
    build_engine(tmp_path / "small.onnx", path, library=fake.library(), profile=profile)
    return path


def opened(path: Path, gpu: Gpu) -> TensorRtBackend:
    return open_engine_backend(path, device=gpu.device, stream=gpu.stream, pool=gpu.pool)


def test_an_engine_of_a_file_runs(
    engine: Path, fake: FakeRuntime, model: onnx.ModelProto, gpu: Gpu
) -> None:
    for backend in [opened(engine, gpu) for _ in range(2)]:
        tiles, out = gpu.array(tiles_of()), gpu.empty((2, 1, 24, 40), np.float32)
        backend.enqueue(tiles, out)
        assert np.array_equal(gpu.values(out), expected_of(model, tiles_of()))
    assert fake.builds_done == 1
    assert len({id(context.engine) for context in fake.contexts}) == 1


def test_an_engine_of_a_file_says_which_sizes_it_takes(engine: Path, gpu: Gpu) -> None:
    said = r"tiles are 1x16x16 .*file\.engine takes 1x8x8 to 2x12x20 alone: .*--profile"
    with pytest.raises(EngineError, match=said):
        opened(engine, gpu).prepare(OTHER)


def test_an_engine_of_a_file_that_does_not_fit_is_refused(
    engine: Path, fake: FakeRuntime, gpu: Gpu
) -> None:
    with pytest.raises(EngineError, match="is to run on NVIDIA L4"):
        opened(engine, Gpu("NVIDIA L4", (8, 9)))
    fake.refused_plans = 1
    said = r"does not take .*file\.engine .*: the plan is not liked"
    with pytest.raises(EngineError, match=said):
        opened(engine, gpu)
    engine.write_bytes(engine.read_bytes()[:-1])
    with pytest.raises(EngineError, match="damaged"):
        opened(engine, gpu)
