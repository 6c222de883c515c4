"""What a user can choose of a video. Needs no PyAV: the command's help reads it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from restore_rt.errors import InputError
from restore_rt.video.sequences import SEQUENCE_SUFFIXES, is_pattern, parse_rate

__all__ = [
    "ANIMATIONS",
    "CODECS",
    "CONTAINERS",
    "NUMBERED",
    "VIDEO_SUFFIXES",
    "WRITABLE",
    "AudioChoice",
    "Codec",
    "CodecName",
    "Container",
    "Deinterlace",
    "check_options",
    "container_of",
]

CodecName = Literal["h264", "h265", "av1", "ffv1"]

AudioChoice = Literal["auto", "copy", "flac", "aac", "none"]
"""What becomes of sound: ``restore_video`` says what each means."""

Deinterlace = Literal["auto", "off", "frame", "field"]
"""How interlaced frames become pictures: ``restore_video`` says what each means."""

_X26X_PRESETS = (
    "ultrafast",
    "superfast",
    "veryfast",
    "faster",
    "fast",
    "medium",
    "slow",
    "slower",
    "veryslow",
)

# x265 writes its statistics to standard error on its own.
_X265_QUIET = ("log-level=error",)


@dataclass(frozen=True)
class Codec:
    """A codec's encoder, and what it can be told.

    Attributes
    ----------
    encoder
        FFmpeg's name of it.
    quality
        Lowest allowed, highest allowed and default; ``None`` for a lossless codec.
    presets
        Those that are allowed, the fastest first where they are names.
    preset
        The default one.
    most
        The largest width, height and number of pixels; 0 where there is no limit.
    even
        Subsampled sides must be even.
    private
        Options in the encoder's own words.
    """

    encoder: str
    quality: tuple[int, int, int] | None
    presets: tuple[str, ...]
    preset: str = ""
    most: tuple[int, int, int] = (0, 0, 0)
    even: bool = False
    private: tuple[str, ...] = ()

    def holds(self, width: int, height: int) -> bool:
        """Whether frames are small enough."""
        sizes = (width, height, width * height)
        return all(size <= most or not most for size, most in zip(sizes, self.most, strict=True))


STANDARD = "-"
"""Standard input as a source, and standard output as a target."""

CODECS: dict[CodecName, Codec] = {
    "h264": Codec(
        "libx264", (0, 51, 18), _X26X_PRESETS, "veryfast", most=(16384, 16384, 0), even=True
    ),
    "h265": Codec(
        "libx265", (0, 51, 20), _X26X_PRESETS, "fast", most=(0, 0, 16384 * 8704), even=True,
        private=_X265_QUIET,
    ),
    "av1": Codec(
        "libsvtav1", (1, 63, 28), tuple(map(str, range(14))), "8", most=(16384, 8704, 0), even=True
    ),
    "ffv1": Codec("ffv1", None, ()),
}  # fmt: skip


class Container(NamedTuple):
    """A container that can be written: its name on the command line, FFmpeg's, and its suffixes."""

    name: str
    muxer: str
    suffixes: tuple[str, ...]


CONTAINERS = {
    each.name: each
    for each in (
        Container("mp4", "mp4", (".mp4",)),
        Container("mov", "mov", (".mov",)),
        Container("mkv", "matroska", (".mkv",)),
        Container("webm", "webm", (".webm",)),
    )
}

# They hold pictures alone, and are written without FFmpeg's muxers, or with little of them.
ANIMATIONS = {
    each.name: each
    for each in (
        Container("gif", "", (".gif",)),
        Container("apng", "", (".png", ".apng")),
        Container("webp", "", (".webp",)),
    )
}
NUMBERED = Container("pictures", "", SEQUENCE_SUFFIXES)
WRITABLE = {**CONTAINERS, **ANIMATIONS}

# Of files that are taken from folders and patterns; a file that is named may have any. PNG and
# WebP files are taken if they move.
VIDEO_SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts", ".m2ts", ".mts", ".mpg", ".mpeg"),
    *(".vob", ".3gp", ".3g2", ".flv", ".f4v", ".wmv", ".asf", ".ogv", ".mxf", ".nut", ".y4m"),
    *(".dv", ".gif", ".apng", ".png", ".webp"),
)


def container_of(path: Path) -> Container:
    """Return the container for a file's name; ``NUMBERED`` for a pattern of numbered pictures.

    Raises
    ------
    InputError
        The suffix is not one that can be written.
    """
    if is_pattern(path):
        return NUMBERED
    for container in WRITABLE.values():
        if path.suffix.lower() in container.suffixes:
            return container
    known = ", ".join(suffix for each in WRITABLE.values() for suffix in each.suffixes)
    raise InputError(
        f"{path} ends in {path.suffix or 'no suffix'!r}; allowed are {known}, and patterns of "
        "numbered pictures such as out/%05d.png"
    )


def check_options(deinterlace: str, threads: int | None, fps: str | float | None) -> None:
    """Raise ``InputError`` if an option has a value that is not allowed."""
    if deinterlace not in get_args(Deinterlace):
        allowed = ", ".join(get_args(Deinterlace))
        raise InputError(f"deinterlace is {deinterlace!r}; allowed are {allowed}")
    if threads is not None and threads < 1:
        raise InputError(f"threads is {threads}; it must be at least 1")
    if fps is not None:
        parse_rate(fps)
