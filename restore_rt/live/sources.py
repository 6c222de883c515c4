"""Sources of live video: files, addresses, cameras, screens and standard input."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import av

from restore_rt.errors import MediaError
from restore_rt.video.choices import STANDARD
from restore_rt.video.opening import Opened, open_source, open_standard_input
from restore_rt.video.texts import AS_BYTES

__all__ = ["LiveSource", "open_live"]

# Seconds that an address may take to answer, and may be silent.
_ANSWER, _SILENCE = 10.0, 10.0
_CAMERA, _SCREEN = "/dev/video", "x11grab:"


@dataclass(frozen=True)
class LiveSource:
    """A source that was opened.

    Attributes
    ----------
    opened
        For ``VideoReader``.
    waits
        It can be read at any speed: a file, or a pipe. Others go on whether they are read or not.
    """

    opened: Opened
    waits: bool


def open_live(source: str) -> LiveSource:
    """Open a source.

    Parameters
    ----------
    source
        A file; an address that FFmpeg opens, such as ``rtsp://camera/stream``; a camera,
        ``/dev/video0``; a screen, ``x11grab::0.0``; or ``-`` for standard input.

    Raises
    ------
    MediaError
        It cannot be opened.
    """
    if source == STANDARD:
        return LiveSource(open_standard_input(), waits=True)
    if source.startswith(_CAMERA):
        return LiveSource(_opened(source, source, "v4l2"), waits=False)
    if source.startswith(_SCREEN):
        screen = source.removeprefix(_SCREEN) or os.environ.get("DISPLAY", ":0")
        return LiveSource(_opened(screen, source, "x11grab"), waits=False)
    if "://" in source:
        return LiveSource(_opened(source, source), waits=False)
    opened = open_source(Path(source))
    opened.name = source
    return LiveSource(opened, waits=True)


def _opened(address: str, source: str, device: str | None = None) -> Opened:
    remote = "://" in address
    try:
        container = av.open(
            address,
            "r",
            format=device,
            container_options={"fflags": "nobuffer"} if remote else {},
            timeout=(_ANSWER, _SILENCE) if remote else None,
            metadata_encoding=AS_BYTES,
        )
    except (av.FFmpegError, OSError, ValueError) as error:
        raise MediaError(
            f"cannot open {source}: {getattr(error, 'strerror', None) or error}; sources are a "
            "file, an address, /dev/video0, x11grab::0.0, or - for standard input"
        ) from error
    return Opened(container, is_file=False, name=source)
