"""The GPU benchmark, on an emulated GPU: what it verifies, counts and judges."""

from __future__ import annotations

import gc
import importlib
from typing import Any

import pytest

import restore_rt
from tests.gpu.conftest import emulated, kernels, stage  # noqa: F401
from tests.gpu.stand_in import Stage

SIZE = (40, 56)


@pytest.fixture
def gpu() -> Any:
    return importlib.import_module("gpu")


def test_kernels_are_verified_and_their_bytes_counted(gpu: Any, stage: Stage) -> None:  # noqa: F811
    clock = gpu.Clock(2, rotated=1)
    found = gpu.measure_kernels(clock, {"small": SIZE})
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
        gpu.measure_kernels(gpu.Clock(1, rotated=1), {"small": SIZE})


def test_copies_and_frames(gpu: Any, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    clock = gpu.Clock(2, rotated=1)
    assert gpu.measure_copies(clock, 1000).keys() == {"host_to_device", "device_to_host"}
    missing = {"onnxruntime": [], "tensorrt": ["not here"]}
    monkeypatch.setattr(gpu, "missing_for", missing.__getitem__)
    (found,) = gpu.measure_frames(clock, ["video-x2-fast"], 0.05, SIZE)
    assert (found["backend"], found["frame"]) == ("onnxruntime", "56x40")
    assert found["off_by"] <= 1
    assert min(found[key] for key in ("p50_ms", "network_ms", "copies_ms", "frames_per_second")) > 0
    # Events are destroyed on the thread that made them.
    del clock
    gc.collect()


def test_bars(gpu: Any) -> None:
    shares = [("split", 0.9), ("split", 0.6), ("merge", 0.7)]
    cases = [{"kernel": f"{name}, a frame", "share_of_copy": share} for name, share in shares]
    assert [(bar["measured"], bar["met"]) for bar in gpu.kernel_bars(cases)] == [
        (0.6, False),
        (0.7, True),
    ]
    frame = {"model": "a", "backend": "tensorrt", "frames_per_second": 100.0}
    rates = [(4.0, 1.0, False), (9.5, 1.0, True), (1.0, 7.0, True), (1.0, 5.0, False)]
    for network, copies, met in rates:
        (bar,) = gpu.frame_bars([{**frame, "network_ms": network, "copies_ms": copies}])
        assert bar["met"] is met


def test_models_are_those_that_are_shipped(gpu: Any) -> None:
    assert set(gpu.MODELS.values()) <= {manifest.name for manifest in restore_rt.models()}
