from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from restore_rt.errors import BackendError, InputError, OutOfMemoryError, OutputError
from restore_rt.gpu import onnxruntime as onnxruntime_device
from restore_rt.gpu.backend import DeviceBackend
from restore_rt.gpu.onnxruntime import OnnxRuntimeDeviceBackend
from restore_rt.model.manifest import Manifest
from restore_rt.model.precision import narrow
from restore_rt.progress import silent
from tests.gpu.fake_gpu import Gpu
from tests.gpu.fake_onnxruntime import CUDA, TENSORRT, FakeOnnxRuntime
from tests.tensorrt.opening import SHAPE, expected_of, tiles_of

Opened = Callable[..., OnnxRuntimeDeviceBackend]
Install = Callable[[FakeOnnxRuntime], FakeOnnxRuntime]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Return a function that puts a library in ONNX Runtime's place."""

    def put(fake: FakeOnnxRuntime) -> FakeOnnxRuntime:
        monkeypatch.setattr(onnxruntime_device, "import_onnxruntime_gpu", lambda provider: fake)
        return fake

    return put


@pytest.fixture
def library(install: Install) -> FakeOnnxRuntime:
    return install(FakeOnnxRuntime())


@pytest.fixture
def opened(model: onnx.ModelProto, manifest: Manifest, gpu: Gpu, cache: Path) -> Opened:
    """Return a function that opens ``model``, or another ``network``, on the fake GPU."""
    usual: dict[str, Any] = {"provider": "cuda", "threads": 1, "cache": cache}
    place: dict[str, Any] = {"device": gpu.device, "stream": gpu.stream, "pool": gpu.pool}

    def open_with(network: onnx.ModelProto = model, **options: Any) -> OnnxRuntimeDeviceBackend:
        return OnnxRuntimeDeviceBackend(network, manifest, **place, **(usual | options))

    return open_with


@pytest.mark.parametrize("provider", ["cuda", "tensorrt"])
def test_results_are_those_of_the_cpu_when_the_stream_gets_there(
    provider: str, model: onnx.ModelProto, gpu: Gpu, library: FakeOnnxRuntime, opened: Opened
) -> None:
    backend: DeviceBackend = opened(provider=provider)
    backend.prepare(SHAPE)
    waits = gpu.stream_.waits
    pairs = []
    for seed in range(3):
        tiles = tiles_of(seed=seed)
        pairs.append((tiles, gpu.array(tiles), gpu.empty((2, 1, 24, 40), np.float32)))
        backend.enqueue(*pairs[-1][1:])
    # Nothing was waited for, and nothing allocated.
    assert gpu.stream_.waits == waits
    assert len(gpu.stream_.queue) == 3
    assert len(gpu.pool_.given) == 2
    assert all(array.streams == {gpu.stream_} for array in gpu.pool_.given)
    for tiles, _, out in pairs:
        assert np.array_equal(gpu.values(out), expected_of(model, tiles))
    assert (backend.name, backend.capturable) == (
        {"cuda": "onnxruntime"}.get(provider, provider),
        False,
    )
    assert backend.dtype == np.float32
    assert gpu.device_.depth == 0


def test_fp16_tiles_are_taken_by_fp16_networks(
    model: onnx.ModelProto, gpu: Gpu, library: FakeOnnxRuntime, opened: Opened
) -> None:
    backend = opened(narrow(model))
    assert backend.dtype == np.float16
    tiles = tiles_of()
    given, out = gpu.array(tiles.astype(np.float16)), gpu.empty((2, 1, 24, 40), np.float16)
    backend.enqueue(given, out)
    assert np.abs(gpu.values(out) - expected_of(model, tiles)).max() < 1e-2
    assert "fp16" in backend.description


