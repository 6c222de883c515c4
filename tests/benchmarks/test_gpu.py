"""The GPU benchmark, on an emulated GPU: what it verifies, counts and judges."""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
from pathlib import Path
from typing import Any

import pytest

import restore_rt
from restore_rt.errors import BackendError
from tests.gpu.conftest import emulated, kernels, stage  # noqa: F401
from tests.gpu.stand_in import Stage

SIZE = (40, 56)


@pytest.fixture
def gpu() -> Any:
    return importlib.import_module("gpu")


def test_kernels_are_verified_and_their_bytes_counted(gpu: Any, stage: Stage) -> None:  # noqa: F811
    clock = gpu.Clock(2, rotated=1)
    found = [*gpu.measure_kernels(clock, [SIZE])]
    assert [each["kernel"].split(",")[0] for each in found] == ["split", "merge"] * 4 + ["upsample"]
    # A frame of luma is smaller than a tile, and so one tile of float16.
    assert found[0]["bytes"] == 40 * 56 + 2 * 40 * 56
    assert found[-1]["bytes"] == 20 * 28 + 40 * 56
    assert all(each["gb_per_s"] > 0 and each["share_of_copy"] > 0 for each in found)


def test_a_wrong_kernel_ends_the_benchmark(
    gpu: Any,
    stage: Stage,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = gpu.kernels()
    real = module.upsample_into

    class Wrong:
        Graph, split_into, merge_into = module.Graph, module.split_into, module.merge_into

        @staticmethod
        def upsample_into(result: Any, source: Any, **given: Any) -> None:
            real(result, source, **{**given, "phase": (0.0, 0.0)})

    monkeypatch.setattr(gpu, "kernels", lambda: Wrong)
    with pytest.raises(AssertionError, match="Arrays are not equal"):
        list(gpu.measure_kernels(gpu.Clock(1, rotated=1), [SIZE]))


def test_copies_and_frames(gpu: Any, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    clock = gpu.Clock(2, rotated=1)
    rates = gpu.measure_copies(clock, 1000)
    assert rates.keys() == {
        f"{way}_gb_per_s" for way in ("host_to_device", "device_to_host", "within_device")
    }
    missing = {"onnxruntime": [], "tensorrt": ["not here"]}
    monkeypatch.setattr(gpu, "missing_for", missing.__getitem__)
    ways = {name: gpu.WAYS[name] for name in ("whole frame", "tiles of 256")}
    monkeypatch.setattr(gpu, "WAYS", ways)
    found = [*gpu.measure_frames(clock, ["video-x2-fast"], SIZE, 0.05)]
    assert [each["way"] for each in found] == [*ways]
    for each in found:
        assert (each["backend"], each["frame"]) == ("onnxruntime", "56x40")
        assert each["off_by"] <= 1
        times = ("p50_ms", "network_ms", "copies_ms", "frames_per_second")
        assert min(each[key] for key in times) > 0
    # Events are destroyed on the thread that made them.
    del clock
    gc.collect()


def test_options_reach_onnxruntime_and_a_way_that_fails_stops_no_other(
    gpu: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    cuda = gpu.OnnxRuntimeDeviceBackend
    monkeypatch.setattr(cuda, "_cuda_options", lambda self: {"prefer_nhwc": "0"})

    def figures(*_: Any) -> Any:
        options = cuda._cuda_options(None)
        if "cudnn_conv_algo_search" in options:
            raise BackendError("no algorithm")
        return options

    monkeypatch.setattr(gpu, "frame_figures", figures)
    monkeypatch.setattr(restore_rt, "load", lambda name, **_: contextlib.nullcontext())
    monkeypatch.setattr(gpu, "GPU_BACKENDS", ("onnxruntime",))
    monkeypatch.setattr(gpu, "missing_for", lambda backend: [])
    found = gpu.measure_frames(None, ["video-x2-fast"], SIZE, 0.05)
    told = {each["way"]: each.get("failed", each.get("prefer_nhwc")) for each in found}
    assert told == {
        "whole frame": "0",
        "whole frame, prefer_nhwc": "1",
        "whole frame, exhaustive search": "no algorithm",
        "tiles of 256": "0",
    }
    assert cuda._cuda_options(None) == {"prefer_nhwc": "0"}


def test_results_are_written_after_each_figure(
    gpu: Any,
    stage: Stage,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    def fail_late(clock: Any, _: Any) -> Any:
        # An event that nobody reads is a fault of the emulation.
        clock.seconds(lambda: None)
        yield {"kernel": "split, a frame", "share_of_copy": 1.0}
        raise KeyboardInterrupt

    monkeypatch.setattr(gpu, "measure_kernels", fail_late)
    monkeypatch.setenv("RESTORE_RT_RESULTS", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["gpu.py", "--parts", "kernels", "copies", "--runs", "1"])
    with pytest.raises(KeyboardInterrupt):
        gpu.main()
    written = json.loads((tmp_path / "emulated-gpu-0.json").read_text("utf-8"))
    assert [each["kernel"] for each in written["kernels"]] == ["split, a frame"]
    assert written["copies"] == []
    assert written["machine"].keys() >= {"gpus", "processor"}
    gc.collect()


def test_bars(gpu: Any) -> None:
    shares = [("split", 0.9), ("split", 0.6), ("merge", 0.7)]
    cases = [{"kernel": f"{name}, a frame", "share_of_copy": share} for name, share in shares]
    assert [(bar["measured"], bar["met"]) for bar in gpu.kernel_bars(cases)] == [
        (0.6, False),
        (0.7, True),
    ]
    frame = {"model": "a", "backend": "tensorrt", "way": "b", "frames_per_second": 100.0}
    rates = [(4.0, 1.0, False), (9.5, 1.0, True), (1.0, 7.0, True), (1.0, 5.0, False)]
    for network, copies, met in rates:
        (bar,) = gpu.frame_bars([{**frame, "network_ms": network, "copies_ms": copies}])
        assert bar["met"] is met
    assert [*gpu.frame_bars([{"model": "a", "failed": "why"}])] == []
    assert [*gpu.kernel_bars([])] == []


def test_models_are_those_that_are_shipped(gpu: Any) -> None:
    assert set(gpu.MODELS.values()) <= {manifest.name for manifest in restore_rt.models()}
