"""From an ONNX file to an engine of TensorRT or TensorRT-RTX; needs no PyTorch."""

from restore_rt.engine.building.build import Built, build_engine

__all__ = ["Built", "build_engine"]
