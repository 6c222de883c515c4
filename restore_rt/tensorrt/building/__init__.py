"""From an ONNX file to an engine of TensorRT or TensorRT-RTX; needs no PyTorch."""

from restore_rt.tensorrt.building.build import Built, Compiled, build_engine, compile_network

__all__ = ["Built", "Compiled", "build_engine", "compile_network"]
