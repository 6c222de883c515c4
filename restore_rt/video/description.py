"""What FFmpeg says of a stream and PyAV has no attribute for."""

from __future__ import annotations

import re
import threading
from typing import Any

import av
from av.video.stream import VideoStream

__all__ = ["chroma_location"]

_LOCATIONS = ("left", "center", "topleft", "top", "bottomleft", "bottom")
_logging = threading.Lock()


def chroma_location(container: av.container.InputContainer, stream: VideoStream) -> str:
    """Return FFmpeg's name of a stream's chroma location, ``""`` when it is unspecified.

    It stands only in the description of the file that FFmpeg logs when it is asked to be verbose:
    ``Stream #0:0: Video: h264 (High), yuv420p(tv, bt709, progressive, topleft), 64x64, ...``

    To be called before anything is decoded from the file: a decoder's threads that logged now
    would wait for the interpreter.

    FFmpeg's own log level (``av.logging.set_libav_level``) is info after this, its default: no
    function tells what it was before. PyAV's level is left as it was.
    """
    with _logging:
        before = av.logging.get_level()
        # FFmpeg is to be verbose, but only the description itself is to reach Python.
        av.logging.set_libav_level(av.logging.VERBOSE)
        av.logging.set_level(av.logging.INFO)
        try:
            file: Any = container  # dumps_format is missing from PyAV's stubs
            text = file.dumps_format()
        finally:
            av.logging.set_level(before)
            av.logging.set_libav_level(av.logging.INFO)
    found = re.search(rf"Stream #0:{stream.index}\b.*?: Video: (.*)", text)
    if found is None:
        return ""
    for words in re.findall(r"\(([^()]*)\)", found.group(1)):
        for word in words.split(", "):
            if word in _LOCATIONS:
                return str(word)
    return ""
