"""Which backend a model gets on the CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest

import restore_rt
from restore_rt import _ext
from restore_rt.errors import BackendError, InputError, ModelError
from restore_rt.model.manifest import Manifest, read_manifest, write_manifest
from tests.networks import MakeModel, nearest

FRAME = np.random.default_rng(0).integers(0, 256, (50, 70), np.uint8)


@pytest.mark.parametrize(
    ("model", "backend", "runs_on"),
    [
        ("video-x2", "auto", "native backend, fp32"),
        ("video-x2", "native", "native backend, fp32"),
        ("video-x2", "onnxruntime", "ONNX Runtime"),
        ("comic-x2", "auto", "ONNX Runtime"),
    ],
)
def test_auto_is_native_wherever_that_can_run_a_model(
    model: str, backend: Any, runs_on: str
) -> None:
    with restore_rt.load(model, backend=backend) as restorer:
        assert runs_on in restorer.description
        assert ("tiles up to" in restorer.description) == (runs_on == "ONNX Runtime")


@pytest.mark.parametrize("precision", ["auto", "bf16"])
def test_a_model_that_it_cannot_run_names_the_node(precision: Any) -> None:
    with pytest.raises(BackendError, match=r"cannot run the node 'node_max_pool2d' \(MaxPool\)"):
        restore_rt.load("comic-x2", backend="native", precision=precision)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backend": "tensorflow"}, "allowed are auto, native, onnxruntime"),
        ({"backend": "native", "device": "cuda"}, "backend='native' runs on the CPU"),
        ({"precision": "bf16", "device": "cuda:1"}, "precision='bf16' runs on the CPU"),
        ({"precision": "bf16", "backend": "onnxruntime"}, "which only the native backend"),
        ({"device": "cpu", "backend": "tensorrt"}, "backend='tensorrt' needs a GPU"),
        ({"device": "cpu", "memory_limit": 1}, "memory_limit=1 needs a GPU"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        restore_rt.load("video-x2", **options)


def test_bf16_is_near_or_says_what_the_cpu_lacks() -> None:
    if not _ext.has_bf16():
        with pytest.raises(InputError, match="AVX512_BF16"):
            restore_rt.load("video-x2", precision="bf16")
        return
    with (
        restore_rt.load("video-x2", precision="bf16") as fast,
        restore_rt.load("video-x2") as exact,
    ):
        faster = "bf16" in fast.description
        difference = fast(FRAME).astype(float) - exact(FRAME)
    # Where bf16 is no faster than fp32, it is not taken.
    assert (np.abs(difference).max() > 0) == faster
    assert np.square(difference).mean() < 4


def test_auto_is_a_precision_for_all_models() -> None:
    with restore_rt.load("comic-x1", precision="auto") as restorer:
        assert "ONNX Runtime" in restorer.description
    with restore_rt.load("video-x2", precision="auto") as restorer:
        assert f", {restorer.precision}" in restorer.description
        assert "native backend" in restorer.description


def test_a_network_that_is_not_what_its_manifest_says_is_refused(make_model: MakeModel) -> None:
    path = make_model(nearest(1, 2), scale=2)
    model = onnx.load(path)
    manifest = read_manifest(model)
    assert manifest is not None
    write_manifest(model, Manifest(**{**manifest.__dict__, "scale": 3}))
    onnx.save(model, path)
    with pytest.raises(ModelError, match="by its manifest it would be 3 and 1"):
        restore_rt.load(path)


def test_any_number_of_threads_gives_the_same_bytes() -> None:
    results = []
    for threads in (1, 2, 3, 7):
        with restore_rt.load("video-x2", threads=threads) as restorer:
            results.append(restorer(FRAME))
            results.extend(restorer.stream([FRAME, FRAME]))
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])
