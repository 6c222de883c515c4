"""The benchmark of quality: what it writes, and where."""

from __future__ import annotations

import dataclasses
import importlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from PIL import Image

from restore_rt import zoo
from restore_rt.manifest import read_manifest, write_manifest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_the_result_is_named_after_the_model_that_was_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    quality: Any = importlib.import_module("quality")
    model = onnx.load(zoo.path_of("video-x2"))
    manifest = read_manifest(model)
    assert manifest is not None
    write_manifest(model, dataclasses.replace(manifest, name="mine-x2"))
    onnx.save(model, tmp_path / "other.onnx")
    folder = tmp_path / "test" / "sr" / "Set5"
    folder.mkdir(parents=True)
    Image.fromarray(np.zeros((48, 64, 3), np.uint8)).save(folder / "one.png")

    written: dict[str, Any] = {}
    monkeypatch.setattr(quality, "SETS", ("Set5",))
    monkeypatch.setattr(quality, "write", written.__setitem__)
    arguments = ["--data", str(tmp_path), "--model", str(tmp_path / "other.onnx")]
    monkeypatch.setattr(sys, "argv", ["quality.py", *arguments])
    quality.main()
    assert list(written) == ["quality_mine-x2"]
    result = written["quality_mine-x2"]
    assert result["model"]["name"] == "mine-x2"
    assert result["parameters"] == 14_660
    assert result["sets"]["Set5"]["images"] == 1
    assert result["sets"]["Set5"]["clean"].keys() == {"bicubic", "mine-x2"}
