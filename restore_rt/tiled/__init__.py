"""Split, network, merge on a CPU: tile sizes, ONNX Runtime sessions, chroma and the runner."""
