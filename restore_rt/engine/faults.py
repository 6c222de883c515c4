"""What is raised about engines."""

from __future__ import annotations

from restore_rt.errors import BackendError

__all__ = ["EngineError"]


class EngineError(BackendError):
    """An engine cannot be built, or must not be given to TensorRT."""
