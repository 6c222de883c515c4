"""Fixtures for every part of the tests."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from restore_rt.engine import Library, open_library
from restore_rt.errors import BackendError


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
def rtx() -> Library:
    """Return TensorRT-RTX, which builds without a GPU, or skip (fail where it is mandatory)."""
    try:
        return open_library("rtx")
    except BackendError as error:
        _missing(str(error))
        raise


def _missing(reason: str) -> None:
    if os.environ.get("RESTORE_RT_REQUIRE_ALL") == "1":
        pytest.fail(reason)
    pytest.skip(reason)
