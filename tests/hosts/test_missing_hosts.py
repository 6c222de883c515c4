from __future__ import annotations

import sys

import pytest

from restore_rt.errors import MissingBackendError
from restore_rt.vapoursynth import restore


def test_missing_vapoursynth_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vapoursynth", None)
    with pytest.raises(MissingBackendError, match=r"restore-rt\[vapoursynth\].*3\.12"):
        restore(None)
