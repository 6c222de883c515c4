"""TensorRT and TensorRT-RTX: building, caching, checking and running engines.

Neither library is imported before ``library.open_library`` is called.
"""
