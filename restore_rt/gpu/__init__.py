"""NVIDIA GPUs: memory, streams and frames in GPU memory. pycuda is imported on first use."""

from restore_rt.gpu.array import DeviceArray
from restore_rt.gpu.driver import Device, Event, Stream, open_device
from restore_rt.gpu.frame import DeviceFrame, as_device_frame
from restore_rt.gpu.memory import Pool, is_pinned, pinned_empty
from restore_rt.gpu.pieces import kernels, missing_pieces, require_gpu
from restore_rt.gpu.planes import DevicePlanes
from restore_rt.gpu.transfer import copy_async, download_async, upload_async, zero_async

__all__ = [
    "Device",
    "DeviceArray",
    "DeviceFrame",
    "DevicePlanes",
    "Event",
    "Pool",
    "Stream",
    "as_device_frame",
    "copy_async",
    "download_async",
    "is_pinned",
    "kernels",
    "missing_pieces",
    "open_device",
    "pinned_empty",
    "require_gpu",
    "upload_async",
    "zero_async",
]
