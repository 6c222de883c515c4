"""Errors of the export stage."""

from __future__ import annotations

from restore_rt.errors import ModelError

__all__ = ["ExportError"]


class ExportError(ModelError):
    """The exported network differs from the trained one; no file was written."""