def test_the_cuda_provider_is_told_of_stream_shape_and_precision(
    gpu: Gpu, library: FakeOnnxRuntime, opened: Opened
) -> None:
    opened().prepare(SHAPE)
    (session,) = library.sessions
    assert session.providers == [
        (
            CUDA,
            {
                "device_id": "0",
                "user_compute_stream": str(gpu.stream_.handle),
                "do_copy_in_default_stream": "1",
                "arena_extend_strategy": "kSameAsRequested",
                "cudnn_conv_algo_search": "HEURISTIC",
                "use_tf32": "0",
            },
        )
    ]
    assert session.options.sizes == {"n": 2, "h": 12, "w": 20}
    # A warm-up, in memory that is given back.
    assert [entries for _, entries in session.runs] == [
        {"disable_synchronize_execution_providers": "1"}
    ]
    assert not gpu.stream_.queue


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_the_tensorrt_provider_always_has_all_three_profiles(
    precision: str,
    model: onnx.ModelProto,
    gpu: Gpu,
    cache: Path,
    library: FakeOnnxRuntime,
    opened: Opened,
) -> None:
    network = model if precision == "fp32" else narrow(model)
    told: list[str] = []

    def progress(label: str) -> Any:
        told.append(label)
        return silent(label)

    backend = opened(network, provider="tensorrt", progress=progress)
    backend.prepare(SHAPE)
    backend.prepare((1, 1, 12, 20))
    first, second = library.sessions
    assert first.asked == [TENSORRT, CUDA]
    options = first.providers[0][1]
    for name in ("min", "opt", "max"):
        assert options[f"trt_profile_{name}_shapes"] == "x:2x1x12x20"
        assert second.providers[0][1][f"trt_profile_{name}_shapes"] == "x:1x1x12x20"
    assert options["trt_fp16_enable"] == ("1" if precision == "fp16" else "0")
    assert options["trt_engine_cache_path"] == str(cache)
    assert cache.is_dir()
    prefixes = {session.providers[0][1]["trt_engine_cache_prefix"] for session in (first, second)}
    assert len(prefixes) == 2
    assert options["user_compute_stream"] == str(gpu.stream_.handle)
    # Its dimensions stay dynamic, as a profile wants them.
    assert first.options.sizes == {}
    assert told == [f"building small for {gpu.device_.name}"] * 2


def test_a_folder_that_cannot_be_made_is_named(
    tmp_path: Path, library: FakeOnnxRuntime, opened: Opened
) -> None:
    (tmp_path / "file").touch()
    backend = opened(cache=tmp_path / "file" / "engines", provider="tensorrt")
    with pytest.raises(OutputError, match="set RESTORE_RT_CACHE"):
        backend.prepare(SHAPE)


def test_nodes_on_the_cpu_are_named_and_refused(
    model: onnx.ModelProto, gpu: Gpu, opened: Opened, install: Install
) -> None:
    install(FakeOnnxRuntime(on_cpu=("DepthToSpace",)))
    for node in model.graph.node:
        node.name = f"node_{node.output[0]}"
    backend = opened()
    with pytest.raises(BackendError, match=r"1 nodes .*: node_y \(DepthToSpace\); export"):
        backend.prepare(SHAPE)
    with pytest.raises(BackendError, match="DepthToSpace"):
        backend.enqueue(gpu.array(tiles_of()), gpu.empty((2, 1, 24, 40), np.float32))
    opened(allow_cpu_nodes=True).prepare(SHAPE)


def test_versions_that_do_not_tell_where_nodes_are_refuse_themselves(
    opened: Opened, install: Install
) -> None:
    library = install(FakeOnnxRuntime(on_cpu=("Conv",), tells=False))
    with pytest.raises(BackendError, match=r"parts of small on the CPU.*1\.32"):
        opened().prepare(SHAPE)
    library.on_cpu = ()
    opened().prepare(SHAPE)
    library.on_cpu = ("Conv",)
    opened(allow_cpu_nodes=True).prepare(SHAPE)


def test_a_provider_that_did_not_start_is_noticed(opened: Opened, install: Install) -> None:
    install(FakeOnnxRuntime(starts=False))
    for provider in ("cuda", "tensorrt"):
        backend = opened(provider=provider, allow_cpu_nodes=True)
        with pytest.raises(BackendError, match=r"did not start, .* would use CPUExecutionProvider"):
            backend.prepare(SHAPE)


def test_tensorrt_may_leave_nodes_to_cuda_but_not_all(opened: Opened, install: Install) -> None:
    library = install(FakeOnnxRuntime(on_cuda=("DepthToSpace",)))
    opened(provider="tensorrt").prepare(SHAPE)
    library.on_cuda = ("DepthToSpace", "Conv")
    with pytest.raises(BackendError, match="TensorRT takes no part of small"):
        opened(provider="tensorrt").prepare(SHAPE)


