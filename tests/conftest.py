"""Fixtures for every part of the tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Return the folder of test images and clips, or skip (fail where it is mandatory)."""
    folder = os.environ.get("RESTORE_RT_DATA")
    if folder and Path(folder, "test").is_dir():
        return Path(folder)
    reason = f"RESTORE_RT_DATA is {folder!r}; it must name the folder of test images and clips"
    if os.environ.get("RESTORE_RT_REQUIRE_DATA") == "1":
        pytest.fail(reason)
    pytest.skip(reason)
