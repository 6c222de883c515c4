"""Restoration and upscaling of images and video at frame rate.

>>> import restore_rt
>>> restorer = restore_rt.load("video-x2")
>>> out = restorer(frame)  # (H, W[, C]) in, (2H, 2W[, C]) out
"""

import os

# ONNX Runtime else writes a number for this machine into the user's cache, and gathers how it is
# used to report that. Who wants this sets the variable to 0.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

try:
    import restore_rt._ext  # noqa: F401
except ImportError as error:
    raise ImportError(
        f"restore_rt's compiled part cannot be loaded ({error.__cause__ or error}); where it is "
        "missing, build it with `pip install -e .` in the project's folder"
    ) from error

from restore_rt.errors import RestoreError
from restore_rt.frames import Planes
from restore_rt.loading import load
from restore_rt.model.manifest import Manifest
from restore_rt.model.registry import models
from restore_rt.restorer import Restorer

__all__ = ["Manifest", "Planes", "RestoreError", "Restorer", "__version__", "load", "models"]

__version__ = "0.1.0"
