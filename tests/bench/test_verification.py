"""A result is compared with what the network makes of the frame, and a wrong one is refused."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import restore_rt
from restore_rt import Restorer
from restore_rt.bench.report import Verified
from restore_rt.bench.subject import picture
from restore_rt.bench.verification import (
    Reference,
    VerificationError,
    reference_for,
    verify,
    windows,
)
from tests.networks import nearest, save_model

SIZE = (150, 210)


def restored(restorer: Restorer, size: tuple[int, int] = SIZE) -> tuple[Any, Reference]:
    """Return a result and its reference."""
    frame = picture(*size, restorer.manifest.channels)
    return restorer(frame), reference_for(restorer.path, restorer.manifest, frame)


def judged(
    restorer: Restorer,
    out: Any,
    reference: Reference,
    *,
    precision: str = "fp32",
) -> Verified:
    found = verify(out, reference, restorer.manifest, precision)
    assert found is not None
    return found


@pytest.mark.parametrize("name", ["video-x2", "photo-x2", "repair-x1"])
@pytest.mark.parametrize("tile", [None, 128])
def test_right_results_pass(name: str, tile: int | None) -> None:
    backend: Any = "auto" if tile is None else "onnxruntime"
    with restore_rt.load(name, tile=tile, backend=backend) as restorer:
        found = judged(restorer, *restored(restorer))
    assert found.worst <= 1
    assert found.pixels == 3 * (64 * restorer.manifest.scale) ** 2


@pytest.mark.parametrize("place", [(0, 0), (149, 209), (299, 419)])
def test_a_single_wrong_pixel_is_found(place: tuple[int, int]) -> None:
    with restore_rt.load("video-x2") as restorer:
        out, reference = restored(restorer)
    out[place] = out[place] - 9 if out[place] > 128 else out[place] + 9
    with pytest.raises(VerificationError, match=r"up to (8|9|10) of 255 off"):
        judged(restorer, out, reference)


@pytest.mark.parametrize(("step", "near"), [(1, True), (2, True), (6, False)])
def test_narrow_precisions_may_differ_a_little_and_not_more(step: int, near: bool) -> None:
    with restore_rt.load("video-x2") as restorer:
        right, reference = restored(restorer)
    # Every pixel is off by so much.
    out = np.where(right > 128, right - step, right + step).astype(np.uint8)
    if near:
        assert judged(restorer, out, reference, precision="bf16").worst <= step + 1
    else:
        with pytest.raises(VerificationError, match="dB"):
            judged(restorer, out, reference, precision="bf16")


def test_onnx_is_the_reference_where_its_runtime_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save_model(tmp_path / "nearest.onnx", nearest(1, 2), scale=2, colour="luma")
    with restore_rt.load(path, backend="native") as restorer:
        monkeypatch.setitem(sys.modules, "onnxruntime", None)
        found = judged(restorer, *restored(restorer))
    assert found.against == f"ONNX's reference {onnx.__version__}"
    assert found.worst <= 1


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (7, 5), (41, 77), (101, 203)])
def test_all_corners_of_a_padded_frame_are_compared(size: tuple[int, int]) -> None:
    with restore_rt.load("repair-x1") as restorer:
        assert restorer.manifest.multiple > 1
        out, reference = restored(restorer, size)
    assert judged(restorer, out, reference).worst <= 1
    for corner in ((0, 0), (-1, -1)):
        wrong = out.copy()
        wrong[corner] ^= 64
        with pytest.raises(VerificationError, match=r"6[345] of 255"):
            judged(restorer, wrong, reference)


def test_windows_lie_in_the_frame() -> None:
    for size in ((1, 1), (7, 300), (64, 64), (101, 203), (360, 640)):
        found = windows(*size)
        assert found[0][:2] == (0, 0)
        assert found[-1][2:] == size
        for top, left, bottom, right in found:
            assert 0 <= top < bottom <= size[0]
            assert 0 <= left < right <= size[1]
