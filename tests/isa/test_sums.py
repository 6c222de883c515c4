"""int8 sums at their largest, in both backends, against whole numbers; and what warns of them."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

import restore_rt
from restore_rt import _ext
from tests.native import qdq_oracle
from tests.native.test_native_int8 import QuantisedGraph, by_onnx_runtime

CHANNELS = 32


def largest_sums(weight: int, *, odd: bool = False) -> onnx.ModelProto:
    """Return white in 32 channels times one weight; with ``odd``, one that native cannot run."""
    graph = QuantisedGraph()
    t = graph.qdq("x", 1 / 255)
    for inputs, value in ((1, 64), (CHANNELS, weight)):
        outputs = CHANNELS if inputs == 1 else 16
        shape = (outputs, inputs, 3, 3)
        scales = np.full(outputs, 1 / (9 * inputs * abs(value)), np.float32)
        weights = graph.constant(np.full(shape, value), np.int8)
        real = graph.add("DequantizeLinear", weights, graph.constant(scales), axis=0)
        t = graph.add("Conv", t, real, pads=[1] * 4)
        t = graph.qdq(t, 1 / 255, 0 if value > 0 else 255)
    if odd:
        t = graph.add("Sigmoid", t)
    cut = [graph.constant(k, np.int64) for k in ([0], [1], [1])]
    return graph.model(graph.add("Slice", t, *cut))


WHITE: NDArray[Any] = np.ones((12, 14, 1), np.float32)


def oracle(model: onnx.ModelProto) -> NDArray[Any]:
    return np.moveaxis(qdq_oracle.run(model, np.moveaxis(WHITE, 2, 0)), 0, 2)


def off(result: NDArray[Any], model: onnx.ModelProto) -> float:
    return float(np.abs(np.atleast_3d(result) - oracle(model)).max())


@pytest.mark.parametrize("weight", [64, -64])
def test_weights_of_seven_bits_saturate_nowhere(weight: int) -> None:
    model = largest_sums(weight)
    assert off(by_onnx_runtime(model, WHITE), model) < 1e-6


@pytest.mark.parametrize("weight", [127, -127])
def test_weights_of_eight_bits_saturate_where_the_cpu_says_so(weight: int) -> None:
    model = largest_sums(weight)
    saturates = off(by_onnx_runtime(model, WHITE), model) > 0.1
    assert saturates == _ext.cpu_adds_bytes_in_16_bits()


@pytest.mark.parametrize("weight", [64, -64, 127, -127])
def test_the_native_backend_never_saturates(tmp_path: Path, weight: int) -> None:
    model = largest_sums(weight)
    onnx.save(model, tmp_path / "model.onnx")
    with restore_rt.load(tmp_path / "model.onnx", device="cpu", backend="native") as restorer:
        assert restorer.precision == "int8"
        assert off(restorer(WHITE), model) < 1e-6


@pytest.mark.parametrize(
    ("weight", "without_vnni", "backend", "odd", "warns"),
    [
        (127, True, "onnxruntime", False, True),
        (-65, True, "auto", True, True),
        (127, False, "onnxruntime", False, False),
        (64, True, "onnxruntime", False, False),
        (-64, True, "onnxruntime", False, False),
        (127, True, "auto", False, False),
    ],
)
def test_weights_that_may_saturate_here_cause_a_warning(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    weight: int,
    without_vnni: bool,
    backend: Any,
    odd: bool,
    warns: bool,
) -> None:
    """Where ONNX Runtime runs 8-bit weights on a CPU without VNNI, and nowhere else."""
    monkeypatch.setattr(_ext, "cpu_adds_bytes_in_16_bits", lambda: without_vnni)
    path = tmp_path / "model.onnx"
    onnx.save(largest_sums(weight, odd=odd), path)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        restore_rt.load(path, device="cpu", backend=backend).close()
    if not warns:
        assert not caught
        return
    (warning,) = caught
    assert warning.filename == __file__
    assert f"{path} has int8 weights of up to {abs(weight)} " in str(warning.message)
    assert "reduce_range=True" in str(warning.message)
