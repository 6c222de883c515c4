"""Chroma of clips: how planes are halved, and what is averaged."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest

from restore_rt import Planes, _ext

pytest.importorskip("av")


@pytest.fixture
def script() -> Any:
    return importlib.import_module("chroma")


def test_halved_chroma_lies_where_enlarged_chroma_does(script: Any) -> None:
    # A slope comes back from half size where it was, if both steps mind the siting.
    slope = np.tile(np.arange(40, 200, 4, dtype=np.uint8), (16, 1))
    frame = script._joined(np.zeros((32, 80), np.uint8), slope, slope.copy())
    planes: Planes = script.planes_of(script.halved(frame))
    assert planes.cb is not None
    back = np.empty(slope.shape, np.uint8)
    _ext.upsample_plane_into(back, planes.cb, scale=2, phase=planes.chroma_phase)
    inner = (slice(None), slice(8, -8))
    np.testing.assert_allclose(back[inner], slope[inner].astype(int), atol=1)


def test_differences_are_taken_clip_by_clip(script: Any) -> None:
    rows = [
        {"clip": clip, "kind": "natural", "crf": crf, "bicubic": base, "network": base + 0.5}
        for clip, base in (("a", 20.0), ("b", 40.0))
        for crf in script.CRFS
    ]
    entries = list(script.summary(rows))
    assert [entry["crf"] for entry in entries] == [*script.CRFS]
    assert entries[1]["clips"] == 2
    assert (entries[1]["difference"], entries[1]["interval"]) == (0.5, [0.5, 0.5])
