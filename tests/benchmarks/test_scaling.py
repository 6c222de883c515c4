"""What time and memory are predicted from."""

from __future__ import annotations

import importlib
import math
from typing import Any

import onnx
import pytest

from restore_rt.bench import Case
from restore_rt.model import registry as zoo

MODEL = onnx.load(zoo.path_of("video-x2"))
# Each weight of a convolution is one multiply-add of a pixel.
EACH = sum(math.prod(each.dims) for each in MODEL.graph.initializer if len(each.dims) == 4)


@pytest.fixture
def scaling() -> Any:
    return importlib.import_module("scaling")


def test_a_whole_frame_takes_its_pixels(scaling: Any) -> None:
    work, memory = scaling.needs(Case(backend="native"), MODEL)
    assert work == 360 * 640 * EACH
    assert memory is None


def test_tiles_take_their_halos_too(scaling: Any) -> None:
    case = Case(backend="onnxruntime", tile=(128, 128), height=200, width=200)
    work, memory = scaling.needs(case, MODEL)
    # Two by two tiles of 128, which overlap.
    assert work == 4 * 128 * 128 * EACH
    # A tile, two rows of results of two, four times as large, and of what is between two values of
    # 16 channels at least.
    assert memory >= 4 * 128 * 128 * (1 + 4 * 4 + 2 * 16) / 1e6
    assert memory < 4 * 128 * 128 * (1 + 4 * 4 + 4 * 16) / 1e6


def test_each_case_is_predicted_from_another(scaling: Any) -> None:
    grown = scaling.series(2)
    assert grown.keys() == {"size", "tile", "threads", "streams"}
    for found in grown.values():
        assert set(found.values()) <= found.keys()
        assert len(found) > len(set(found.values()))
    assert [case.streams for case in grown["streams"]] == [1, 2, 4]
    assert {case.threads for case in grown["threads"]} == {1, 2}
