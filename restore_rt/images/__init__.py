"""Image files: pixels of 8 and 16 bits, and what travels with them."""

from restore_rt.images.picture import FORMATS, Format, Picture, format_of
from restore_rt.images.reading import MAX_PIXELS, READABLE, read_pages, read_picture
from restore_rt.images.writing import check_writable, write_pages, write_picture

__all__ = [
    "FORMATS",
    "MAX_PIXELS",
    "READABLE",
    "Format",
    "Picture",
    "check_writable",
    "format_of",
    "read_pages",
    "read_picture",
    "write_pages",
    "write_picture",
]
