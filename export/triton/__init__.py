"""Model repositories of Triton Inference Server; needs neither PyTorch nor a server."""

from restore_rt.export.triton.repository import check_place, write_repository

__all__ = ["check_place", "write_repository"]
