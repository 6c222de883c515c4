"""Sources of live video: files, addresses, cameras, screens and standard input."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import av

from restore_rt.errors import InputError, MediaError
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
        ``/dev/video0``; a screen, ``x11grab::0.0``; or ``-`` for standard input. Cameras and
        screens may be followed by a size, ``@640x360``, and a screen before that by a place,
        ``+100,200``.

    Raises
    ------
    InputError
        The size is none.
    MediaError
        It cannot be opened.
    """
    if source == STANDARD:
        return LiveSource(open_standard_input(), waits=True)
    if source.startswith(_CAMERA):
        camera, options = _sized(source)
        return LiveSource(_opened(camera, source, "v4l2", options), waits=False)
    if source.startswith(_SCREEN):
        screen, options = _sized(source.removeprefix(_SCREEN))
        if not screen or screen.startswith("+"):
            screen = os.environ.get("DISPLAY", ":0") + screen
        return LiveSource(_opened(screen, source, "x11grab", options), waits=False)
    if "://" in source:
        return LiveSource(_opened(source, source), waits=False)
    opened = open_source(Path(source))
    opened.name = source
    return LiveSource(opened, waits=True)


def _sized(device: str) -> tuple[str, dict[str, str]]:
    """Take the size from the end of a device's name; return both, as FFmpeg's option."""
    name, found, size = device.partition("@")
    if not found:
        return name, {}
    if not re.fullmatch(r"[1-9]\d{0,4}x[1-9]\d{0,4}", size):
        raise InputError(f"the size is {size!r}; give one like @640x360")
    return name, {"video_size": size}


def _opened(
    address: str,
    source: str,
    device: str | None = None,
    options: Mapping[str, str] | None = None,
) -> Opened:
    remote = "://" in address
    try:
        container = av.open(
            address,
            "r",
            format=device,
            container_options={"fflags": "nobuffer"} if remote else dict(options or {}),
            timeout=(_ANSWER, _SILENCE) if remote else None,
            metadata_encoding=AS_BYTES,
        )
    except (av.FFmpegError, OSError, ValueError) as error:
        raise MediaError(
            f"cannot open {source}: {getattr(error, 'strerror', None) or error}; sources are a "
            "file, an address, /dev/video0, x11grab::0.0, or - for standard input"
        ) from error
    return Opened(container, is_file=False, name=source)
