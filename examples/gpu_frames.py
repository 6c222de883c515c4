"""Restore frames that stay on the GPU: ``python examples/gpu_frames.py``.

Frames of PyTorch and CuPy go in and come out without a copy to the CPU's memory.
"""

import cupy
import torch
from torch.utils.dlpack import from_dlpack

import restore_rt


def main(height: int = 270, width: int = 480) -> tuple[torch.Tensor, "cupy.ndarray"]:
    """Restore a frame of each library, and return both results."""
    with restore_rt.load("video-x2", device="cuda") as restorer:
        # video-x2 restores luma, so that its frames on a GPU have one channel.
        tensor = torch.randint(0, 256, (height, width), dtype=torch.uint8, device="cuda")
        from_torch = from_dlpack(restorer(tensor))

        array = cupy.asarray(tensor)  # the same memory
        from_cupy = cupy.empty((2 * height, 2 * width), cupy.uint8)
        restorer(array, out=from_cupy)  # into memory of your own
        return from_torch.clone(), from_cupy


if __name__ == "__main__":
    for result in main():
        print(type(result).__module__, tuple(result.shape))
