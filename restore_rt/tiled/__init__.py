"""Split, network, merge on a CPU: tile sizes, ONNX Runtime sessions, chroma and the runner.

Tiles are laid out, and the feather's weights defined, in ``csrc/core/geometry.h``; they are split,
and merged with these weights, in ``csrc/cpu`` and ``csrc/cuda``.
"""
