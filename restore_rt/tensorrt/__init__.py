"""Engines: networks that TensorRT or TensorRT-RTX compiled for a GPU, and what is known of them.

Made by ``restore-rt build`` or on first use; nothing here imports either library before
``open_library`` is asked to.
"""

from restore_rt.errors import EngineError
from restore_rt.gpu.properties import Gpu, find_gpu
from restore_rt.tensorrt.library import LIBRARIES, Library, open_library
from restore_rt.tensorrt.pair import read_engine, read_sidecar, sidecar_path
from restore_rt.tensorrt.profile import Profile, Shape
from restore_rt.tensorrt.sidecar import Port, Sidecar

__all__ = [
    "LIBRARIES",
    "EngineError",
    "Gpu",
    "Library",
    "Port",
    "Profile",
    "Shape",
    "Sidecar",
    "find_gpu",
    "open_library",
    "read_engine",
    "read_sidecar",
    "sidecar_path",
]
