"""Opens what may or may not be a video file."""

from __future__ import annotations

import io
from pathlib import Path

import av
from av.stream import Stream
from av.video.stream import VideoStream

from restore_rt.errors import MediaError
from restore_rt.video.animations import animation_as_video
from restore_rt.video.containers import is_cover
from restore_rt.video.texts import AS_BYTES

__all__ = ["choose_stream", "open_video"]

# A playlist must not make us open an address.
_PROTOCOLS = {"protocol_whitelist": "file,crypto,data"}


def open_video(path: Path) -> av.container.InputContainer:
    """Open a file, its texts as bytes: see ``repair_texts``.

    Raises
    ------
    MediaError
        It is missing, cannot be read, or is no video file.
    """
    try:
        if path.is_dir():
            raise MediaError(f"{path} is a folder; give a video file")
        if path.exists() and not path.is_file():
            raise MediaError(f"{path} is not a regular file; give a video file")
        path.open("rb").close()
    except FileNotFoundError:
        raise MediaError(f"there is no file {path}; check its name") from None
    except OSError as error:
        raise MediaError(f"cannot read {path}: {error.strerror}") from error
    # Absolute, so that no name can be taken for an address.
    container = _opened(str(path.absolute()), path)
    if container.format.name == "webp_pipe" and (video := animation_as_video(path)) is not None:
        container.close()
        return _opened(video, path)
    if container.format.name == "image2" or container.format.name.endswith("_pipe"):
        container.close()
        raise MediaError(f"{path} is a picture; use `restore-rt image`")
    return container


def _opened(file: str | io.BytesIO, path: Path) -> av.container.InputContainer:
    try:
        return av.open(file, "r", container_options=_PROTOCOLS, metadata_encoding=AS_BYTES)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise MediaError(
            f"{path} is not a video that can be read, or its beginning or index is missing "
            f"({getattr(error, 'strerror', None) or error})"
        ) from error


def choose_stream(container: av.container.InputContainer, path: Path) -> VideoStream:
    """Return the first video stream that is no cover picture.

    Raises
    ------
    MediaError
        There is none, or it cannot be decoded.
    """
    for stream in container.streams.video:
        if not is_cover(stream):
            if stream.codec_context is None:
                raise MediaError(f"{path} holds video in a codec that this PyAV cannot decode")
            return stream
    held = ", ".join(sorted({_kind(stream) for stream in container.streams})) or "nothing"
    raise MediaError(f"{path} has no video stream; it holds {held}")


def _kind(stream: Stream) -> str:
    return "a cover picture" if stream.type == "video" else stream.type
