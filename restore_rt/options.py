"""Values of the options that say where a network runs."""

from __future__ import annotations

__all__ = ["BACKENDS", "PROVIDERS"]

PROVIDERS = ("auto", "cpu", "cuda", "tensorrt")
BACKENDS = ("auto", "native", "onnxruntime")
