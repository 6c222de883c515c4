"""Opens what may or may not be a video file."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
from av.stream import Stream
from av.video.stream import VideoStream

from restore_rt.errors import InputError, MediaError
from restore_rt.video.animations import animation_as_video, facts_of
from restore_rt.video.containers import is_cover
from restore_rt.video.numbered import open_numbered
from restore_rt.video.sequences import DEFAULT_RATE, is_pattern
from restore_rt.video.streamed import StreamedPictures
from restore_rt.video.texts import AS_BYTES

__all__ = ["Opened", "choose_stream", "open_source", "open_standard_input", "open_video"]

# A playlist must not make us open an address.
_PROTOCOLS = "file,crypto,data"
_ADDRESS = re.compile(r"[a-z]+:/")  # pathlib makes one slash of two


@dataclass
class Opened:
    """A file that was opened, and what FFmpeg does not tell of it.

    Attributes
    ----------
    container
        The file.
    pictures
        What it is made of while it is read; None for what FFmpeg reads itself.
    plays
        How often an animation is shown, 0 for without end; None for what is no animation.
    icc
        ICC profile of an animation or of the first of numbered pictures, or empty.
    notes
        What the user should know, of which more may be found while it is read.
    is_file
        It can be opened again, and its header states how long it is.
    name
        Of what is no file, for people.
    """

    container: av.container.InputContainer
    pictures: StreamedPictures | None = None
    plays: int | None = None
    icc: bytes = b""
    notes: list[str] = field(default_factory=list)
    is_file: bool = True
    name: str = ""

    def close(self) -> None:
        """Close the file and what it is made of."""
        self.container.close()
        if self.pictures is not None:
            self.pictures.close()


def open_video(path: Path) -> av.container.InputContainer:
    """Open a file, its texts as bytes: see ``repair_texts``; errors are those of `open_source`."""
    return open_source(path).container


def open_source(path: Path, rate: Fraction | None = None) -> Opened:
    """Open a file, its texts as bytes, or numbered pictures.

    Parameters
    ----------
    path
        The file, or the pattern of the pictures, as for ``is_pattern``.
    rate
        Pictures per second, for numbered ones only.

    Raises
    ------
    InputError
        A rate was given for a file.
    MediaError
        It is missing, cannot be read, or is no video file.
    """
    if is_pattern(path):
        numbered = open_numbered(path, rate or DEFAULT_RATE)
        container = _opened(numbered.video, path)
        if rate is None:
            numbered.notes.append(
                f"numbered pictures have no rate; {DEFAULT_RATE} a second are assumed, and --fps "
                "sets another"
            )
        return Opened(container, numbered.video, None, numbered.icc, numbered.notes)
    if rate is not None:
        raise InputError(
            f"fps is {float(rate):g}, but {path} has times of its own; leave it out: it is for "
            "numbered pictures, as in frames/%05d.png"
        )
    _check_file(path)
    # Absolute, so that no name can be taken for an address.
    container = _opened(str(path.absolute()), path)
    kind = container.format.name
    if kind in ("gif", "apng"):
        return Opened(container, None, *facts_of(path))
    if kind == "webp_pipe" and (video := animation_as_video(path)) is not None:
        container.close()
        return Opened(_opened(video, path), video, *facts_of(path))
    if kind == "image2" or kind.endswith("_pipe"):
        container.close()
        raise MediaError(f"{path} is a picture; use `restore-rt image`")
    return Opened(container)


def open_standard_input() -> Opened:
    """Open what comes through standard input, its texts as bytes.

    Raises
    ------
    MediaError
        It is no video, or one that cannot be read in order.
    """
    name = "standard input"
    return Opened(_opened("pipe:0", name, f"{_PROTOCOLS},pipe"), is_file=False, name=name)


def _check_file(path: Path) -> None:
    try:
        if path.is_dir():
            raise MediaError(
                f"{path} is a folder; give a video file, or numbered pictures as in "
                f"{path / '%05d.png'}"
            )
        if path.exists() and not path.is_file():
            raise MediaError(f"{path} is not a regular file; give a video file")
        path.open("rb").close()
    except FileNotFoundError:
        if _ADDRESS.match(str(path)):
            raise MediaError(
                f"{path} looks like an address; give a file, or use `restore-rt live` or "
                "restore_rt.live.restore_live"
            ) from None
        raise MediaError(f"there is no file {path}; check its name") from None
    except OSError as error:
        raise MediaError(f"cannot read {path}: {error.strerror}") from error


def _opened(
    file: str | StreamedPictures, name: str | Path, protocols: str = _PROTOCOLS
) -> av.container.InputContainer:
    options = {"protocol_whitelist": protocols}
    try:
        return av.open(file, "r", container_options=options, metadata_encoding=AS_BYTES)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise MediaError(
            f"{name} is not a video that can be read, or its beginning or index is missing "
            f"({getattr(error, 'strerror', None) or error})"
        ) from error


def choose_stream(container: av.container.InputContainer, name: str | Path) -> VideoStream:
    """Return the first video stream that is no cover picture.

    Raises
    ------
    MediaError
        There is none, or it cannot be decoded.
    """
    for stream in container.streams.video:
        if not is_cover(stream):
            if stream.codec_context is None:
                raise MediaError(f"{name} holds video in a codec that this PyAV cannot decode")
            return stream
    held = ", ".join(sorted({_kind(stream) for stream in container.streams})) or "nothing"
    raise MediaError(f"{name} has no video stream; it holds {held}")


def _kind(stream: Stream) -> str:
    return "a cover picture" if stream.type == "video" else stream.type
