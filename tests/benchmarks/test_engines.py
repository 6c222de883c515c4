"""The benchmark of engines: who runs what, what is verified, and what is said of the rest."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnxruntime")


@pytest.fixture
def engines() -> Any:
    return importlib.import_module("engines")


@pytest.fixture
def case(engines: Any) -> Any:
    return engines.make_case(61, 75, 1)


@pytest.mark.parametrize("name", ["native", "onnxruntime", "onnxruntime, plain session", "torch"])
def test_engines_agree(engines: Any, case: Any, name: str) -> None:
    if name == "torch":
        pytest.importorskip("torch")
    running, absent = engines.open_all(case, [name])
    assert (name, "fp32") in running
    assert running.keys() | absent.keys() == {(name, kind) for kind in engines.PRECISIONS}
    off = engines.verify(case, running)
    assert off[name, "fp32"] <= 1
    # It is the frame that was restored, not what the array began with.
    assert running[name, "fp32"].out.std() > 10


def test_a_missing_library_is_told(
    engines: Any, case: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = lambda case, precision: engines.need("no_such_engine", "no-such-engine")  # noqa: E731
    monkeypatch.setitem(engines.OPENERS, "ncnn", missing)
    running, absent = engines.open_all(case, ["ncnn"])
    assert not running
    assert absent["ncnn", "fp32"] == "not installed: pip install no-such-engine"


def test_a_wrong_result_ends_the_benchmark(engines: Any, case: Any) -> None:
    wrong = case.expected["fp32"] ^ np.uint8(2)
    running = {("torch", "fp32"): engines.Running(lambda: None, wrong)}
    with pytest.raises(SystemExit, match="torch in fp32 is off by 2; allowed are 1"):
        engines.verify(case, running)


def test_a_mask_that_does_not_hold_ends_the_benchmark(
    engines: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Mask:
        @staticmethod
        def rrt_sees_avx512() -> int:
            return 1

    monkeypatch.setenv("RESTORE_RT_MASK", "mask.so")
    monkeypatch.setattr(engines.ctypes, "CDLL", lambda path: Mask)
    with pytest.raises(SystemExit, match=r"the mask does not hold: AVX-512 seen \[1, 1\]"):
        engines.asked_under_mask()


def test_bounds(engines: Any) -> None:
    assert engines.most_off("onnxruntime, tiles of 256", "int8") == 1
    assert engines.most_off("openvino", "int8") == 20
    assert engines.most_off("openvino", "fp32") == 1
