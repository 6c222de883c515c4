"""Every error that restore_rt raises on purpose: each says what came, what is allowed, the fix."""

from __future__ import annotations

__all__ = [
    "BackendError",
    "EngineError",
    "InputError",
    "MediaError",
    "MissingBackendError",
    "ModelError",
    "NonFiniteError",
    "OutOfMemoryError",
    "OutputError",
    "RestoreError",
    "TruncatedInputError",
]


class RestoreError(Exception):
    """Base class of all errors of this package."""


class InputError(RestoreError, ValueError):
    """An argument or a frame has a value, shape or dtype that is not allowed."""


class ModelError(RestoreError):
    """A model is unknown, cannot be read, or its manifest is missing or wrong."""


class BackendError(RestoreError):
    """The library or device that should run a network is missing or failed."""


class EngineError(BackendError):
    """An engine cannot be built, or must not be given to TensorRT."""


class MissingBackendError(BackendError):
    """The library that is to run a network is not installed."""


class OutOfMemoryError(BackendError):
    """The device has too little memory for the tile; a smaller one may fit."""


class NonFiniteError(BackendError):
    """A network returned NaN or infinity; the frame was not delivered."""


class MediaError(RestoreError):
    """An image or video file cannot be read or decoded."""


class TruncatedInputError(MediaError):
    """A media file ended or broke early; what came before it was delivered."""


class OutputError(RestoreError, OSError):
    """An output file cannot be written; nothing was left at its path."""
