"""Model repositories of Triton Inference Server; needs neither PyTorch nor Triton."""

from restore_rt.export.triton.repository import write_repository

__all__ = ["write_repository"]
