"""What the export stage raises of its own."""

from __future__ import annotations

from restore_rt.errors import ModelError

__all__ = ["ExportError"]


class ExportError(ModelError):
    """The exported network does not do what the trained one does; no file was written."""