def test_memory_that_runs_out_is_told_apart(gpu: Gpu, opened: Opened, install: Install) -> None:
    install(FakeOnnxRuntime(room=400))
    backend = opened()
    with pytest.raises(OutOfMemoryError, match=r"\(2, 1, 12, 20\)"):
        backend.prepare(SHAPE)
    # What failed is not taken for prepared, and a smaller shape is.
    backend.prepare((1, 1, 12, 20))
    gpu.pool_.limit = 100
    with pytest.raises(OutOfMemoryError, match="no room"):
        backend.prepare((1, 1, 12, 12))


def test_the_last_shapes_stay_prepared_until_they_are_released(
    gpu: Gpu, library: FakeOnnxRuntime, opened: Opened
) -> None:
    backend = opened()
    shapes = [(1, 1, 8, 8 + width) for width in range(4)]
    for _ in range(2):
        for shape in shapes:
            backend.prepare(shape)
    assert len(library.sessions) == 4
    tiles, out = gpu.array(tiles_of(shapes[0])), gpu.empty((1, 1, 16, 16), np.float32)
    backend.enqueue(tiles, out)
    backend.release(shapes[0])
    # The work that was queued is done before its memory goes.
    assert not gpu.stream_.queue
    backend.prepare(shapes[1])
    assert len(library.sessions) == 4
    backend.prepare(shapes[0])
    assert len(library.sessions) == 5
    backend.enqueue(tiles, out)
    # A fifth one takes the place of that which was not used for longest, and waits for it.
    backend.prepare((1, 1, 8, 20))
    assert not gpu.stream_.queue
    assert len(library.sessions) == 6
    backend.prepare(shapes[0])
    assert len(library.sessions) == 6
    backend.prepare(shapes[1])
    assert len(library.sessions) == 7
    backend.release()
    backend.prepare(shapes[1])
    assert len(library.sessions) == 8
    backend.close()
    backend.close()


def test_graphs_are_the_providers_own_one_for_each_pair_of_arrays(
    gpu: Gpu, library: FakeOnnxRuntime, opened: Opened
) -> None:
    backend = opened(graphs=True)
    backend.prepare(SHAPE)
    (session,) = library.sessions
    assert session.providers[0][1]["enable_cuda_graph"] == "1"
    tiles = gpu.array(tiles_of())
    outs = [gpu.empty((2, 1, 24, 40), np.float32) for _ in range(6)]
    for out in (*outs, *outs):
        backend.enqueue(tiles, out)
    names = [entries["gpu_graph_id"] for _, entries in session.runs]
    # The warm-up's arrays are gone, and graphs are not kept without end.
    assert names == ["-1", *(["1", "2", "3", "4", "-1", "-1"] * 2)]
    backend.release()
    backend.enqueue(tiles, outs[0])
    assert library.sessions[-1].runs[-1][1]["gpu_graph_id"] not in ("1", "2", "3", "4", "-1")


def test_arrays_that_do_not_fit_are_refused(
    gpu: Gpu, library: FakeOnnxRuntime, opened: Opened
) -> None:
    backend = opened()
    tiles = gpu.array(tiles_of())
    with pytest.raises(InputError, match=r"for these tiles it is \(2, 1, 24, 40\)"):
        backend.enqueue(tiles, gpu.empty((2, 1, 24, 41), np.float32))
    with pytest.raises(InputError, match="results are float16; this network has float32"):
        backend.enqueue(tiles, gpu.empty((2, 1, 24, 40), np.float16))
    with pytest.raises(InputError, match="multiples of 256"):
        backend.enqueue(gpu.array(tiles_of(), shift=4), gpu.empty((2, 1, 24, 40), np.float32))
    strided: Any = gpu.array(tiles_of())
    strided.is_contiguous = False
    with pytest.raises(InputError, match="C-contiguous alone"):
        backend.enqueue(strided, gpu.empty((2, 1, 24, 40), np.float32))


def test_networks_of_other_types_are_refused(
    model: onnx.ModelProto, library: FakeOnnxRuntime, opened: Opened
) -> None:
    model.graph.node.insert(0, helper.make_node("Cast", ["b"], ["x"], to=TensorProto.FLOAT))
    source = model.graph.input[0]
    source.name, source.type.tensor_type.elem_type = "b", TensorProto.UINT8
    with pytest.raises(BackendError, match="takes uint8 and gives float32"):
        opened()
