"""A model's file: found, read, checked before a backend sees it, and looked into."""

from restore_rt.modelfile.reading import find_model, is_model, read_model

__all__ = ["find_model", "is_model", "read_model"]
