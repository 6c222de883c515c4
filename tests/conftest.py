"""Fixtures for every part of the tests."""

from __future__ import annotations

import functools
import os
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import settings

from restore_rt.errors import BackendError
from restore_rt.tensorrt.library import Library, open_library
from tests.soak.factor import factor

if TYPE_CHECKING:
    import onnx

    from restore_rt.model.manifest import Manifest
    from tests.gpu.fake_gpu import Gpu
    from tests.networks import Kernels, MakeModel

if "PYTEST_XDIST_WORKER" in os.environ:
    # Each core has a worker; libraries that start a thread for each core would slow all of them.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# A shell ignores one in the background, nohup the other; children inherit that; tests send both.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

# How many examples each property is tried with: in `make test-all`, in `make test`, and under the
# sanitizers, where each takes many times as long.
for name, examples in {"full": 40, "quick": 6, "sanitize": 5}.items():
    settings.register_profile(name, max_examples=examples, deadline=None, derandomize=True)
if settings.get_current_profile_name() not in ("quick", "sanitize"):
    settings.load_profile("full")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs a GPU where something is missing for it (fail where it is mandatory).

    What `make soak` is for is skipped without RESTORE_RT_SOAK.
    """
    if item.get_closest_marker("soak") is not None and not factor():
        pytest.skip("takes long: `make soak` runs it")
    if item.get_closest_marker("gpu") is None:
        return
    reason = _missing_for_gpu()
    if not reason:
        return
    # Not _missing: most machines have no GPU, and the summary tells how many tests did not run.
    if os.environ.get("RESTORE_RT_REQUIRE_GPU") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Return the folder of test images and clips, or skip (fail where it is mandatory)."""
    folder = os.environ.get("RESTORE_RT_DATA")
    if folder and Path(folder, "test").is_dir():
        return Path(folder)
    reason = f"RESTORE_RT_DATA is {folder!r}; it must name the folder of test images and clips"
    _missing(reason)
    raise AssertionError


@pytest.fixture(scope="session")
def tesseract() -> None:
    """Skip where the program that reads lettering is missing (fail where it is mandatory)."""
    if shutil.which("tesseract") is None:
        _missing("tesseract is not installed: apt install tesseract-ocr")


@pytest.fixture(scope="session")
def ffmpeg() -> None:
    """Skip where the programs ffmpeg and ffprobe are missing (fail where they are mandatory)."""
    if shutil.which("ffmpeg") is None or shutil.which("ffprobe") is None:
        _missing("ffmpeg or ffprobe is missing: install them, in Debian the package ffmpeg")


@pytest.fixture(scope="session")
def libvmaf() -> None:
    """Skip where VMAF cannot be measured (fail where it is mandatory)."""
    from restore_rt.training.metrics.clips import NO_FFMPEG, find_ffmpeg

    if find_ffmpeg() is None:
        _missing(NO_FFMPEG)


@pytest.fixture(scope="session")
def xphoto() -> None:
    """Skip where OpenCV is without its contributed modules (fail where they are mandatory)."""
    import cv2

    if not hasattr(cv2, "xphoto"):
        _missing("OpenCV lacks xphoto: pip install opencv-contrib-python-headless alone")


@pytest.fixture(scope="session")
def rtx() -> Library:
    """Return TensorRT-RTX, which builds without a GPU, or skip (fail where it is mandatory)."""
    try:
        return open_library("rtx")
    except BackendError as error:
        _missing(str(error))
        raise


# Fixtures below import onnx late, since tests/kernels run under sanitizers without it.


@pytest.fixture
def rng() -> np.random.Generator:
    """Return a seeded generator."""
    return np.random.default_rng(7)


@pytest.fixture
def make_model(tmp_path: Path) -> MakeModel:
    """Return a function that writes a model file."""
    from tests.networks import save_model

    def make(kernels: Kernels, **options: Any) -> Path:
        return save_model(tmp_path / "model.onnx", kernels, **options)

    return make


@pytest.fixture
def tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run every network in tiles, as the native backend's unsupported networks are."""
    from restore_rt import opening
    from restore_rt.native.network import UnsupportedError

    def refuse(*_: object, **__: object) -> None:
        raise UnsupportedError("the native backend is not to be used")

    monkeypatch.setattr(opening, "open_native", refuse)


@pytest.fixture(params=["native", "tiles"])
def either_way(request: pytest.FixtureRequest) -> None:
    """Run with the native backend, and with tiles."""
    if request.param == "tiles":
        request.getfixturevalue("tiles")


@pytest.fixture
def gpu() -> Gpu:
    """Return a fake GPU of compute capability 8.9."""
    from tests.gpu.fake_gpu import Gpu

    return Gpu()


@pytest.fixture
def model(tmp_path: Path) -> onnx.ModelProto:
    """Return a network with two convolutions, which doubles the luma's size."""
    import onnx

    from tests.networks import save_model

    rng = np.random.default_rng(3)
    kernels = [rng.normal(size=(8, 1, 3, 3)) / 9, rng.normal(size=(4, 8, 3, 3)) / 36]
    return onnx.load(save_model(tmp_path / "small.onnx", kernels, scale=2, tile=(48, 64)))


@pytest.fixture
def manifest(model: onnx.ModelProto) -> Manifest:
    """Return the manifest of ``model``."""
    from restore_rt.model.manifest import read_manifest

    found = read_manifest(model)
    assert found is not None
    return found


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of engines, which does not exist yet."""
    monkeypatch.setenv("RESTORE_RT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "engines"


@functools.cache
def _missing_for_gpu() -> str:
    """Return what a GPU's tests lack here; empty if nothing."""
    from restore_rt.gpu import missing_pieces

    missing = missing_pieces()
    return f"needs a GPU: {'; '.join(missing)}" if missing else ""


def _missing(reason: str) -> None:
    if os.environ.get("RESTORE_RT_REQUIRE_ALL") == "1":
        pytest.fail(reason)
    pytest.skip(reason)
