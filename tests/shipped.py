"""The shipped models, by what they need."""

from __future__ import annotations

import restore_rt
from restore_rt.model.manifest import Manifest

__all__ = ["restoring"]


def restoring() -> list[Manifest]:
    """Return those that restore a frame by itself, without a mask."""
    return [each for each in restore_rt.models() if each.task != "inpaint"]
