"""A result is compared with what the network makes of the frame, and a wrong one is refused."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import restore_rt
from restore_rt.bench.subject import test_frame as frame_for
from restore_rt.bench.verification import VerificationError, shown, verify, windows
from restore_rt.model import registry as zoo
from restore_rt.model.manifest import Manifest, read_manifest
from tests.networks import nearest, save_model

SIZE = (150, 210)


def manifest_of(model: onnx.ModelProto) -> Manifest:
    manifest = read_manifest(model)
    assert manifest is not None
    return manifest


@pytest.mark.parametrize("name", ["video-x2", "photo-x2", "repair-x1"])
@pytest.mark.parametrize("tile", [None, 128])
def test_right_results_pass(name: str, tile: int | None) -> None:
    model = onnx.load(zoo.path_of(name))
    manifest = manifest_of(model)
    frame = frame_for(manifest, *SIZE)
    backend: Any = "auto" if tile is None else "onnxruntime"
    with restore_rt.load(name, tile=tile, backend=backend, provider="cpu") as restorer:
        parts = shown(restorer(frame), frame, manifest)
    found = verify(model, manifest, frame, parts, precision="fp32")
    assert found.worst <= 1
    assert found.pixels == sum(part.shape[0] * part.shape[1] for part in parts)


@pytest.mark.parametrize("place", [(0, 0), (149, 209), (299, 419)])
def test_a_single_wrong_pixel_is_found(place: tuple[int, int]) -> None:
    model = onnx.load(zoo.path_of("video-x2"))
    manifest = manifest_of(model)
    frame = frame_for(manifest, *SIZE)
    with restore_rt.load("video-x2") as restorer:
        out = restorer(frame)
    out[place] = out[place] - 9 if out[place] > 128 else out[place] + 9
    with pytest.raises(VerificationError, match=r"up to (8|9|10) of 255 off"):
        verify(model, manifest, frame, shown(out, frame, manifest), precision="fp32")


def test_narrow_precisions_may_differ_a_little_and_not_more() -> None:
    model = onnx.load(zoo.path_of("video-x2"))
    manifest = manifest_of(model)
    frame = frame_for(manifest, *SIZE)
    with restore_rt.load("video-x2") as restorer:
        right = restorer(frame)
    for step, near in ((1, True), (2, True), (6, False)):
        # Every pixel is off by so much.
        out = np.where(right > 128, right - step, right + step).astype(np.uint8)
        parts = shown(out, frame, manifest)
        if near:
            assert verify(model, manifest, frame, parts, precision="bf16").worst <= step + 1
        else:
            with pytest.raises(VerificationError, match="dB"):
                verify(model, manifest, frame, parts, precision="bf16")


def test_onnx_is_the_reference_where_its_runtime_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save_model(tmp_path / "nearest.onnx", nearest(1, 2), scale=2, colour="luma")
    model = onnx.load(path)
    frame = frame_for(manifest_of(model), 40, 50)
    with restore_rt.load(path, backend="native") as restorer:
        parts = shown(restorer(frame), frame, restorer.manifest)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    found = verify(model, manifest_of(model), frame, parts, precision="fp32")
    assert found.against == f"ONNX's reference {onnx.__version__}"
    assert found.worst <= 1


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (7, 5), (41, 77), (101, 203)])
def test_all_corners_of_a_frame_that_is_filled_up_are_compared(size: tuple[int, int]) -> None:
    model = onnx.load(zoo.path_of("repair-x1"))
    manifest = manifest_of(model)
    assert manifest.multiple > 1
    frame = frame_for(manifest, *size)
    with restore_rt.load("repair-x1") as restorer:
        out = restorer(frame)
    assert verify(model, manifest, frame, shown(out, frame, manifest), precision="fp32").worst <= 1
    for corner in ((0, 0), (-1, -1)):
        wrong = out.copy()
        wrong[corner] ^= 64
        with pytest.raises(VerificationError, match=r"6[345] of 255"):
            verify(model, manifest, frame, shown(wrong, frame, manifest), precision="fp32")


def test_windows_lie_in_the_frame() -> None:
    for size in ((1, 1), (7, 300), (64, 64), (101, 203), (360, 640)):
        found = windows(*size)
        assert found[0][:2] == (0, 0)
        assert found[-1][2:] == size
        for top, left, bottom, right in found:
            assert 0 <= top < bottom <= size[0]
            assert 0 <= left < right <= size[1]
