from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import onnx
import pytest

from restore_rt.errors import BackendError, EngineError, InputError, OutOfMemoryError
from restore_rt.export.interface import take_bytes
from restore_rt.gpu.backend import DeviceBackend
from restore_rt.model.precision import narrow
from tests.gpu.fake_gpu import Gpu, StandInArray
from tests.tensorrt.building.models import described
from tests.tensorrt.conftest import Opened
from tests.tensorrt.fake_runtime import FakeRuntime
from tests.tensorrt.opening import OTHER, SHAPE, expected_of, tiles_of


@pytest.mark.parametrize("name", ["tensorrt", "rtx"])
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_results_come_when_the_stream_gets_there(
    name: str, precision: str, model: onnx.ModelProto, gpu: Gpu, opened: Opened
) -> None:
    network = model if precision == "fp32" else narrow(model)
    fake = FakeRuntime("1.7" if name == "rtx" else "11.4.0", name=name)
    backend: DeviceBackend = opened(fake, network=network)
    kind = np.dtype({"fp32": "float32", "fp16": "float16"}[precision])
    assert (backend.name, backend.capturable) == ("tensorrt", True)
    assert backend.dtype == kind
    backend.prepare(SHAPE)
    waits, given = gpu.stream_.waits, len(gpu.pool_.given)
    pairs = []
    for seed in range(3):
        tiles = tiles_of(seed=seed)
        pairs.append((tiles, gpu.array(tiles.astype(kind)), gpu.empty((2, 1, 24, 40), kind)))
        backend.enqueue(*pairs[-1][1:])
    assert gpu.stream_.waits == waits
    assert len(gpu.pool_.given) == given == 1
    # All in the context's memory, for the last pair of addresses was set when the others ran.
    (context,) = fake.contexts
    assert context.memory[1] == gpu.pool_.given[0].shape[0]
    for array in (gpu.pool_.given[0], *pairs[0][1:]):
        assert cast(StandInArray, array).streams == {gpu.stream_}
    for tiles, _, out in pairs:
        assert np.abs(gpu.values(out) - expected_of(model, tiles)).max() < 1e-2
    assert gpu.device_.depth == 0


def test_addresses_are_told_once_while_they_stay(
    gpu: Gpu, opened: Opened, fake: FakeRuntime
) -> None:
    backend = opened(fake)
    tiles, out = gpu.array(tiles_of()), gpu.empty((2, 1, 24, 40), np.float32)
    for _ in range(3):
        backend.enqueue(tiles, out)
    assert fake.contexts[0].told == 2
    other = gpu.empty((2, 1, 24, 40), np.float32)
    backend.enqueue(tiles, other)
    assert fake.contexts[0].told == 4
    assert np.array_equal(gpu.values(other), gpu.values(out))


@pytest.mark.parametrize(
    "call",
    [
        "create_execution_context",
        "set_optimization_profile_async",
        "set_input_shape",
        "infer_shapes",
        "set_tensor_address",
        "execute_async_v3",
    ],
)
def test_every_call_is_checked(call: str, gpu: Gpu, opened: Opened, fake: FakeRuntime) -> None:
    backend = opened(fake)
    tiles, out = gpu.array(tiles_of()), gpu.empty((2, 1, 24, 40), np.float32)
    for said, kind in (("it is not liked", EngineError), ("Cuda: out of memory", OutOfMemoryError)):
        fake.refuses = call, said
        with pytest.raises(kind, match=rf"TensorRT 11\.4\.0 .*small: {said}"):
            backend.enqueue(tiles, out)
    fake.refuses = "", ""
    backend.enqueue(tiles, out)
    assert np.isfinite(gpu.values(out)).all()
    assert gpu.device_.depth == 0


def test_memory_for_a_context_may_run_out(gpu: Gpu, opened: Opened, fake: FakeRuntime) -> None:
    gpu.pool_.limit = 1000
    backend = opened(fake)
    with pytest.raises(OutOfMemoryError):
        backend.prepare(SHAPE)
    gpu.pool_.limit = 10**6
    backend.prepare(SHAPE)


def test_contexts_stay_until_they_are_released(gpu: Gpu, opened: Opened, fake: FakeRuntime) -> None:
    backend = opened(fake)
    for _ in range(2):
        for shape in (SHAPE, OTHER, (1, 1, 12, 20)):
            backend.prepare(shape)
    assert len(fake.contexts) == 3
    tiles, out = gpu.array(tiles_of()), gpu.empty((2, 1, 24, 40), np.float32)
    backend.enqueue(tiles, out)
    backend.release(SHAPE)
    assert not gpu.stream_.queue
    backend.prepare(OTHER)
    backend.prepare(SHAPE)
    assert len(fake.contexts) == 4
    backend.release()
    backend.prepare(OTHER)
    assert len(fake.contexts) == 5
    backend.close()
    backend.close()


def test_rtx_says_whether_it_may_be_captured(cache: Path, opened: Opened) -> None:
    fake = FakeRuntime("1.7", name="rtx")
    fake.refuses = "is_stream_capturable", "no"
    backend = opened(fake)
    backend.prepare(SHAPE)
    assert not backend.capturable
    assert list(cache.glob("*.timing")) == []


def test_gpus_that_rtx_does_not_know_are_named(opened: Opened) -> None:
    fake = FakeRuntime("1.7", name="rtx")
    with pytest.raises(BackendError, match=r"NVIDIA H100 \(sm90\).*restore-rt\[tensorrt\]"):
        opened(fake, gpu=Gpu("NVIDIA H100", (9, 0)))


def test_arrays_and_channels_that_do_not_fit_are_refused(
    gpu: Gpu, opened: Opened, fake: FakeRuntime
) -> None:
    backend = opened(fake)
    with pytest.raises(InputError, match="multiples of 256"):
        backend.enqueue(gpu.array(tiles_of(), shift=16), gpu.empty((2, 1, 24, 40), np.float32))
    with pytest.raises(BackendError, match="tiles have 3 channels, and small takes 1"):
        backend.prepare((2, 3, 12, 20))


def test_engines_of_other_types_are_refused(
    model: onnx.ModelProto, opened: Opened, fake: FakeRuntime
) -> None:
    made = described(take_bytes(model), of=model)
    with pytest.raises(BackendError, match="takes uint8 in NHWC and gives uint8 in NHWC; here"):
        opened(fake, network=made)
