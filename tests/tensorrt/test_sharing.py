"""Engines are built when they are needed, kept in the cache, and shared."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import onnx
import pytest

from restore_rt.errors import BackendError, EngineError, OutOfMemoryError, OutputError
from restore_rt.gpu import properties
from restore_rt.model.precision import narrow
from restore_rt.tensorrt import backend as tensorrt
from restore_rt.tensorrt import sharing as engine_share
from restore_rt.tensorrt.library import Library
from restore_rt.tensorrt.pair import read_engine, sidecar_path
from tests.gpu.fake_gpu import Gpu
from tests.tensorrt.building.models import described
from tests.tensorrt.conftest import Opened
from tests.tensorrt.fake_runtime import FakeRuntime
from tests.tensorrt.opening import OTHER, SHAPE


def engines_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.suffix == ".engine")


def test_the_first_engine_is_for_one_size_and_the_next_for_all(
    cache: Path, opened: Opened, fake: FakeRuntime
) -> None:
    backend = opened(fake)
    backend.prepare(SHAPE)
    assert fake.seen["shapes"] == ("x", ((1, 1, 12, 20), (2, 1, 12, 20), (2, 1, 12, 20)))
    # The last batch of a frame may be smaller.
    backend.prepare((1, 1, 12, 20))
    assert fake.builds_done == 1
    backend.prepare(OTHER)
    # The recommended tile is 48x64.
    assert fake.seen["shapes"] == ("x", ((1, 1, 1, 1), (2, 1, 16, 20), (2, 1, 48, 64)))
    for shape in ((2, 1, 48, 64), (1, 1, 7, 9), (2, 1, 1, 1)):
        backend.prepare(shape)
    assert fake.builds_done == 2
    assert len(engines_in(cache)) == 2
    backend.prepare((3, 1, 50, 20))
    assert fake.seen["shapes"] == ("x", ((1, 1, 1, 1), (3, 1, 50, 20), (3, 1, 50, 64)))


def test_engines_are_shared_and_their_cache_is_used(opened: Opened, fake: FakeRuntime) -> None:
    first, second = (opened(fake) for _ in range(2))
    for backend in (first, second):
        backend.prepare(SHAPE)
    assert len({id(context.engine) for context in fake.contexts}) == 1
    assert len(fake.contexts) == 2
    first.close()
    second.close()
    with pytest.raises(BackendError, match="is closed"):
        first.prepare(OTHER)
    again = opened(fake)
    again.prepare(SHAPE)
    assert fake.builds_done == 1
    assert len({id(context.engine) for context in fake.contexts}) == 2


@pytest.mark.parametrize("difference", ["weights", "precision", "version", "gpu", "capability"])
def test_all_that_an_engine_depends_on_makes_another(
    difference: str,
    model: onnx.ModelProto,
    gpu: Gpu,
    cache: Path,
    opened: Opened,
    fake: FakeRuntime,
) -> None:
    opened(fake).prepare(SHAPE)
    if difference == "weights":
        raw = bytearray(model.graph.initializer[0].raw_data)
        raw[0] ^= 1
        model.graph.initializer[0].raw_data = bytes(raw)
        described(model)
    elif difference == "precision":
        model = narrow(model)
    elif difference == "version":
        fake = FakeRuntime("11.5.0")
    else:
        name = "NVIDIA L4" if difference == "gpu" else gpu.device_.name
        gpu = Gpu(name, (8, 6) if difference == "capability" else (8, 9))
    before = fake.builds_done
    opened(fake, network=model, gpu=gpu).prepare(SHAPE)
    assert fake.builds_done == before + 1
    assert len(engines_in(cache)) == 2


@pytest.mark.parametrize("damage", ["engine", "sidecar", "missing", "cut", "other"])
def test_what_is_damaged_in_the_cache_is_built_again(
    damage: str, gpu: Gpu, cache: Path, opened: Opened, fake: FakeRuntime
) -> None:
    opened(fake).prepare(SHAPE)
    (path,) = cache.glob("*.engine")
    victim = sidecar_path(path) if damage == "sidecar" else path
    data = victim.read_bytes()
    if damage == "missing":
        sidecar_path(path).unlink()
    elif damage == "other":
        # Whole and sealed, but of another model.
        sidecar = read_engine(path, fake.library())[1]
        text = dataclasses.replace(sidecar, onnx_sha256="0" * 64).to_json()
        sidecar_path(path).write_text(text)
    else:
        victim.write_bytes(data[:-9] if damage == "cut" else data[:-9] + b"\0" + data[-8:])
    backend = opened(fake)
    backend.prepare(SHAPE)
    assert fake.builds_done == 2
    read_engine(path, fake.library(), gpu=properties.Gpu(gpu.device_.name, (8, 9)))


def test_an_engine_that_the_library_no_longer_takes_is_built_again_once(
    opened: Opened, fake: FakeRuntime
) -> None:
    opened(fake).prepare(SHAPE)
    # It is looked at again when nobody else can be building it.
    fake.refused_plans = 2
    opened(fake).prepare(SHAPE)
    assert fake.builds_done == 2
    fake.refused_plans = 3
    with pytest.raises(EngineError, match=r"built small and does not take it .*not liked; see"):
        opened(fake).prepare(SHAPE)
    assert fake.builds_done == 3


def test_threads_build_one_engine_together(
    monkeypatch: pytest.MonkeyPatch, opened: Opened, fake: FakeRuntime
) -> None:
    library = fake.library()
    gpus = [Gpu() for _ in range(4)]
    together = threading.Barrier(4)
    # As if each were a process of its own, which shares but the folder.
    monkeypatch.setattr(tensorrt, "share_of", lambda key, make: make())

    def work(gpu: Gpu) -> None:
        backend = opened(library, gpu=gpu)
        together.wait()
        backend.prepare(SHAPE)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, gpus))
    assert fake.builds_done == 1


def test_builds_show_how_they_go(opened: Opened, fake: FakeRuntime) -> None:
    told: list[Any] = []

    @contextmanager
    def progress(label: str) -> Iterator[Any]:
        told.append(label)
        yield told.append

    opened(fake, progress=progress).prepare(SHAPE)
    assert told == ["building small for exact", *[1] * 8]
    # The library's thread has the GPU's context, too.
    assert fake.depth_of_build == 1


def test_a_cache_may_be_one_that_cannot_be_written(
    monkeypatch: pytest.MonkeyPatch, opened: Opened, fake: FakeRuntime
) -> None:
    opened(fake).prepare(SHAPE)
    # Root may write anywhere.
    monkeypatch.setattr(engine_share, "make_cache_folder", None)
    monkeypatch.setattr(engine_share, "one_builder", None)
    opened(fake).prepare(SHAPE)
    assert fake.builds_done == 1


def test_measurements_are_kept_beside_the_engines(
    cache: Path, opened: Opened, fake: FakeRuntime
) -> None:
    backend = opened(fake)
    backend.prepare(SHAPE)
    assert fake.seen["timing"] == b""
    backend.prepare(OTHER)
    assert fake.seen["timing"] == b"+measured"
    (timing,) = cache.glob("*.timing")
    timing.write_bytes(b"damaged")
    backend.prepare((3, 1, 50, 50))
    assert fake.seen["timing"] == b""


def test_a_cache_that_cannot_be_written_is_named_before_any_build(
    tmp_path: Path, opened: Opened, fake: FakeRuntime
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="set RESTORE_RT_CACHE"):
        opened(fake, folder=tmp_path / "file" / "engines").prepare(SHAPE)
    assert fake.builds_done == 0


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_rtx_builds_into_the_cache_without_a_gpu(
    precision: str,
    rtx: Library,
    model: onnx.ModelProto,
    gpu: Gpu,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    opened: Opened,
) -> None:
    network = model if precision == "fp32" else narrow(model)
    plans: list[bytes] = []

    def load(self: engine_share.EngineShare, plan: bytes, sidecar: Any) -> str:
        plans.append(plan)
        return "there is no GPU"

    # All but the last step, which needs one.
    monkeypatch.setattr(engine_share.EngineShare, "_load", load)
    with pytest.raises(EngineError, match="there is no GPU"):
        opened(rtx, network=network).prepare(SHAPE)
    (path,) = cache.glob("*.engine")
    plan, sidecar = read_engine(path, rtx, gpu=properties.Gpu(gpu.device_.name, (8, 9)))
    assert plans == [plan]
    assert b"sm89" in plan
    assert (sidecar.precision, sidecar.target) == (precision, "sm89")
    assert str(sidecar.profile) == "1x12x20:2x12x20:2x12x20"
    # The next process finds it.
    with pytest.raises(EngineError):
        opened(rtx, network=network).prepare(SHAPE)
    assert plans[1] == plan


def test_memory_that_runs_out_while_an_engine_is_built_or_loaded_is_told_apart(
    model: onnx.ModelProto, opened: Opened, fake: FakeRuntime
) -> None:
    backend = opened(fake)
    fake.builds, fake.errors = False, ("Cuda Runtime (out of memory)",)
    with pytest.raises(OutOfMemoryError, match=r"cannot build small .*out of memory"):
        backend.prepare(SHAPE)
    fake.builds, fake.errors = True, ()
    backend.prepare(SHAPE)
    built, backend = fake.builds_done, opened(fake, network=narrow(model))
    fake.refused_plans, fake.reason = 1, "OutOfMemory (no further information)"
    with pytest.raises(
        OutOfMemoryError, match=r"too little memory on .* to load an engine of small"
    ):
        backend.prepare(SHAPE)
    # It is there, and is not built again for that.
    backend.prepare(SHAPE)
    assert fake.builds_done == built + 1
